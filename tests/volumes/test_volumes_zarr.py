"""Zarr v2 and v3, OME-Zarr 0.1 to 0.5, and zarrs that are damaged or incomplete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Volume, check_image_values, missing_chunks, open_volume

SPACE = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]


def ramp(shape: tuple[int, ...], dtype: str = "<u2") -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)) % 120).reshape(shape).astype(dtype)


def whole(volume: Volume) -> npt.NDArray[Any]:
    return volume.read(volume.region)


def ome_image(path: Path, version: str, axes: list[dict[str, str]] | None = None, **extra: Any) -> npt.NDArray[Any]:
    """Write a two-level image with axes czyx, and return its finest level."""
    array = ramp((2, 6, 16, 20))
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    axes = axes or [{"name": "c", "type": "channel"}, *SPACE]
    datasets = []
    for name, step in (("0", 1), ("1", 2)):
        level = array[:, :, ::step, ::step]
        group.create_array(name, data=level, chunks=(1, 2, 8, 8))
        scale = [1.0, 0.05, 0.004 * step, 0.004 * step]
        datasets.append({"path": name, "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    omero = {"channels": [{"label": "nuclei"}, {"label": "membrane"}]}
    ome = {"multiscales": [{"version": version, "axes": axes, "datasets": datasets}], "omero": omero, **extra}
    group.attrs.update({"ome": {"version": "0.5", **ome}} if version == "0.5" else ome)
    return array


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "dtype", [f"{o}{k}" for k in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"] for o in "<>"]
)
def test_array_types(tmp_path: Path, zarr_format: Any, dtype: str) -> None:
    array, path = ramp((6, 20, 30), dtype), tmp_path / "größe 細胞.zarr"
    zarr.create_array(path, data=array, chunks=(2, 8, 8), zarr_format=zarr_format)
    got = whole(open_volume(path))
    assert got.dtype == array.dtype.newbyteorder("=") and got.dtype.isnative
    np.testing.assert_array_equal(got[0], array)


def test_array_names_its_axes(tmp_path: Path) -> None:
    array = ramp((3, 4, 20, 30))
    zarr.create_array(tmp_path / "a.zarr", data=array, dimension_names=["z", "c", "y", "x"])
    assert open_volume(tmp_path / "a.zarr").axes == "zcyx"
    old = zarr.create_array(tmp_path / "b.zarr", data=array, zarr_format=2)
    old.attrs["_ARRAY_DIMENSIONS"] = ["z", "c", "y", "x"]
    assert open_volume(tmp_path / "b.zarr").axes == "zcyx"


def test_shards(tmp_path: Path) -> None:
    array = ramp((8, 16, 16))
    zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(2, 8, 8), shards=(4, 16, 16))
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "a.zarr"))[0], array)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a b.ome.zarr"
    array = ome_image(path, version)
    volume = open_volume(path)
    assert volume.axes == "czyx" and volume.channels == ("nuclei", "membrane")
    assert volume.voxel_size == pytest.approx((50, 4, 4))
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2))
    np.testing.assert_array_equal(whole(volume), array)
    coarse = open_volume(path, channels=["membrane"]).at((1, 2, 2))
    np.testing.assert_array_equal(whole(coarse)[0], array[1, :, ::2, ::2])
    level = open_volume(path / "1")
    assert level.axes == "czyx" and level.voxel_size == pytest.approx((50, 8, 8))
    np.testing.assert_array_equal(whole(level), array[:, :, ::2, ::2])


def test_older_ome_zarr_lists_names_of_axes_only(tmp_path: Path) -> None:
    ome_image(tmp_path / "a.zarr", "0.3", axes=["c", "z", "y", "x"])  # type: ignore[arg-type, list-item]
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.axes == "czyx" and volume.voxel_size is None


def test_axes_of_space_may_have_other_names(tmp_path: Path) -> None:
    named = [{"name": "channel", "type": "channel"}]
    named += [{"name": n, "type": "space", "unit": "nanometer"} for n in ("depth", "height", "width")]
    ome_image(tmp_path / "a.zarr", "0.5", axes=named)
    assert open_volume(tmp_path / "a.zarr").axes == "czyx"


def test_labels_of_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    ome_image(path, "0.5")
    labels = ramp((6, 16, 20), "u2") % 7
    zarr.create_group(path / "labels", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    zarr.create_array(path / "labels" / "cells", data=labels)
    for asked in (path, path / "labels" / "cells"):
        np.testing.assert_array_equal(whole(open_volume(asked, kind="labels"))[0], labels)
    zarr.create_array(path / "labels" / "nuclei", data=labels)
    with pytest.raises(VolumeError, match="not clear which") as caught:
        open_volume(path, kind="labels")
    assert "cells, nuclei" in caught.value.expected and "cells" in caught.value.remedy


def test_plain_group(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("raw", data=ramp((6, 16, 20)))
    assert open_volume(tmp_path / "a.zarr").shape == (6, 16, 20)
    group.create_array("labels", data=ramp((6, 16, 20), "u1") % 3)
    assert whole(open_volume(tmp_path / "a.zarr", kind="labels")).max() == 2
    assert whole(open_volume(tmp_path / "a.zarr")).max() == 119


def test_bioformats_layout_and_plates(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_group("OME")
    group.attrs["bioformats2raw.layout"] = 3
    array = ome_image(tmp_path / "a.zarr" / "0", "0.4")
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "a.zarr")), array)
    zarr.create_group(tmp_path / "b.zarr", attributes={"ome": {"plate": {"wells": []}}})
    with pytest.raises(VolumeError, match="plate of many images"):
        open_volume(tmp_path / "b.zarr")


@pytest.mark.parametrize("name", ["zarr.json", "0/zarr.json"])
@pytest.mark.parametrize("content", ["", "{", "{}", '{"zarr_format": 3, "node_type": "array"}'])
def test_damaged_metadata(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / "a.zarr"
    ome_image(path, "0.5")
    (path / name).write_text(content)
    with pytest.raises(VolumeError) as caught:
        open_volume(path)
    assert "a.zarr" in caught.value.what and caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"multiscales": []},
        {"multiscales": [{"axes": SPACE}]},
        {"multiscales": [{"axes": SPACE, "datasets": []}]},
        {"multiscales": [{"axes": SPACE, "datasets": [{"path": "0"}]}]},
        {"multiscales": [{"axes": SPACE, "datasets": [{"path": "gone"}]}]},
    ],
)
def test_incomplete_ome_metadata(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.zarr"
    ome_image(path, "0.5")
    data = json.loads((path / "zarr.json").read_text())
    data["attributes"]["ome"] |= change
    (path / "zarr.json").write_text(json.dumps(data))
    with pytest.raises(VolumeError):
        open_volume(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_damaged_chunk_is_met_only_where_it_lies(
    tmp_path: Path, zarr_format: Any, compressed: bool, damage: str
) -> None:
    """Only the chunks of a region are read, and one of them being damaged is an error that says where."""
    path = tmp_path / "a.zarr"
    array = np.random.default_rng(0).integers(0, 999, (4, 16, 16)).astype("u2")
    coding: dict[str, Any] = {} if compressed else {"compressors": None}
    zarr.create_array(path, data=array, chunks=(2, 8, 8), zarr_format=zarr_format, **coding)
    chunk = path / ("1.0.1" if zarr_format == 2 else "c/1/0/1")
    content = chunk.read_bytes()
    if damage == "noise" and not compressed:
        pytest.skip("noise in uncompressed voxels cannot be told from voxels")
    chunk.write_bytes({"cut": content[: len(content) // 2], "noise": b"\x01" * len(content), "empty": b""}[damage])
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.read(Region((0, 0, 0), (2, 16, 16)))[0], array[:2])
    with pytest.raises(VolumeError, match=r"a\.zarr cannot be read at x 8–15, y 0–7, z 2–3"):
        volume.read(Region((2, 0, 8), (4, 8, 16)))
    assert [f.code for f in check_image_values(volume, [volume.region])] == ["image-damaged"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_chunks_are_counted_and_a_warning(tmp_path: Path, zarr_format: Any) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=ramp((4, 16, 16)) + 1, chunks=(2, 8, 8), zarr_format=zarr_format)
    volume = open_volume(path)
    assert missing_chunks(volume, volume.region).count == 0
    assert check_image_values(volume, [volume.region]) == []
    gone = "1.0.1" if zarr_format == 2 else "c/1/0/1"
    (path / gone).unlink()
    found = missing_chunks(volume, volume.region)
    assert (found.count, found.total, found.first) == (1, 8, gone)
    assert missing_chunks(volume, Region((0, 0, 0), (2, 16, 16))).count == 0
    (finding,) = check_image_values(volume, [volume.region])
    assert (finding.level, finding.code) == ("warning", "image-chunks-missing") and gone in finding.message
    findings = check_image_values(volume, [Region((2, 0, 8), (4, 8, 16))])
    assert {(f.level, f.code) for f in findings} == {("error", "image-empty"), ("error", "image-constant")}


def test_missing_chunks_inside_ome_zarr_and_shards(tmp_path: Path) -> None:
    ome_image(tmp_path / "a.zarr", "0.5")
    (tmp_path / "a.zarr" / "0" / "c" / "1" / "0" / "0" / "0").unlink()
    volume = open_volume(tmp_path / "a.zarr")
    assert missing_chunks(volume, volume.region).count == 1
    zarr.create_array(tmp_path / "b.zarr", data=ramp((8, 16, 16)) + 1, chunks=(2, 8, 8), shards=(4, 16, 16))
    (tmp_path / "b.zarr" / "c" / "0" / "0" / "0").unlink()
    sharded = open_volume(tmp_path / "b.zarr")
    found = missing_chunks(sharded, sharded.region)
    assert (found.count, found.total) == (1, 2)


def test_missing_chunks_are_sampled_when_there_are_many(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), chunks=(1, 1), dtype="u1", fill_value=0)
    volume = open_volume(tmp_path / "a.zarr")
    found = missing_chunks(volume, volume.region, limit=100)
    assert found.count == found.total and 90 <= found.total <= 100


def test_a_level_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path) -> None:
    """A level counts if its scale is a whole multiple and its shape agrees; the others are computed."""
    array = ramp((6, 16, 20))
    group = zarr.create_group(tmp_path / "a.zarr")
    datasets = []
    for name, step, scale in (("0", 1, 1.0), ("1", 2, 2.0), ("2", 3, 1.7), ("3", 2, 4.0)):
        group.create_array(name, data=np.ascontiguousarray(array[:, ::step, ::step]))
        transform = {"type": "scale", "scale": [1.0, scale, scale]}
        datasets.append({"path": name, "coordinateTransformations": [transform]})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": SPACE, "datasets": datasets}]}
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2))
    assert "level 2 of a.zarr" in volume.remarks[0] and "magnification 4-4-1" in volume.remarks[1]
    findings = check_image_values(volume, [volume.region])
    assert [(f.level, f.code) for f in findings] == [("warning", "image-level-left-out")] * 2


@pytest.mark.parametrize("axes", ["xyz", "xzyc", "tyxzc", "zxcy"])
def test_axes_in_any_order(tmp_path: Path, axes: str) -> None:
    letters = "".join(a for a in "tczyx" if a in axes)
    array = ramp(tuple({"t": 1, "c": 2, "z": 6, "y": 16, "x": 20}[a] for a in letters))
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    group.create_array("0", data=np.ascontiguousarray(array.transpose([letters.index(a) for a in axes])))
    types = {"t": "time", "c": "channel"}
    listed = [{"name": a, "type": types.get(a, "space"), "unit": "nanometer"} for a in axes]
    scale = [{"t": 1.0, "c": 1.0, "z": 40.0, "y": 5.0, "x": 4.0}[a] for a in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": listed, "datasets": [dataset]}]}
    volume = open_volume(path)
    assert volume.shape == (6, 16, 20) and volume.voxel_size == (40, 5, 4)
    np.testing.assert_array_equal(whole(volume), array.reshape(-1, 6, 16, 20))
    region = Region((1, 3, 5), (4, 9, 19))
    np.testing.assert_array_equal(volume.read(region), array.reshape(-1, 6, 16, 20)[:, *region.slices])


def test_an_array_without_axes_is_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(), dtype="u1")
    with pytest.raises(VolumeError, match="single number"):
        open_volume(tmp_path / "a.zarr")
    ome_image(tmp_path / "b.zarr", "0.5")
    data = json.loads((tmp_path / "b.zarr" / "zarr.json").read_text())
    data["attributes"]["ome"]["multiscales"][0]["axes"] = []
    (tmp_path / "b.zarr" / "zarr.json").write_text(json.dumps(data))
    with pytest.raises(VolumeError):
        open_volume(tmp_path / "b.zarr")
