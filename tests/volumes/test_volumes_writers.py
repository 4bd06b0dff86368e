"""Labels written by region come back the same; an output appears whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError, OutputExistsError, StorageError, VolumeError
from napari_aitrain.geometry import Region, tiles
from napari_aitrain.volumes import LabelsWriter, check_output, open_volume, read_labels, write_tiff

VOXEL = (290.0, 260.0, 261.5)


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".ome.zarr", ".zarr"])
@pytest.mark.parametrize(("max_id", "dtype"), [(255, "u1"), (256, "u2"), (65536, "i4"), (None, "i4")])
@pytest.mark.parametrize("shape", [(7, 20, 33), (1, 20, 33)])
@pytest.mark.parametrize("voxel_size", [VOXEL, None])
def test_round_trip(tmp_path: Path, ending: str, max_id: int | None, dtype: str, shape: Any, voxel_size: Any) -> None:
    labels = np.random.default_rng(0).integers(0, (max_id or 10**6) + 1, shape)
    path = tmp_path / "new folder" / f"größe 細胞{ending}"
    with LabelsWriter(path, shape, voxel_size=voxel_size, max_id=max_id) as writer:
        for tile in tiles(Region.from_shape(shape), (3, 16, 16)):
            writer.write(tile.core, labels[tile.core.slices])
        assert not path.exists()
    volume = open_volume(path, kind="labels")
    assert volume.shape == shape and volume.dtype == dtype
    assert volume.axes == ("zyx" if shape[0] > 1 else "yx")
    np.testing.assert_array_equal(read_labels(volume, volume.region), labels)
    if voxel_size is None:
        assert volume.voxel_size is None
    else:
        expected = VOXEL if shape[0] > 1 else (VOXEL[1], *VOXEL[1:])
        assert volume.voxel_size == pytest.approx(expected, rel=1e-6)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.tuples(st.integers(0, 5), st.integers(1, 5))] * 3), max_size=4), st.booleans())
def test_any_regions_in_any_order(tmp_path: Path, parts: list[Any], as_zarr: bool) -> None:
    """Voxels that are never written are 0, and a later write replaces an earlier one."""
    path = tmp_path / ("a.zarr" if as_zarr else "a.tif")
    expected = np.zeros((10, 10, 10), np.uint8)
    with LabelsWriter(path, expected.shape, max_id=9, chunks=(4, 4, 4)) as writer:
        for number, part in enumerate(parts, start=1):
            region = Region(tuple(a for a, _ in part), tuple(a + n for a, n in part))  # type: ignore[arg-type]
            expected[region.slices] = number
            writer.write(region, np.full(region.shape, number))
    volume = open_volume(path, kind="labels")
    np.testing.assert_array_equal(read_labels(volume, volume.region), expected)
    del volume
    os.rename(path, tmp_path / f"{len(list(tmp_path.iterdir()))}-{path.name}")


def test_a_thin_volume_may_stay_3d(tmp_path: Path) -> None:
    for name in ("a.tif", "a.zarr"):
        with LabelsWriter(tmp_path / name, (1, 20, 30), axes="zyx"):
            pass
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["0"].shape == (1, 20, 30)
    with pytest.raises(ConfigError, match="2 sections"):
        LabelsWriter(tmp_path / "b.tif", (2, 20, 30), axes="yx")


def test_imagej_and_ome_metadata(tmp_path: Path) -> None:
    for name, max_id in (("small.tif", 9), ("wide.tif", None)):
        with LabelsWriter(tmp_path / name, (3, 20, 30), voxel_size=VOXEL, max_id=max_id):
            pass
    with tifffile.TiffFile(tmp_path / "small.tif") as file:
        assert file.is_imagej and file.imagej_metadata["unit"] == "nm" and file.imagej_metadata["spacing"] == 290
    with tifffile.TiffFile(tmp_path / "wide.tif") as file:
        assert file.is_ome and 'PhysicalSizeZ="290.0"' in file.ome_metadata


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_tiff, "CLASSIC_LIMIT", 1000)
    with LabelsWriter(tmp_path / "a.tif", (3, 20, 30), max_id=9, voxel_size=VOXEL) as writer:
        writer.write(Region((2, 0, 0), (3, 20, 30)), np.full((1, 20, 30), 5))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
    volume = open_volume(tmp_path / "a.tif", kind="labels")
    assert volume.voxel_size == pytest.approx(VOXEL) and read_labels(volume, volume.region)[2].min() == 5


def test_zarr_is_valid_ome_zarr(tmp_path: Path) -> None:
    from ome_zarr_models.v05.image_label import ImageLabel

    with LabelsWriter(tmp_path / "a.ome.zarr", (3, 20, 30), voxel_size=VOXEL, chunks=(2, 8, 8)):
        pass
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    image = ImageLabel.from_zarr(group)
    assert [axis.unit for axis in image.ome_attributes.multiscales[0].axes] == ["nanometer"] * 3
    assert group["0"].chunks == (2, 8, 8)


@pytest.mark.parametrize("name", ["a.png", "a", "a.tif.gz", "tif"])
def test_unknown_endings(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be written to") as caught:
        LabelsWriter(tmp_path / name, (1, 4, 4))
    assert ".ome.zarr" in caught.value.expected


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_existing_outputs_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputExistsError):
        check_output(tmp_path / name)
    with pytest.raises(OutputExistsError):
        LabelsWriter(tmp_path / name, (1, 4, 4))
    (tmp_path / name).unlink()
    with pytest.raises(OutputExistsError), LabelsWriter(tmp_path / name, (1, 4, 4)):
        (tmp_path / name).write_text("came meanwhile")
    assert (tmp_path / name).read_text() == "came meanwhile"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_nothing_is_left_after_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyError), LabelsWriter(tmp_path / name, (2, 4, 4)) as writer:
        writer.write(Region((0, 0, 0), (1, 4, 4)), np.ones((1, 4, 4), int))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("region", "labels", "words"),
    [
        (Region((0, 0, 0), (1, 4, 4)), np.ones((4, 4), int), "do not fit"),
        (Region((1, 0, 0), (3, 4, 4)), None, "do not fit"),
        (Region((0, 0, 0), (1, 4, 4)), np.full((1, 4, 4), 256), "id 256"),
        (Region((0, 0, 0), (1, 4, 4)), None, "id -1"),
    ],
)
def test_wrong_writes(tmp_path: Path, region: Region, labels: Any, words: str) -> None:
    labels = np.full(region.shape, -1) if labels is None else labels
    with pytest.raises(VolumeError, match=words), LabelsWriter(tmp_path / "a.tif", (2, 4, 4), max_id=9) as writer:
        writer.write(region, labels)


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int, words: str) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    with pytest.raises(StorageError, match=words), LabelsWriter(tmp_path / name, (2, 4, 4)) as writer:
        writer.write(Region((0, 0, 0), (1, 4, 4)), np.ones((1, 4, 4), int))
        monkeypatch.setattr(os, "fsync", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_fit_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="disk is full"), LabelsWriter(tmp_path / "a.tif", (10**6, 10**6, 10**3)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_parent_that_is_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError), LabelsWriter(tmp_path / "file" / name, (1, 4, 4)):
        pass
    assert (tmp_path / "file").read_text() == "mine"
