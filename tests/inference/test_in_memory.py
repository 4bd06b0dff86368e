"""Prediction of an array, without files: objects have scores, classes have none."""

import numpy as np
import pytest

from napari_aitrain import predict


@pytest.mark.parametrize(("task", "dims"), [("instances", 2), ("semantic", 2), ("semantic", 3)])
def test_an_array_is_predicted_in_memory(make_model, task, dims):
    image = np.random.default_rng(0).integers(0, 255, (8, 48, 48) if dims == 3 else (48, 48), dtype=np.uint8)
    found = predict(make_model(task, dims), image)
    assert found.labels.shape == ((8, 48, 48) if dims == 3 else (1, 48, 48)) and 0 <= found.threshold <= 1
    assert (len(found.scores) > found.labels.max()) if task == "instances" else len(found.scores) == 0
