"""Uncertainty that an idle worker computes."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_aitrain.errors import ModelError
from napari_aitrain.inference import predict_volume
from napari_aitrain.jobs.doubter import Doubter
from napari_aitrain.jobs.predict_config import PredictConfig
from napari_aitrain.suggestions.maps import StoredMap
from napari_aitrain.volumes import open_volume


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_writes_what_is_asked_and_says_what_is_wrong(make_model, tmp_path):
    model, other = make_model(2, 0), make_model(2, 1)
    tifffile.imwrite(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 255, (80, 96), np.uint8))
    predict_volume(model, open_volume(tmp_path / "a.tif"), tmp_path / "p")
    config = PredictConfig(model=model.folder, image=tmp_path / "a.tif")
    doubter, told = Doubter(), []
    try:
        for name, others in (("mirrored", []), ("others", [other.folder])):
            to = tmp_path / f"{name}.zarr"
            assert doubter.write(config, tmp_path / "p", others, to, lambda: False, lambda *one: told.append(one))
            assert StoredMap(to).shape == (1, 80, 96)
        assert not doubter.write(config, tmp_path / "p", [], tmp_path / "c.zarr", lambda: True)
        with pytest.raises(ModelError, match="cannot be compared"):
            wrong = make_model(2, 2, classes=(0, 7)).folder
            doubter.write(config, tmp_path / "p", [wrong], tmp_path / "w.zarr", lambda: False)
    finally:
        doubter.close()
