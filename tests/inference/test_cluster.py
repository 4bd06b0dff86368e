"""Workers of dask.distributed give what one process gives; what cannot work is said."""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr

from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError
from napari_aitrain.inference import StoredPrediction, predict
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import Model
from napari_aitrain.volumes import Volume, open_volume

MakeModel = Callable[..., Model]
OPTIONS: dict[str, Any] = {"block_shape": (2, 32, 48), "precision": "float32", "device": "cpu"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes of one thread each, as a cluster has them."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0, silence_logs=logging.ERROR
    ) as made:
        yield made


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Bild ü.tif"
    tifffile.imwrite(
        path, np.random.default_rng(0).gamma(2, 50, (5, 90, 110)).astype(np.uint16), photometric="minisblack"
    )
    return path


def same(one: StoredPrediction, other: StoredPrediction) -> None:
    np.testing.assert_array_equal(one.labels(threshold=0), other.labels(threshold=0))
    assert one.objects.csv() == other.objects.csv() and len(one.objects) > 0


def test_threads_and_an_image_in_memory(make_model: MakeModel, tmp_path: Path, picture: Path) -> None:
    model, volume, before = make_model("instances", 2, seed=2), open_volume(picture), torch.get_num_threads()
    in_memory = Volume.from_array(tifffile.imread(picture), axes="zyx")
    one = predict_volume(model, volume, tmp_path / "one", **OPTIONS)
    told: list[str] = []
    many = predict_volume(
        model, in_memory, tmp_path / "many", scheduler="threads", workers=3, near=(2, 80, 10),
        on_block=lambda stage, region: told.append(stage), **OPTIONS,
    )  # fmt: skip
    same(one, many)
    assert {"network", "objects", "faces", "merging", "stitching"} == set(told)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_cluster_by_its_address_whose_worker_is_killed(
    make_model: MakeModel, tmp_path: Path, picture: Path, cluster: Any
) -> None:
    model, source = make_model("instances", 3, seed=1), functools.partial(open_volume, picture)
    one = predict_volume(model, source(), tmp_path / "one", **OPTIONS)
    killed: list[int] = []

    def kill(done: int, total: int, stage: str) -> None:
        if stage == "objects" and done == 2 and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    many = predict_volume(
        model, source(), tmp_path / "many", scheduler=cluster.scheduler_address, source=source, progress=kill, **OPTIONS
    )
    assert killed and many.info.failed == ()
    same(one, many)
    lines = (tmp_path / "many" / "blocks.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines))


def test_chunks_that_workers_fill_are_reported(
    make_model: MakeModel, tmp_path: Path, picture: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    model, path, out = make_model("instances", 2, seed=2), tmp_path / "damaged.zarr", tmp_path / "out.ome.zarr"
    array = zarr.create_array(path, shape=(5, 90, 110), chunks=(1, 45, 55), dtype=np.uint16)
    array[...] = tifffile.imread(picture)
    for chunk in ("1/0/1", "3/1/0"):
        (path / "c" / chunk).write_bytes(b"not compressed")
    command = ["predict", str(model.folder), str(path), "--out", str(out), "--axes", "zyx", "--device", "cpu", "--json"]
    command += ["--on-damage", "fill", "--scheduler", cluster.scheduler_address]
    assert run(command) == 0
    (found,) = json.loads(capfd.readouterr().out)["images"]
    (told,) = [text for text in found["warnings"] if "damaged" in text]
    assert "2 damaged chunks" in told and "damaged.zarr" in told


def test_the_command_with_a_cluster(
    make_model: MakeModel, tmp_path: Path, picture: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    model, out = make_model("instances", 2, seed=2), tmp_path / "out.ome.zarr"
    command = ["predict", str(model.folder), str(picture), "--out", str(out), "--scheduler", cluster.scheduler_address]
    assert run([*command, "--near", "0,10,10", "--device", "cpu", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["images"][0]
    assert found["network_ran"] and found["failed"] == []
    (here,) = predict(model.folder, picture, tmp_path / "here.ome.zarr", device="cpu")
    assert found["objects"] == here.objects


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scheduler": "slurm"}, "not known"),
        ({"scheduler": "tcp://127.0.0.1:{port}"}, "no scheduler answers"),
        ({"scheduler": "tcp://127.0.0.1:{port}", "workers": 2}, "cannot be started"),
    ],
)
def test_what_cannot_work_is_said(
    make_model: MakeModel, tmp_path: Path, picture: Path, settings: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_aitrain.inference.cluster._ANSWER", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {**settings, "scheduler": settings["scheduler"].format(port=port)}
    with pytest.raises(ConfigError, match=words):
        predict_volume(make_model("semantic", 2), open_volume(picture), tmp_path / "s", **settings, **OPTIONS)


def test_an_image_in_memory_that_is_too_large_to_send_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    volume = Volume.from_array(np.random.default_rng(0).integers(0, 255, (20, 1000, 1000), np.uint8), axes="zyx")
    with pytest.raises(ConfigError, match="save the image"):
        predict_volume(make_model("semantic", 2), volume, tmp_path / "s", scheduler="threads", **OPTIONS)


def test_an_estimate(make_model: MakeModel, picture: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = make_model("instances", 2, seed=2)
    command = ["predict", str(model.folder), str(picture), "--out", "nothing.tif", "--estimate", "--json"]
    assert run(command) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["voxels"] == 5 * 90 * 110 and found["network_blocks"] == 1
    assert 0 < found["seconds"] < 600 and found["bytes_needed"] > found["voxels"]
    assert not Path("nothing.tif").exists()
