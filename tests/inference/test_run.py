"""From model and image to files: thresholds without the network, nothing written over, folders."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from blockwise import run_stages

from napari_aitrain.errors import ConfigError, OutputExistsError, StorageError, VolumeError
from napari_aitrain.inference import PredictionCancelledError, StoredPrediction, export, predict
from napari_aitrain.inference import run as run_module
from napari_aitrain.inference.store import write_info
from napari_aitrain.models import Model
from napari_aitrain.volumes import open_volume
from napari_aitrain.volumes.labels import read_labels

MakeModel = Callable[..., Model]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Bild ü.tif"
    tifffile.imwrite(path, np.random.default_rng(0).gamma(2, 50, (90, 110)).astype(np.uint16))
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("the network was asked for")

        monkeypatch.setattr(run_module, "make_network", refuse)

    return forbid


def labels_of(path: Path) -> np.ndarray:
    volume = open_volume(path, kind="labels")
    return read_labels(volume, volume.region)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def scored(blobs: Callable[..., Any], perfect_stages: Callable[..., Any], tmp_path: Path) -> StoredPrediction:
    """Return a finished prediction of a few objects with known scores."""
    truth = blobs((4, 60, 70), 6, 9.0, 3, gap=6)
    maps = np.stack([(truth > 0) * 255, (truth > 0) * 255, truth * 0]).astype(np.uint8)
    maps[0][truth == 2] = 140
    stages = perfect_stages(tmp_path / "stored", maps, "instances", 3, (4, 64, 96), (2, 2, 2))
    run_stages(stages)
    info = stages.info.model_copy(update={"finished": True, "voxel_size": (40.0, 8.0, 8.0)})
    write_info(stages.store, info)
    return StoredPrediction.open(stages.store)


@pytest.mark.parametrize("name", ["out.tif", "out.ome.zarr"])
def test_export_and_a_new_threshold(scored: StoredPrediction, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    table = export(scored, out, 0.0)
    every = labels_of(out)
    np.testing.assert_array_equal(every, scored.labels(threshold=0.0))
    assert open_volume(out, kind="labels").voxel_size == pytest.approx((40, 8, 8))
    rows = rows_of(table)
    assert table == tmp_path / f"{name}.scores.csv" and len(rows) == len(scored.objects) >= 3
    for row in rows:
        where = np.argwhere(every == int(row["id"]))
        assert int(row["size"]) == len(where)
        assert [float(row[f"centroid_{a}"]) for a in "zyx"] == pytest.approx(where.mean(axis=0), abs=0.01)
    middle = float(scored.scores[1:].min() + scored.scores[1:].max()) / 2
    export(StoredPrediction.open(scored.folder), out, middle)
    kept = {int(row["id"]) for row in rows_of(table)}
    assert 0 < len(kept) < len(rows)
    np.testing.assert_array_equal(labels_of(out), np.where(np.isin(every, list(kept)), every, 0))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith((".", "out"))) == [name, table.name]


@pytest.mark.parametrize("name", ["out.tif", "out.ome.zarr"])
def test_an_output_that_was_changed_is_not_replaced(scored: StoredPrediction, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    export(scored, out, 0.0)
    changed = out / "0" / "zarr.json" if out.is_dir() else out
    with open(changed, "ab") as file:
        file.write(b" ")
    before = changed.read_bytes()
    with pytest.raises(OutputExistsError, match="not as this prediction left it"):
        export(StoredPrediction.open(scored.folder), out, 0.5)
    assert changed.read_bytes() == before


def test_a_threshold_must_be_one(scored: StoredPrediction, tmp_path: Path) -> None:
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="threshold"):
            export(scored, tmp_path / "out.tif", wrong)
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_a_new_threshold_does_not_run_the_network(
    make_model: MakeModel, picture: Path, tmp_path: Path, no_network: Callable[[], None], task: str
) -> None:
    model = make_model(task, 2)
    (first,) = predict(model.folder, picture, tmp_path / "out.tif", device="cpu")
    assert first.network_ran and first.store == tmp_path / "out.tif.prediction"
    no_network()
    (again,) = predict(model.folder, picture, tmp_path / "out.tif", threshold=0.9, device="cpu")
    (other,) = predict(model.folder, picture, tmp_path / "other.ome.zarr", threshold=0.9, device="cpu")
    assert not again.network_ran and not other.network_ran and other.store == first.store
    np.testing.assert_array_equal(labels_of(again.out), labels_of(other.out))
    np.testing.assert_array_equal(labels_of(again.out), StoredPrediction.open(first.store).labels(threshold=0.9))
    assert rows_of(again.scores) == rows_of(other.scores)
    with pytest.raises(AssertionError, match="asked for"):
        predict(make_model(task, 2, seed=3).folder, picture, tmp_path / "new.tif", threshold=0.9)


def test_nothing_is_written_over(make_model: MakeModel, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    out.write_text("mine")
    for threshold in (None, 0.5):
        with pytest.raises(OutputExistsError):
            predict(make_model("semantic", 2, name=f"m{threshold}").folder, picture, out, threshold=threshold)
    assert out.read_text() == "mine" and not (tmp_path / "out.tif.prediction").exists()


def test_interrupted_then_resumed(make_model: MakeModel, picture: Path, tmp_path: Path) -> None:
    model, out = make_model("instances", 2, seed=2), tmp_path / "out.tif"
    with pytest.raises(PredictionCancelledError):
        predict(model.folder, picture, out, cancelled=lambda: True)
    assert not out.exists()
    with pytest.raises(OutputExistsError, match="--resume"):
        predict(model.folder, picture, out)
    assert predict(model.folder, picture, out, resume=True)[0].network_ran
    assert not predict(model.folder, picture, out, resume=True)[0].network_ran


def test_a_folder_of_images(make_model: MakeModel, picture: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.tif", "b.tif", "b.npy"):
        values = np.random.default_rng(len(name)).integers(0, 255, (40, 50)).astype(np.uint8)
        np.save(images / name, values) if name.endswith("npy") else tifffile.imwrite(images / name, values)
    (images / "notes.txt").write_text("no image")
    model = make_model("semantic", 2)
    found = predict(model.folder, images, tmp_path / "out")
    assert [p.out.name for p in found] == ["a.tif", "b.npy.tif", "b.tif.tif"]
    assert all(labels_of(p.out).shape == (1, 40, 50) for p in found)
    with pytest.raises(OutputExistsError):
        predict(model.folder, images, tmp_path / "out")
    with pytest.raises(ConfigError, match="one file"):
        predict(model.folder, images, tmp_path / "out.tif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(VolumeError, match="no image"):
        predict(model.folder, tmp_path / "empty", tmp_path / "out")


def test_no_object_is_not_a_class_map(make_model: MakeModel, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((64, 64), 7, np.uint8))
    (found,) = predict(
        make_model("instances", 2, seed=2).folder, tmp_path / "flat.tif", tmp_path / "o.tif", threshold=1.0
    )
    assert found.objects == 0
    (found,) = predict(make_model("semantic", 2).folder, tmp_path / "flat.tif", tmp_path / "c.tif")
    assert found.objects is None


def test_an_output_folder_that_cannot_be_made(make_model: MakeModel, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="could not be written"):
        predict(make_model("semantic", 2).folder, picture, tmp_path / "file" / "deep" / "o.tif")
    assert (tmp_path / "file").read_text() == "mine"
