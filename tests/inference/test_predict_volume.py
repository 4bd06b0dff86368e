"""Prediction of volumes into a store: equal to one pass, interrupted, resumed, and refused where it must be."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from napari_aitrain.errors import ConfigError, OutputExistsError, StorageError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import PredictionCancelledError, StoredPrediction, make_network, predict_array
from napari_aitrain.inference.image import prepare_image
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import Model
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.chunked import ChunkedArray
from napari_aitrain.volumes.counting import read_counts

MakeModel = Callable[..., Model]


def image(shape: tuple[int, ...] = (4, 60, 80), seed: int = 0, **volume: Any) -> Volume:
    values = np.random.default_rng(seed).gamma(2, 50, shape)
    return Volume.from_array(values.astype(np.uint16), axes="zyx", **volume)


class Counting:
    """Gives a network that counts how often it is called."""

    def __init__(self, model: Model) -> None:
        self.model, self.calls = model, 0

    def __call__(self) -> Any:
        network = make_network(self.model, "cpu", "float32")
        inner, outer = network, self

        class Counted:
            device, receptive_field, multiple = inner.device, inner.receptive_field, inner.multiple

            def __call__(self, batch: torch.Tensor) -> torch.Tensor:
                outer.calls += 1
                return inner(batch)

        return Counted()


@pytest.mark.parametrize(("task", "dims"), [("instances", 2), ("semantic", 3)])
def test_blocks_give_the_maps_of_one_pass(make_model: MakeModel, tmp_path: Path, task: str, dims: int) -> None:
    model, volume = make_model(task, dims), image()
    network = make_network(model, "cpu", "float32")
    prepared = prepare_image(model, volume)
    whole = predict_array(network, model.task().activate, prepared.read(volume.region), dims)
    found = predict_volume(model, volume, tmp_path / "s", block_shape=(2, 32, 40), precision="float32")
    assert found.info.network_block < volume.shape
    np.testing.assert_allclose(found.maps(), whole, atol=1 / 255)
    part = Region((1, 20, 30), (4, 50, 70))
    np.testing.assert_array_equal(found.labels(part, 0.3), found.labels(threshold=0.3)[part.slices])


def test_a_region_alone_is_predicted_as_in_the_whole(make_model: MakeModel, tmp_path: Path) -> None:
    model, volume = make_model("semantic", 2), image((3, 80, 80))
    found = predict_volume(model, volume, tmp_path / "s", region=Region((1, 16, 16), (3, 64, 80)))
    assert found.shape == (2, 48, 64) and found.info.start == (1, 16, 16)
    with pytest.raises(ConfigError, match="cannot be predicted"):
        predict_volume(model, volume, tmp_path / "t", region=Region((0, 0, 0), (3, 64, 81)))


def test_cancel_keeps_what_is_done_and_resume_repeats_nothing(make_model: MakeModel, tmp_path: Path) -> None:
    model, volume = make_model("instances", 2, seed=2), image()
    options: dict[str, Any] = {"block_shape": (2, 32, 48), "precision": "float32"}
    straight = Counting(model)
    whole = predict_volume(model, volume, tmp_path / "whole", network=straight, **options)
    seen: list[tuple[int, int, str]] = []
    first = Counting(model)
    with pytest.raises(PredictionCancelledError, match="--resume"):
        predict_volume(
            model, volume, tmp_path / "s", network=first, progress=lambda *p: seen.append(p),
            cancelled=lambda: len(seen) > 4, **options,
        )  # fmt: skip
    assert 0 < max(done for done, _, stage in seen if stage == "network") < 8
    with pytest.raises(VolumeError, match="not finished"):
        StoredPrediction.open(tmp_path / "s")
    with pytest.raises(OutputExistsError, match="--resume"):
        predict_volume(model, volume, tmp_path / "s", **options)
    second = Counting(model)
    found = predict_volume(model, volume, tmp_path / "s", network=second, resume=True, **options)
    assert first.calls and first.calls + second.calls == straight.calls
    np.testing.assert_array_equal(found.maps(), whole.maps())
    np.testing.assert_array_equal(found.labels(threshold=0), whole.labels(threshold=0))
    assert found.objects.csv() == whole.objects.csv() and len(whole.objects) > 9


KILLED = """
import os, sys
import numpy as np
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import load_model
from napari_aitrain.volumes import Volume

stop = sys.argv[3], int(sys.argv[4])
volume = Volume.from_array(np.random.default_rng(0).gamma(2, 50, (4, 60, 80)).astype(np.uint16), axes="zyx")

def die(done, total, stage):
    if (stage, done) == stop:
        os._exit(9)

predict_volume(load_model(sys.argv[1]), volume, sys.argv[2], block_shape=(2, 32, 48), precision="float32",
               progress=die, resume=True)
"""


def test_a_process_that_dies_loses_no_block(make_model: MakeModel, tmp_path: Path) -> None:
    model, volume = make_model("instances", 2, seed=2), image()
    store = tmp_path / "s"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(model.folder), str(store), "objects", "5"])
    assert ended.returncode == 9
    with open(store / "blocks.jsonl", "ab") as file:
        file.write(b'{"stage": "obj')
    options: dict[str, Any] = {"block_shape": (2, 32, 48), "precision": "float32"}
    network = Counting(model)
    found = predict_volume(model, volume, store, resume=True, network=network, **options)
    assert network.calls == 0
    whole = predict_volume(model, volume, tmp_path / "whole", **options)
    np.testing.assert_array_equal(found.labels(threshold=0), whole.labels(threshold=0))
    assert found.objects.csv() == whole.objects.csv() and len(whole.objects) > 9
    lines = (store / "blocks.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 4 * 8 + 1


def test_another_model_or_image_does_not_go_on(make_model: MakeModel, tmp_path: Path) -> None:
    volume = image((1, 40, 40))
    predict_volume(make_model("semantic", 2), volume, tmp_path / "s")
    with pytest.raises(OutputExistsError, match="another model, image or region"):
        predict_volume(make_model("semantic", 2, seed=5), volume, tmp_path / "s", resume=True)
    with pytest.raises(OutputExistsError, match="another model, image or region"):
        predict_volume(make_model("semantic", 2, name="b"), image((1, 40, 40), seed=1), tmp_path / "s", resume=True)


def test_a_folder_with_other_things_is_left_alone(make_model: MakeModel, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        predict_volume(make_model("semantic", 2), image((1, 40, 40)), tmp_path / "s")
    assert [p.name for p in (tmp_path / "s").iterdir()] == ["thesis.txt"]


def test_too_little_disk_is_said_before_the_start(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30, 2**30, 10))
    with pytest.raises(StorageError, match="GiB free"):
        predict_volume(make_model("semantic", 2), image((1, 40, 40)), tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 300), (5, 3, 3)])
@pytest.mark.parametrize("dims", [2, 3])
def test_tiny_and_thin_volumes(make_model: MakeModel, tmp_path: Path, shape: tuple[int, int, int], dims: int) -> None:
    found = predict_volume(make_model("instances", dims), image(shape), tmp_path / "s")
    assert found.labels().shape == shape


def test_the_image_is_read_ahead_and_no_chunk_twice(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(0).gamma(2, 50, (6, 96, 96)).astype(np.uint16)
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(1, 32, 32))
    volume, readers, before = open_volume(tmp_path / "a.zarr", axes="zyx"), set(), []
    decode = ChunkedArray._decode

    def noted(self: ChunkedArray, voxels: Any) -> Any:
        readers.add(threading.current_thread().name.partition("_")[0])
        return decode(self, voxels)

    def begin() -> bool:
        if not before:
            # What was looked at for the normalisation is in the cache already.
            volume.levels[0].forget()
            readers.clear()
            before.append(read_counts())
        return False

    monkeypatch.setattr(ChunkedArray, "_decode", noted)
    predict_volume(
        make_model("instances", 2, seed=2), volume, tmp_path / "s", block_shape=(1, 48, 48), precision="float32",
        device="cpu", cancelled=begin,
    )  # fmt: skip
    assert "prefetch" in readers
    assert (read_counts() - before[0]).decoded == data.nbytes
