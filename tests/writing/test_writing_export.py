"""`export`: labels of any format with any ids, and stored predictions with maps and tables."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_aitrain.cli.main import run as run_program
from napari_aitrain.errors import ConfigError, OutputExistsError
from napari_aitrain.geometry import Region
from napari_aitrain.inference.export import export
from napari_aitrain.inference.export_maps import maps_path, task_of
from napari_aitrain.inference.info import PredictionInfo, write_info
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.inference.store import LABELS, MAPS, StoredPrediction, create_array
from napari_aitrain.tasks import make_task
from napari_aitrain.volumes import LabelsWriter, open_volume, write_zarr
from napari_aitrain.volumes.write_placement import Placement
from napari_aitrain.volumes.writers import MapsWriter

SHAPE = (6, 40, 50)


def run(*words: object) -> int:
    return run_program([str(word) for word in words])


def everything(path: Path, kind: Any = "labels") -> Any:
    volume = open_volume(path, kind=kind)
    return volume.read(volume.region)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return an image in µm; its finest level is twice as fine as the predictions."""
    path, shape = tmp_path / "bild.ome.zarr", (6, 90, 110)
    with MapsWriter(
        path, shape, ("a",), placement=Placement((0.04, 0.004, 0.004), units=("micrometer",) * 3)
    ) as writer:
        writer.write(Region.from_shape(shape), np.ones((1, *shape), np.uint8))
    return path


def store(tmp_path: Path, image: Path, task: str) -> StoredPrediction:
    """Return a finished prediction of a part of the image at half its resolution."""
    made, rng = make_task(task), np.random.default_rng(0)
    maps = rng.integers(0, 256, (made.heads, *SHAPE)).astype(np.uint8)
    if task == "semantic":
        maps[1] = 255 - maps[0]
    folder = tmp_path / f"{task}.prediction"
    folder.mkdir()
    info = PredictionInfo(
        model_name="m", model_fingerprint="", image=str(image), image_fingerprint="", channels=("a",), task=task,
        instances=made.instances, classes=made.classes, dims=3, heads=made.heads, magnification=(1, 2, 2),
        start=(0, 3, 5), shape=SHAPE, voxel_size=(40.0, 8.0, 8.0), low=(0.0,), high=(1.0,), multiple=(1, 1, 1),
        halo=(0, 0, 0), overlap=(0, 0, 0), network_block=SHAPE, decode_block=SHAPE, threshold=0.5, finished=True,
    )  # fmt: skip
    write_info(folder, info)
    create_array(folder / MAPS, maps.shape, maps.shape, np.uint8)[...] = maps
    labels = np.kron(rng.integers(0, 8, (6, 4, 5)), np.ones((1, 10, 10), int))
    labels = labels if made.instances else maps.argmax(axis=0)
    create_array(folder / LABELS, SHAPE, SHAPE, np.int32)[...] = labels
    if made.instances:
        score = np.array([0, 0.9, 0.2, 0.8, 0.7, 0.6, 0.1, 0.95], np.float32)
        size = np.bincount(labels.ravel(), minlength=8)
        places = np.zeros((8, 3), np.int64)
        ones = np.ones(8, np.int32)
        ObjectTable(score, size, places, places, places + 0.5, np.zeros((8, 0), np.float32), ones).save(folder)
    return StoredPrediction.open(folder)


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_a_prediction_with_everything(tmp_path: Path, image: Path, task: str) -> None:
    stored, out = store(tmp_path, image, task), tmp_path / "ergebnis ü.ome.zarr"
    words = ["--table", "csv,parquet", "--save", "probability,uncertainty", "--shards", "--json"]
    assert run("export", stored.folder, "-o", out, "-t", 0.65, *words) == 0
    np.testing.assert_array_equal(everything(out)[0], stored.labels(threshold=0.65))
    names = {f"ergebnis ü.{kind}.ome.zarr" for kind in ("probability", "uncertainty")}
    names |= {out.name, f"{out.name}.scores.csv", f"{out.name}.scores.parquet"}
    assert {entry.name for entry in tmp_path.iterdir()} == names | {image.name, stored.folder.name}
    maps = stored.maps()
    wanted = {
        "probability": maps[:1] if task == "instances" else maps,
        "uncertainty": task_of(stored.info).uncertainty(maps),
    }
    for kind, values in wanted.items():
        written = everything(maps_path(out, kind), "image")  # type: ignore[arg-type]
        assert written.dtype == np.uint8
        np.testing.assert_array_equal(written, np.rint(values.reshape(written.shape) * 255))
    for path in (out, maps_path(out, "probability")):
        said: Any = zarr.open_group(path, mode="r").attrs["ome"]
        axes = said["multiscales"][0]["axes"][-3:]
        assert all(axis["unit"] == "micrometer" for axis in axes)
        scale, translation = said["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        # The first voxel lies over voxels 6 and 7, 10 and 11 of the image.
        assert scale["scale"][-3:] == pytest.approx([0.04, 0.008, 0.008])
        assert translation["translation"][-3:] == pytest.approx([0, 6.5 * 0.004, 10.5 * 0.004])
    source = zarr.open_group(out, mode="r").attrs["ome"]["image-label"]["source"]  # type: ignore[index, call-overload]
    assert source == {"image": f"../{image.name}"}


def test_another_threshold_replaces_labels_and_keeps_maps(tmp_path: Path, image: Path) -> None:
    stored, out = store(tmp_path, image, "instances"), tmp_path / "a.ome.zarr"
    export(stored, out, 0.5, save=["uncertainty"])
    before = maps_path(out, "uncertainty").stat().st_mtime_ns
    again = StoredPrediction.open(stored.folder)
    export(again, out, 0.85, save=["uncertainty"], tables=["csv"])
    assert set(np.unique(everything(out))) == {0, 1, 7}
    assert maps_path(out, "uncertainty").stat().st_mtime_ns == before
    (maps_path(out, "uncertainty") / "mine").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not as this prediction left it"):
        export(again, out, 0.5, save=["uncertainty"])
    with pytest.raises(ConfigError, match="cannot be saved"):
        export(again, tmp_path / "b.tif", save=["entropy"])
    assert not (tmp_path / "b.tif").exists()


def test_the_scores_of_classes(tmp_path: Path, image: Path) -> None:
    stored = store(tmp_path, image, "semantic")
    with open(export(stored, tmp_path / "a.tif", 0.0), newline="") as file:
        rows = list(csv.DictReader(file))
    labels, sure = stored.labels(threshold=0.0), stored.maps().max(axis=0)
    for row in rows:
        here = labels == int(row["id"])
        assert int(row["size"]) == here.sum() and float(row["score"]) == pytest.approx(sure[here].mean(), abs=1e-4)


@pytest.mark.parametrize("ending", [".ome.zarr", ".tif"])
def test_labels_with_long_ids(tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.array([[[0, 2**63 + 5, 7, 2**40]]], np.uint64).repeat(300, axis=1)
    np.save(tmp_path / "a.npy", labels)
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / f"b{ending}") == 0
    np.testing.assert_array_equal(everything(tmp_path / f"b{ending}")[0], labels)
    capsys.readouterr()
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / f"c{ending}", "--compact", "--json") == 0
    assert json.loads(capsys.readouterr().out)["type"] == "uint8"
    assert everything(tmp_path / f"c{ending}")[0, 0, 0].tolist() == [0, 3, 1, 2]
    ids = (tmp_path / f"c{ending}.ids.csv").read_text()
    assert ids == f"id,original\n1,7\n2,{2**40}\n3,{2**63 + 5}\n"


@pytest.mark.parametrize("largest", [200, 60_000, 2**31, 2**40])
@pytest.mark.parametrize("sections", [1, 6])
def test_a_tiff_keeps_the_voxel_size_whatever_its_ids(tmp_path: Path, largest: int, sections: int) -> None:
    np.save(tmp_path / "a.npy", np.full((sections, 40, 50), largest, np.uint64))
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / "b.tif", "--voxel-size", "40,4,5") == 0
    found = open_volume(tmp_path / "b.tif", kind="labels").voxel_size
    assert found is not None and found[1:] == pytest.approx((4, 5))
    assert sections == 1 or found[0] == pytest.approx(40)


def test_labels_take_the_place_of_their_image(tmp_path: Path, image: Path) -> None:
    tifffile.imwrite(tmp_path / "l.tif", np.ones((6, 90, 110), np.uint16))
    assert run("export", tmp_path / "l.tif", "-o", tmp_path / "l.ome.zarr", "-i", image, "--ome", "0.4") == 0
    said: Any = zarr.open_group(tmp_path / "l.ome.zarr", mode="r", zarr_format=2).attrs.asdict()
    assert said["multiscales"][0]["version"] == "0.4" and said["image-label"]["source"] == {"image": "../bild.ome.zarr"}
    assert said["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] == [0.04, 0.004, 0.004]
    assert open_volume(tmp_path / "l.ome.zarr", kind="labels").voxel_size == pytest.approx((40, 4, 4))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--ome", "0.4", "--shards"], "no shards"),
        (["--ome", "1"], "cannot be written"),
        (["--save", "probability"], "--save cannot be used here"),
        (["--table", "parquet"], "--table cannot be used here"),
    ],
)
def test_wrong_options(tmp_path: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 5, 5), np.uint8))
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / "b.ome.zarr", *words) == 2
    assert told in capsys.readouterr().err and os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.parametrize("words", [["--ome", "0.4"], ["--shards"]])
def test_what_is_for_zarr_alone_is_refused_for_tiff(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 5, 5), np.uint8))
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / "b.tif", *words) == 2
    told = capsys.readouterr().err
    assert f"{words[0]} says how OME-Zarr is written" in " ".join(told.split()) and "b.ome.zarr" in told
    assert os.listdir(tmp_path) == ["a.npy"]


def test_the_pyramid_of_many_blocks_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_zarr, "_CHUNKS", (4, 32, 64))
    labels = np.kron(np.random.default_rng(0).integers(0, 99, (5, 60, 70)), np.ones((1, 5, 5), int))
    np.save(tmp_path / "a.npy", labels)
    assert run("export", tmp_path / "a.npy", "-o", tmp_path / "a.ome.zarr") == 0
    with LabelsWriter(tmp_path / "b.ome.zarr", labels.shape, chunks=labels.shape) as writer:
        writer.write(Region.from_shape(labels.shape), labels)
    one, other = (open_volume(tmp_path / f"{name}.ome.zarr", kind="labels") for name in "ab")
    assert one.magnifications == other.magnifications and len(one.magnifications) == 2
    for m in one.magnifications:
        np.testing.assert_array_equal(one.at(m).read(one.at(m).region), other.at(m).read(other.at(m).region))
