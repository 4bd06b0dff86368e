"""Axes from the file, from the person, or guessed; lengths in nanometres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_aitrain.errors import ConfigError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.axes import Layout, guess_axes, resolve_layout
from napari_aitrain.volumes.opened import magnification_of
from napari_aitrain.volumes.opening import settle_axes
from napari_aitrain.volumes.units import nanometres_per, voxel_size_of


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((9, 8), "image", "yx"),
        ((5, 64, 64), "image", "zyx"),
        ((4, 64, 64), "image", "cyx"),
        ((4, 31, 64), "image", "zyx"),
        ((1, 64, 64), "image", "zyx"),
        ((3, 64, 64), "labels", "zyx"),
        ((64, 64, 3), "image", "yxc"),
        ((64, 64, 3), "labels", "zyx"),
        ((64, 64, 2), "image", "zyx"),
        ((2, 30, 64, 64), "image", "czyx"),
        ((30, 2, 64, 64), "image", "zcyx"),
        ((30, 64, 64, 3), "image", "zyxc"),
    ],
)
def test_guess_from_shape(shape: tuple[int, ...], kind: str, expected: str) -> None:
    assert guess_axes(shape, kind) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(7,), (20, 30, 64, 64), (2, 2, 2, 64, 64)])
def test_unclear_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(VolumeError, match="axes of the array") as caught:
        guess_axes(shape, "image")
    assert "axes:" in caught.value.remedy


def test_stack_of_three_images_has_no_channels() -> None:
    assert guess_axes((3, 260, 347), "image", stack=True) == "zyx"


def test_person_overrules_file_and_may_leave_out_thin_axes() -> None:
    layout = resolve_layout((1, 5, 1, 8, 9), "tczyx", "zyx", "image")
    assert layout.used == "zyx" and layout.extent((1, 5, 1, 8, 9), "z") == 5
    assert not layout.guessed and resolve_layout((8, 9), None, None, "image").guessed


def test_other_axes_need_an_index() -> None:
    with pytest.raises(VolumeError, match="7 entries along its axis 't'") as caught:
        resolve_layout((7, 8, 9), "tyx", None, "image")
    assert 'at={"t": 0}' in caught.value.remedy and "zyx" in caught.value.remedy
    assert resolve_layout((7, 8, 9), "tyx", None, "image", at={"t": -1}).fixed == {"t": 6}
    with pytest.raises(VolumeError, match="no number 7"):
        resolve_layout((7, 8, 9), "tyx", None, "image", at={"t": 7})


@pytest.mark.parametrize("asked", ["xx", "zy", "yzc"])
def test_unusable_names_are_refused(asked: str) -> None:
    with pytest.raises(VolumeError, match="cannot be used"):
        resolve_layout((8, 9, 10)[: len(asked)], None, asked, "image")


def test_names_must_fit_the_shape() -> None:
    with pytest.raises(VolumeError, match="name 2 axes"):
        resolve_layout((8, 9, 10), None, "yx", "image")


def test_labels_with_channels_are_refused_with_both_remedies() -> None:
    with pytest.raises(VolumeError, match="3 channels") as caught:
        resolve_layout((3, 8, 9), "cyx", None, "labels")
    assert 'at={"c": 0}' in caught.value.remedy and "zyx" in caught.value.remedy
    assert resolve_layout((3, 8, 9), "cyx", None, "labels", at={"c": 1}) == Layout("cyx", {"c": 1})


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("nm", 1),
        ("µm", 1000.0),
        ("μm", 1000.0),
        ("\\u00B5m", 1000.0),
        ("micron", 1000.0),
        ("Microns", 1000.0),
        ("mm", 1000000.0),
        ("angstrom", 0.1),
        ("nanometer", 1),
        ("micrometre", 1000.0),
        ("pixel", None),
        ("", None),
        (None, None),
    ],
)
def test_units(unit: object, expected: float | None) -> None:
    assert nanometres_per(unit) == expected


def test_voxel_size_is_whole_or_unknown() -> None:
    assert voxel_size_of({"z": 3.0, "y": 2.0, "x": 1.0}) == (3, 2, 1)
    assert voxel_size_of({"y": 2.0, "x": 1.0}) == (2, 2, 1)
    assert voxel_size_of({"z": None, "y": 2.0, "x": 1.0}) is None
    assert voxel_size_of({"y": 0.0, "x": 1.0}) is None
    assert voxel_size_of({"y": float("nan"), "x": 1.0}) is None


def test_magnification_of_near_whole_ratios() -> None:
    assert magnification_of((50, 4, 4), (50, 8.01, 7.99)) == (1, 2, 2)
    assert magnification_of((1, 1, 1), (1, 1.5, 1.5)) is None
    assert magnification_of((2, 2, 2), (1, 1, 1)) is None


def test_channels_by_name_and_number() -> None:
    array = np.arange(3)[:, None, None] * np.ones((3, 40, 40), int)
    volume = Volume.from_array(array, axes="cyx", channels=["DAPI", "1", "DAPI"])
    assert [int(v) for v in volume.select([2, 0]).read(Region((0, 0, 0), (1, 1, 1))).ravel()] == [2, 0]
    assert volume.select(["1"]).channel_indices == (1,)
    assert volume.select([2, 1]).select([1]).channel_indices == (1,)
    assert volume.select(None) is volume
    for wrong in ("GFP", 3, -1, "DAPI", "7"):
        with pytest.raises(ConfigError, match="no channel") as caught:
            volume.select([wrong])
        assert "0 (DAPI)" in caught.value.remedy
    with pytest.raises(ConfigError, match="no channel of array is chosen"):
        volume.select([])


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "U3"])
def test_types_without_intensity_are_refused(dtype: str) -> None:
    with pytest.raises(VolumeError, match="holds values of type"):
        Volume.from_array(np.zeros((8, 8), dtype))


def test_no_voxels() -> None:
    with pytest.raises(VolumeError, match="holds no voxels"):
        Volume.from_array(np.zeros((0, 8)))


def test_few_sections_are_no_channels_once_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "thin.npy"
    np.save(path, np.zeros((3, 64, 64), np.uint8))
    guessed = open_volume(path)
    assert len(guessed.channels) == 3
    settled = settle_axes(guessed, lambda v: len(v.channels) == 1, lambda axes: open_volume(path, axes=axes))
    assert settled.shape == (3, 64, 64)
    assert settle_axes(guessed, lambda v: v.shape == (9, 9, 9), lambda axes: open_volume(path, axes=axes)) is guessed
    said = open_volume(path, axes="cyx")
    assert settle_axes(said, lambda v: False, lambda axes: open_volume(path, axes=axes)) is said


@pytest.mark.parametrize("sections", [3, 4, 5])
def test_a_tiff_of_few_sections_that_calls_them_colours_can_be_ground_truth(tmp_path: Path, sections: int) -> None:
    labels = np.arange(sections * 64 * 64, dtype=np.uint16).reshape(sections, 64, 64) % 3
    tifffile.imwrite(tmp_path / "l.tif", labels, photometric="rgb" if sections < 5 else "minisblack")
    volume = open_volume(tmp_path / "l.tif", kind="labels")
    assert volume.shape == labels.shape
    assert np.array_equal(volume.read(volume.region)[0], labels)
