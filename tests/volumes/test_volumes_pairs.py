"""Images and labels pair by name, whatever words people put around it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import zarr

from napari_aitrain.errors import VolumeError
from napari_aitrain.volumes import match_files, pair_files


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def names(images: Path, labels: Path) -> list[tuple[str, str]]:
    return [(pair.image.name, pair.labels.name) for pair in pair_files(images, labels)]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("{}.tif", "{}.tif"),
        ("image_{}.tif", "labels_{}.png"),
        ("{}_img.tif", "{}_masks.tif"),
        ("{}.tif", "{}_cp_masks.png"),
        ("IMG-{}.jpg", "{}.Label.tif"),
        ("raw {}.tif", "ground truth {}.tif"),
        ("exp7_ch0_{}.tif", "exp7_ch0_{}_seg.tif"),
        ("plate_{}.ome.tif", "annotation of {}.npy"),
    ],
)
def test_words_around_the_name(tmp_path: Path, image: str, label: str) -> None:
    keys = ["a1", "a2", "b1 größe", "1", "10"]
    images = make(tmp_path / "i", *(image.format(key) for key in keys))
    labels = make(tmp_path / "l", *(label.format(key) for key in keys))
    assert sorted(names(images, labels)) == sorted((image.format(key), label.format(key)) for key in keys)


def test_one_folder_for_both(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", "image_1.tif", "labels_painted_1.tif", "image_2.tif", "labels_painted_2.tif")
    assert names(folder, folder) == [
        ("image_1.tif", "labels_painted_1.tif"),
        ("image_2.tif", "labels_painted_2.tif"),
    ]


def test_single_files_pair_as_they_are(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "b.npz")
    (pair,) = pair_files(tmp_path / "a.tif", f"{tmp_path / 'b.npz'}:labels")
    assert (pair.image.name, pair.labels.name, pair.name) == ("a.tif", "b.npz:labels", "a")


def test_single_files_in_folders_pair_whatever_their_names(tmp_path: Path) -> None:
    assert names(make(tmp_path / "i", "x.tif"), make(tmp_path / "l", "y.tif")) == [("x.tif", "y.tif")]


def test_zarr_folders_count_as_files(tmp_path: Path) -> None:
    for place in ("i/a.ome.zarr", "l/a_labels.zarr", "i/b.ome.zarr", "l/b_labels.zarr"):
        zarr.create_group(tmp_path / place)
    assert names(tmp_path / "i", tmp_path / "l") == [
        ("a.ome.zarr", "a_labels.zarr"),
        ("b.ome.zarr", "b_labels.zarr"),
    ]


def test_strays_are_reported_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = make(tmp_path / "i", "a.tif", "b.tif", "alone.tif", "notes.txt", ".DS_Store", "Thumbs.db")
    labels = make(tmp_path / "l", "a.tif", "b.tif", "other.tif", "third.tif")
    found = match_files(images, labels)
    assert [pair.name for pair in found.pairs] == ["a", "b"]
    assert [path.name for path in found.images_alone] == ["alone.tif"]
    assert [path.name for path in found.labels_alone] == ["other.tif", "third.tif"]
    assert [path.name for path in found.ignored] == ["Thumbs.db", "notes.txt"]
    with caplog.at_level(logging.WARNING):
        assert pair_files(images, labels) == found.pairs
    assert "alone.tif" in caplog.text and "other.tif" in caplog.text and "notes.txt" in caplog.text


def test_two_files_for_one_name_are_an_error(tmp_path: Path) -> None:
    images = make(tmp_path / "i", "a.tif", "a.png", "b.tif")
    with pytest.raises(VolumeError, match=r"a\.png, a\.tif .* same file"):
        pair_files(images, make(tmp_path / "l", "a.tif", "b.tif"))


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ("i", "a.tif", "counterpart is a folder"),
        ("i", "empty", "holds no images"),
        ("gone", "i", "does not exist"),
        ("i", "l", "no image of"),
    ],
)
def test_nothing_to_pair(tmp_path: Path, images: str, labels: str, words: str) -> None:
    make(tmp_path / "i", "a.tif", "b.tif")
    make(tmp_path / "l", "x.tif", "y.tif", "z.tif")
    make(tmp_path / "empty", "notes.txt")
    make(tmp_path, "a.tif")
    with pytest.raises(VolumeError, match=words) as caught:
        pair_files(tmp_path / images, tmp_path / labels)
    assert caught.value.remedy
