"""The script that trains the starter models, in its short form, from a copy of the repository's own files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_aitrain
from napari_aitrain.models import load_model

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("AITRAIN_DATA", ROOT.parent / "shared" / "data"))
SCRIPT = ROOT / "starters" / "train.py"


@pytest.mark.skipif(not (DATA / "nuclei-dsb2018").is_dir(), reason="needs nuclei-dsb2018 in AITRAIN_DATA")
def test_a_starter_model_is_trained_tested_and_saved(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "nuclei-2d", "--short", "--threads", "1", "--out", tmp_path]
    # A home of its own: only one training runs at a time in one.
    environment = os.environ | {"AITRAIN_HOME": str(tmp_path / "home")}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=170, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    model = load_model(tmp_path / "nuclei-2d")
    assert told["test"] == model.card.metrics["test"]
    assert model.card.metrics["test"]["images"] == 6
    assert all("/" not in source.image.split(" (starters/")[0] for source in model.card.data.sources)
    assert model.card.diameter is not None and 8 < model.card.diameter < 40
    assert (tmp_path / "nuclei-2d" / "weights.safetensors").stat().st_size < 2**20
    labels = napari_aitrain.predict(model, np.zeros((64, 64), np.uint8)).labels
    assert labels.shape == (1, 64, 64)


def test_an_unknown_starter_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "nuclei"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "nuclei-2d, nuclei-3d, em-neurons" in done.stderr
