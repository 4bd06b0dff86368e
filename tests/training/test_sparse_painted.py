"""Learning from a sparse ground truth that was painted here and there at two magnifications, without any box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_aitrain.annotation.sparse import SparseTruth
from napari_aitrain.annotation.sparse_boxes import painted_boxes
from napari_aitrain.annotation.sparse_change import difference
from napari_aitrain.geometry import Region, Triple, magnified_shape
from napari_aitrain.training import new_truth
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.cropset import CropSet

SHAPE = (1, 3000, 3000)
FINE, COARSE = (1, 1, 1), (1, 4, 4)
BACKGROUND = 9


def cells(m: Triple) -> np.ndarray:
    """Return ids of squares of 32 pixels in every other field of 64, as they are at a magnification."""
    y, x = (np.arange(n) * f for n, f in zip(magnified_shape(SHAPE, m)[1:], m[1:], strict=True))
    inside = np.logical_and.outer(y % 64 < 32, x % 64 < 32)
    ids = np.add.outer(y // 64 * 50, x // 64) + 10
    return np.where(inside, ids, BACKGROUND)[None].astype(np.int32)


def paint(truth: SparseTruth, m: Triple, y: int, x: int, size: int = 128) -> None:
    region = Region((0, y, x), (1, y + size, x + size))
    change = difference(m, region, truth.read(m, region), cells(m)[region.slices])
    assert change is not None
    truth.commit([change])


@pytest.fixture
def truth(tmp_path: Path) -> SparseTruth:
    """Painted finely in two places, and coarsely in a third."""
    made = SparseTruth.create(tmp_path / "k.zarr", SHAPE)
    paint(made, FINE, 100, 100)
    paint(made, FINE, 100, 1600)
    paint(made, COARSE, 520, 40)
    return made


@pytest.fixture
def source(tmp_path: Path, truth: SparseTruth) -> Source:
    noise = np.random.default_rng(0).normal(0, 8, SHAPE)
    image = (30 + 90 * (cells(FINE) != BACKGROUND) + noise).clip(0, 255).astype(np.uint8)
    zarr.save_array(str(tmp_path / "image.zarr"), image)
    return Source(image=tmp_path / "image.zarr", labels=truth.path, background_id=BACKGROUND)


def config_of(source: Source) -> TrainConfig:
    quick = {"steps": 5, "patch_shape": (1, 64, 64), "batch_size": 1, "precision": "float32", "network": "small"}
    return TrainConfig.model_validate({"sources": [source], "task": "instances", **quick})


def test_what_is_painted_is_trained_on_to_the_end(source: Source, run) -> None:
    result = run("job")(config_of(source))
    assert result.of("done")[0]["steps"] == 5
    crops = CropSet.load(result.folder).crops
    assert {crop.name.split(",")[0] for crop in crops} == {f"painted {n}" for n in (1, 2, 3)}
    assert {crop.role for crop in crops} == {"train", "validation"}
    assert sum(int(np.sum(np.asarray(crop.labels) > 0)) for crop in crops) > 0
    assert any((np.asarray(crop.labels) == -1).any() for crop in crops), "what was not painted is unlabelled"


def test_what_is_painted_meanwhile_is_taken_in(source: Source, truth: SparseTruth, run, monkeypatch) -> None:
    monkeypatch.setattr(new_truth, "EVERY", 0.0)
    monkeypatch.setattr(new_truth, "SHARE", 1e9)
    first = source.model_copy(update={"boxes": painted_boxes(truth.path)})
    asked = [0]

    def control(_):
        asked[0] += 1
        if asked[0] != 3:
            return []
        paint(truth, FINE, 2600, 2600)
        boxes = painted_boxes(truth.path, first.boxes)
        return [
            {"kind": "ground-truth", "sources": [first.model_copy(update={"boxes": boxes}).model_dump(mode="json")]}
        ]

    result = run("job")
    result.when = control
    result(config_of(first))
    told = result.of("ground-truth")[0]
    assert (told["added"], told["changed"], told["removed"], told["left_out"]) == (1, 0, 0, [])
    assert "painted at 0, 2560, 2560" in {crop.name for crop in CropSet.load(result.folder).crops}
    assert result.of("done")[0]["steps"] == 5
