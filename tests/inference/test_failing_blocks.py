"""Blocks that fail are tried again, then named and left out; a resume makes them, and what depends on them, anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from blockwise import run_stages

from napari_aitrain.errors import OutputExistsError, StorageError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import predict
from napari_aitrain.inference.manifest import Block
from napari_aitrain.inference.store import StoredPrediction, read_info
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import Model
from napari_aitrain.tasks import make_task
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.output_lock import OutputLock

MakeModel = Callable[..., Model]
OPTIONS: dict[str, Any] = {"block_shape": (2, 32, 48), "precision": "float32", "device": "cpu"}
PART = Region((0, 0, 130), (2, 20, 150))
VALUES = np.random.default_rng(0).gamma(2, 50, (4, 60, 200)).astype(np.uint16)


class Damaged:
    """An array of which a part cannot be read for a while."""

    shape, dtype = VALUES.shape, VALUES.dtype

    def __init__(self, times: int, part: Region = PART) -> None:
        self.times, self.part = times, part
        self.armed = False

    def __getitem__(self, key: Any) -> np.ndarray:
        starts, stops = zip(*(s.indices(n)[:2] for s, n in zip(key, self.shape, strict=True)), strict=True)
        if self.armed and self.times and self.part.overlaps(Region(starts, stops)):
            self.times -= 1
            raise OSError("the disk has a scratch")
        return VALUES[key]


def predict_damaged(model: Model, store: Path, times: int, **more: Any) -> tuple[StoredPrediction, Damaged]:
    """Predict an array that is damaged once the normalisation is known."""
    array = Damaged(times)

    def arm(done: int, total: int, stage: str) -> None:
        array.armed = True

    def ask() -> bool:
        array.armed = True
        return False

    volume = Volume.from_array(array, axes="zyx")
    return predict_volume(model, volume, store, progress=arm, cancelled=ask, **OPTIONS, **more), array


def test_what_fails_twice_is_done(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model("instances", 2, seed=2)
    whole = predict_volume(model, Volume.from_array(VALUES, axes="zyx"), tmp_path / "whole", **OPTIONS)
    found, array = predict_damaged(model, tmp_path / "s", 2)
    assert array.times == 0 and found.info.failed == ()
    np.testing.assert_array_equal(found.labels(threshold=0), whole.labels(threshold=0))
    assert not (tmp_path / "s" / "pieces.zarr").exists()


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_what_fails_always_is_named_and_the_rest_finished(make_model: MakeModel, tmp_path: Path, task: str) -> None:
    model, store = make_model(task, 2, seed=2), tmp_path / "s"
    volume = Volume.from_array(VALUES, axes="zyx")
    whole = predict_volume(model, volume, tmp_path / "whole", **OPTIONS)
    found, _ = predict_damaged(model, store, 10**6)
    assert {block.stage for block in found.info.failed} == {"network"}
    for block in found.info.failed:
        assert "scratch" in block.error
        assert not found.maps(Region(block.start, block.stop)).any()
    failed = np.zeros(VALUES.shape, bool)
    for block in found.info.failed:
        failed[Region(block.start, block.stop).slices] = True
    assert 0 < failed.mean() < 0.5
    np.testing.assert_array_equal(found.maps()[:, ~failed], whole.maps()[:, ~failed])
    far = Region((0, 0, 0), (4, 60, 48))
    assert (found.labels(far, 0) > 0).tolist() == (whole.labels(far, 0) > 0).tolist()
    lines = (store / "blocks.jsonl").read_text().splitlines()
    again = predict_volume(model, volume, store, resume=True, **OPTIONS)
    assert again.info.failed == () and len(set((store / "blocks.jsonl").read_text().splitlines())) > len(lines)
    np.testing.assert_array_equal(again.labels(threshold=0), whole.labels(threshold=0))
    assert task == "semantic" or (len(whole.objects) > 9 and again.objects.csv() == whole.objects.csv())
    assert not (store / "pieces.zarr").exists()


def test_where_all_fail_the_error_is_raised(make_model: MakeModel, tmp_path: Path) -> None:
    array = Damaged(10**6, Region.from_shape(VALUES.shape))

    def ask() -> bool:
        array.armed = True
        return False

    with pytest.raises(VolumeError, match="scratch"):
        predict_volume(
            make_model("instances", 2, seed=2),
            Volume.from_array(array, axes="zyx"),
            tmp_path / "s",
            cancelled=ask,
            **OPTIONS,
        )
    assert not read_info(tmp_path / "s").finished


def test_a_full_disk_ends_it(perfect_stages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = perfect_stages(tmp_path / "s", np.zeros((3, 2, 50, 60), np.uint8), "instances", 2, (1, 32, 32), (0, 8, 8))
    tried: list[Block] = []

    def full(block: Block) -> None:
        tried.append(block)
        raise StorageError("the disk is full", "", "")

    monkeypatch.setattr(stages, "do", full)
    with pytest.raises(StorageError, match="full"):
        run_stages(stages)
    assert len(tried) == 1


@pytest.mark.parametrize("stage", ["objects", "faces", "stitching"])
def test_a_stage_that_fails_for_one_block(
    perfect_stages: Any, blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    labels = blobs((1, 90, 90), 9, 9.0, 2)
    targets = make_task("instances").prepare(labels, np.ones(labels.shape, bool), None, 2)
    maps = np.floor(targets.values[:3] * 255 + 0.5).astype(np.uint8)
    stages = perfect_stages(tmp_path / "s", maps, "instances", 2, (1, 32, 32), (0, 24, 24))
    do = stages.do

    def failing(block: Block) -> Any:
        if block == Block(stage, 4):
            raise RuntimeError("no luck")
        return do(block)

    monkeypatch.setattr(stages, "do", failing)
    work = run_stages(stages)
    assert [(failure.block, failure.region) for failure in work.failures] == [
        (Block(stage, 4), Region((0, 32, 32), (1, 64, 64)))
    ]
    if stage != "faces":
        assert not StoredPrediction(stages.store, stages.info).labels(Region((0, 32, 32), (1, 64, 64)), 0).any()
    monkeypatch.undo()
    assert run_stages(stages).failures == []
    found = StoredPrediction(stages.store, stages.info).labels(threshold=0)
    whole = make_task("instances").decode(maps.astype(np.float32) / np.float32(255), None, 2).labels
    pairs = np.unique(np.stack([found.ravel(), whole.ravel()]), axis=1)
    assert pairs.shape[1] == whole.max() + 1


def test_a_changed_image_is_said(make_model: MakeModel, tmp_path: Path) -> None:
    path = tmp_path / "image.zarr"
    array = zarr.create_array(path, data=VALUES, chunks=(2, 30, 50), dimension_names=("z", "y", "x"))
    told: list[str] = []

    def change(done: int, total: int, stage: str) -> None:
        if not told:
            array[:2, :30, :50] = 7
        told.append(stage)

    found = predict_volume(make_model("semantic", 2), open_volume(path), tmp_path / "s", progress=change, **OPTIONS)
    assert any("changed" in text for text in found.info.warnings)


def test_a_second_process_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    with OutputLock(tmp_path / "s"), pytest.raises(OutputExistsError, match="process"):
        predict_volume(make_model("semantic", 2), Volume.from_array(VALUES, axes="zyx"), tmp_path / "s", **OPTIONS)


def test_a_resume_of_files_tries_failed_blocks_again(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_aitrain.inference.planning.tile_voxels", lambda network: 2**12)
    path, out, model = tmp_path / "image.zarr", tmp_path / "out.ome.zarr", make_model("instances", 2, seed=2)
    zarr.create_array(path, data=VALUES, chunks=(1, 30, 25), dimension_names=("z", "y", "x"))
    (good,) = predict(model.folder, path, tmp_path / "good.ome.zarr", precision="float32")
    shutil.rmtree(good.store.rename(tmp_path / "elsewhere") / "maps.zarr")
    chunk = path / "c" / "1" / "0" / "5"
    kept = chunk.read_bytes()

    def damage(done: int, total: int, stage: str) -> None:
        chunk.write_bytes(kept[:40])

    options: dict[str, Any] = {"precision": "float32", "threshold": 0.0}
    (found,) = predict(model.folder, path, out, progress=damage, cancelled=lambda: damage(0, 0, "") or False, **options)
    assert found.failed and "image.zarr" in found.failed[0].error
    chunk.write_bytes(kept)
    (again,) = predict(model.folder, path, out, resume=True, **options)
    assert again.failed == () and again.network_ran
    expected = zarr.open_array(tmp_path / "elsewhere" / "labels.zarr", mode="r")[...]
    np.testing.assert_array_equal(StoredPrediction.open(again.store).labels(threshold=0), expected)
