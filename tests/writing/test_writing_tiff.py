"""TIFF: compressed, staged on disk when large, in tiles when a section is huge, ImageJ or OME metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.geometry import Region, tiles
from napari_aitrain.volumes import LabelsWriter, open_volume, read_labels, write_tiff

VOXEL = (290.0, 260.0, 261.5)


def write(path: Path, labels: Any, most: int) -> None:
    with LabelsWriter(path, labels.shape, voxel_size=VOXEL, max_id=most) as writer:
        for tile in tiles(Region.from_shape(labels.shape), (5, 300, 300)):
            writer.write(tile.core, labels[tile.core.slices])


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize(("most", "big"), [(200, False), (200, True), (70_000, False)])
@pytest.mark.parametrize("depth", [1, 7])
def test_every_way_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, staged: bool, tiled: bool, big: bool, most: int, depth: int
) -> None:
    for name, small in (("IN_MEMORY", staged), ("PAGE_LIMIT", tiled), ("CLASSIC_LIMIT", big)):
        if small:
            monkeypatch.setattr(write_tiff, name, 1000)
    labels = np.kron(np.random.default_rng(0).integers(0, most, (depth, 12, 14)), np.ones((1, 45, 40), int))
    path = tmp_path / "größe 細胞.tif"
    write(path, labels, most)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    volume = open_volume(path, kind="labels")
    np.testing.assert_array_equal(read_labels(volume, volume.region), labels)
    assert volume.voxel_size == pytest.approx(VOXEL if depth > 1 else (VOXEL[1], *VOXEL[1:]), rel=1e-6)
    assert path.stat().st_size < labels.size * volume.dtype.itemsize / 4
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff == big
        assert file.is_imagej == (most == 200 and not tiled and not big) and file.is_ome == (not file.is_imagej)
        page = file.pages.first
        assert page.is_tiled == tiled and page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    # Read by another reader, as a whole.
    np.testing.assert_array_equal(tifffile.imread(path).reshape(labels.shape), labels)


def test_sections_are_read_alone(tmp_path: Path) -> None:
    labels = np.zeros((30, 64, 64), np.uint8)
    labels[17] = 3
    write(tmp_path / "a.tif", labels, 3)
    volume = open_volume(tmp_path / "a.tif", kind="labels")
    np.testing.assert_array_equal(read_labels(volume, Region.from_shape((2, 10, 10), (16, 5, 5)))[:, 0, 0], [0, 3])
