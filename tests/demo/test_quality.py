"""What minutes of training reach on the samples; the figures are far below what a free machine reaches."""

import numpy as np
import pytest

from napari_aitrain import load_model, predict, train
from napari_aitrain.demo import run_demo
from napari_aitrain.evaluation import semantic_metrics
from napari_aitrain.samples import em_volume_3d

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))


def test_demo_finds_most_nuclei(tmp_path):
    result = run_demo(tmp_path / "demo", minutes=3)
    assert result.evaluation.metrics["ap50"] > 0.75
    assert 0 < load_model(result.model).card.metrics["train"]["ap50"] <= 1


def test_membranes_and_mitochondria_in_3d(tmp_path):
    sample = em_volume_3d()
    result = train(
        image=sample.image[0],
        labels=sample.classes,
        boxes=list(sample.boxes),
        voxel_size=sample.voxel_size,
        task="semantic",
        dims="3",
        minutes=2,
        out=tmp_path / "em",
    )
    found = predict(result.model, sample.image[0]).labels
    (test,) = (box.region.slices for box in sample.boxes if box.role == "test")
    metrics = semantic_metrics(found[test], sample.classes[test], classes=(0, 1, 2))
    assert np.isfinite(result.best) and metrics["dice_1"] > 0.6 and metrics["dice_2"] > 0.6
