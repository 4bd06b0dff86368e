"""Labels are whole numbers from 0; images are finite and vary; the two belong together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_aitrain.errors import GroundTruthError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import (
    Volume,
    check_image_values,
    check_not_swapped,
    explain_shape_mismatch,
    looks_swapped,
    open_volume,
    read_labels,
)

DATA = Path(os.environ.get("AITRAIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def labels_of(array: npt.NDArray[Any]) -> Volume:
    return Volume.from_array(array, kind="labels", axes="zyx"[-array.ndim :], name="my labels")


@pytest.mark.parametrize("dtype", ["u1", "i1", ">u2", "i4", ">u4", "i8", "u8", "bool"])
def test_labels_come_as_int32_with_the_same_ids(dtype: str) -> None:
    array = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    got = read_labels(labels_of(array), Region((1, 0, 0), (3, 4, 5)))
    assert got.dtype == np.int32 and got.shape == (2, 4, 5)
    np.testing.assert_array_equal(got, array[1:])


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (-1, "i2", "negative"),
        (2**31, "u4", "above 2,147,483,647"),
        (2**63, "u8", "above"),
        (0.5, "f4", "whole number"),
        (np.nan, "f8", "whole number"),
        (np.inf, "f2", "whole number"),
    ],
)
def test_wrong_labels_are_named_with_their_place(value: float, dtype: str, words: str) -> None:
    array = np.zeros((3, 40, 50), dtype)
    array[2, 30, 41] = value
    with pytest.raises(GroundTruthError, match=words) as caught:
        read_labels(labels_of(array), Region((1, 10, 20), (3, 40, 50)))
    assert "x 41, y 30, z 2" in caught.value.what and "my labels has 1 label that is" in caught.value.what
    assert caught.value.remedy
    assert read_labels(labels_of(array), Region((0, 0, 0), (2, 40, 50))).max() == 0


def test_largest_id_is_kept() -> None:
    assert read_labels(labels_of(np.full((2, 2), 2**31 - 1, "u4")), Region((0, 0, 0), (1, 1, 1))).item() == 2**31 - 1


@pytest.mark.parametrize(("offset", "words"), [(0.0, "astype"), (0.25, "swapped")])
def test_float_labels_are_refused_when_opened(tmp_path: Path, offset: float, words: str) -> None:
    np.save(tmp_path / "a.npy", np.ones((20, 20), np.float32) + offset)
    with pytest.raises(GroundTruthError, match="floating-point") as caught:
        open_volume(tmp_path / "a.npy", kind="labels")
    assert words in caught.value.remedy


def test_negative_labels_are_refused_when_opened(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((20, 20), -3, np.int16))
    with pytest.raises(GroundTruthError, match="negative"):
        open_volume(tmp_path / "a.tif", kind="labels")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_voxels_are_errors(value: float) -> None:
    array = np.random.default_rng(0).random((3, 40, 50)).astype(np.float32)
    array[1, 30, 20] = value
    volume = Volume.from_array(array, name="raw", axes="zyx")
    (finding,) = check_image_values(volume, [volume.region])
    assert (finding.level, finding.code) == ("error", "image-not-finite")
    assert "x 20, y 30, z 1" in finding.message and "raw" in finding.message
    assert check_image_values(volume, [Region((0, 0, 0), (1, 40, 50))]) == []


def test_constant_images_are_errors_per_channel() -> None:
    array = np.random.default_rng(0).integers(0, 9, (2, 40, 50))
    array[1] = 7
    volume = Volume.from_array(array, axes="cyx", channels=["DAPI", "GFP"])
    (finding,) = check_image_values(volume, [volume.region])
    assert (finding.level, finding.code) == ("error", "image-constant") and "GFP" in finding.message
    assert check_image_values(volume.select(["DAPI"]), [volume.region]) == []


class CountingArray:
    """An array that counts the voxels read of it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype, self.read = shape, np.dtype("u1"), 0

    def __getitem__(self, key: Any) -> Any:
        part = np.broadcast_to(np.arange(self.shape[-1]).astype("u1"), self.shape)[key]
        self.read += part.size
        return part


def test_a_huge_image_is_looked_at_for_a_bounded_cost() -> None:
    array = CountingArray((5000, 5000, 5000))
    volume = Volume.from_array(array)
    assert check_image_values(volume, [volume.region], max_voxels=300_000) == []
    assert 100_000 < array.read <= 300_000


def blobs() -> npt.NDArray[np.uint16]:
    y, x = np.mgrid[:90, :120]
    inside = ((y % 30 - 15) ** 2 + (x % 30 - 15) ** 2) < 100
    return np.where(inside, (y // 30) * 4 + x // 30 + 1, 0).astype(np.uint16)


def image_of(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 40, labels.shape)
    return (noise + 100 * (labels > 0)).astype(np.uint8)


def test_swapped_files_are_guessed() -> None:
    image, labels = image_of(blobs()), blobs()
    check_not_swapped(Volume.from_array(image), labels_of(labels))
    with pytest.raises(GroundTruthError, match="looks like labels") as caught:
        check_not_swapped(Volume.from_array(labels), labels_of(image))
    assert "swap" in caught.value.remedy
    assert "swap" in explain_shape_mismatch(Volume.from_array(labels), labels_of(image[:50])).remedy
    assert not looks_swapped(Volume.from_array(image), labels_of(np.zeros_like(labels)))
    assert not looks_swapped(Volume.from_array(np.zeros_like(image)), labels_of(labels))


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("cells-membrane2d/image_maize_clsm.tif", "cells-membrane2d/labels_auto_maize_clsm.tif"),
        ("nuclei-dsb2018/360x360.npz:images", "nuclei-dsb2018/360x360.npz:labels"),
        ("nuclei-bbbc007-painted/image_A9_p7d.tif", "nuclei-bbbc007-painted/labels_painted_A9_p7d.tif"),
        ("em-membranes-isbi2012/image.tif", "em-membranes-isbi2012/labels_cell255_membrane0.tif"),
        ("nuclei3d-plantseg/image_nuclei_1135.tif", "nuclei3d-plantseg/labels_nuclei_1135.tif"),
    ],
)
def test_swapped_files_are_guessed_on_real_data(image: str, labels: str) -> None:
    if not DATA.is_dir():
        pytest.skip(f"real data is not at {DATA}; set AITRAIN_DATA")
    assert not looks_swapped(open_volume(DATA / image), open_volume(DATA / labels, kind="labels"))
    assert looks_swapped(open_volume(DATA / labels), open_volume(DATA / image, kind="labels"))


@pytest.mark.parametrize(
    ("image", "labels", "words"),
    [
        ((20, 90, 120), (120, 90, 20), "numpy.transpose(labels, (2, 1, 0))"),
        ((20, 90, 120), (20, 120, 90), "numpy.transpose(labels, (0, 2, 1))"),
        ((20, 90, 121), (20, 45, 61), "magnification 2-2-1"),
        ((20, 90, 121), (20, 45, 60), "magnification 2-2-1"),
        ((20, 45, 61), (20, 90, 121), "smaller copy, at magnification 2-2-1"),
        ((20, 90, 120), (1, 90, 120), "every section"),
        ((20, 90, 120), (20, 91, 133), "belong together"),
    ],
)
def test_mismatch_is_explained(image: tuple[int, ...], labels: tuple[int, ...], words: str) -> None:
    noise = np.random.default_rng(0).integers(0, 99, image).astype("u1")
    problem = explain_shape_mismatch(Volume.from_array(noise, axes="zyx"), labels_of(np.zeros(labels, "u1")))
    assert isinstance(problem, GroundTruthError) and words in problem.remedy
    assert f"{image[2]}×{image[1]}×{image[0]}" in problem.what


def test_sections_taken_for_channels_are_explained() -> None:
    noise = np.random.default_rng(0).integers(0, 99, (3, 90, 120)).astype("u1")
    problem = explain_shape_mismatch(Volume.from_array(noise), labels_of(np.zeros((3, 90, 120), "u1")))
    assert "set axes to zyx" in problem.remedy
