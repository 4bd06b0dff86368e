"""A prediction that is killed again and again, at any moment, ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_aitrain.inference import StoredPrediction
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import Model
from napari_aitrain.volumes import Volume

SHAPE = (6, 120, 130)
SCRIPT = """
import sys
import numpy as np
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import load_model
from napari_aitrain.volumes import Volume

volume = Volume.from_array(np.random.default_rng(0).gamma(2, 50, (6, 120, 130)).astype(np.uint16), axes="zyx")
predict_volume(load_model(sys.argv[1]), volume, sys.argv[2], block_shape=(2, 32, 32), precision="float32", device="cpu",
               progress=lambda done, total, stage: print(stage, done, flush=True), resume=True)
"""


@pytest.mark.slow
def test_ten_kills_lose_no_block_and_repeat_no_object(make_model: Callable[..., Model], tmp_path: Path) -> None:
    model, store, chance = make_model("instances", 2, seed=2), tmp_path / "s", random.Random(3)
    volume = Volume.from_array(np.random.default_rng(0).gamma(2, 50, SHAPE).astype(np.uint16), axes="zyx")
    whole = predict_volume(model, volume, tmp_path / "w", block_shape=(2, 32, 32), precision="float32", device="cpu")
    command = [sys.executable, "-c", SCRIPT, str(model.folder), str(store)]
    killed, recorded = 0, 0
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = sum(1 for _ in zip(range(chance.randint(1, 30)), process.stdout, strict=False))
            process.kill()
        killed += process.returncode != 0 and told > 0
        lines = (store / "blocks.jsonl").read_bytes().splitlines()
        assert len(lines) >= recorded, "what was done stays done"
        recorded = len(lines) - 1
    assert killed >= 5
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = StoredPrediction.open(store)
    rows = [json.loads(line) for line in (store / "blocks.jsonl").read_text().splitlines()]
    assert len(rows) == len({(row["stage"], row["block"]) for row in rows})
    np.testing.assert_array_equal(found.maps(), whole.maps())
    np.testing.assert_array_equal(found.labels(threshold=0), whole.labels(threshold=0))
    assert found.objects.csv() == whole.objects.csv() and len(whole.objects) > 50
