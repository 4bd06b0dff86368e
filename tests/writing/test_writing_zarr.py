"""OME-Zarr: pyramids, shards, versions, metadata, and where a volume lies."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError, VolumeError
from napari_aitrain.geometry import Region, tiles
from napari_aitrain.volumes import LabelsWriter, open_volume, write_pyramid, write_zarr
from napari_aitrain.volumes.downsample import downsample_mean, downsample_mode
from napari_aitrain.volumes.write_ome import MAX_COLORS
from napari_aitrain.volumes.write_placement import Placement, placement_on, source_of
from napari_aitrain.volumes.write_pyramid import fill_level, in_parallel, pyramid_of
from napari_aitrain.volumes.write_zarr import ZarrOptions, chunks_for
from napari_aitrain.volumes.writers import MapsWriter

OPTIONS = [ZarrOptions(), ZarrOptions(shards=True, chunks=(4, 32, 32)), ZarrOptions(version="0.4", workers=1)]


def cells(shape: tuple[int, ...], most: int, seed: int = 0) -> Any:
    blocks = np.random.default_rng(seed).integers(0, most + 1, [-(-n // 5) for n in shape])
    return np.kron(blocks, np.ones((5,) * len(shape), int))[tuple(slice(n) for n in shape)]


def attributes(path: Path) -> Any:
    if (path / ".zattrs").is_file():
        return json.loads((path / ".zattrs").read_text())
    return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]


@pytest.mark.parametrize("options", OPTIONS, ids=["0.5", "shards", "0.4"])
@pytest.mark.parametrize(("shape", "voxel"), [((9, 300, 520), (40.0, 8.0, 8.0)), ((1, 700, 300), None)])
def test_a_pyramid_of_labels(tmp_path: Path, options: ZarrOptions, shape: Any, voxel: Any) -> None:
    labels, path = cells(shape, 300), tmp_path / "größe.ome.zarr"
    with LabelsWriter(path, shape, voxel_size=voxel, max_id=300, options=options) as writer:
        assert (writer.unit == (12, 128, 128)) == (options.shards and shape[0] > 1)
        in_parallel(
            lambda tile: writer.write(tile.core, labels[tile.core.slices]),
            tiles(Region.from_shape(shape), (3, 100, 100)),
            3,
        )
    volume = open_volume(path, kind="labels")
    assert volume.voxel_size == voxel and volume.dtype == np.uint16
    factors = [(1, 2, 2), (1, 2, 2)]
    expected = labels[None]
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2), (1, 4, 4))
    for magnification, factor in zip(volume.magnifications, [(1, 1, 1), *factors], strict=True):
        expected = downsample_mode(expected, factor) if factor != (1, 1, 1) else expected
        seen = volume.at(magnification)
        np.testing.assert_array_equal(seen.read(seen.region), expected)
    said = attributes(path)
    assert [axis["name"] for axis in said["multiscales"][0]["axes"]] == list("zyx"[shape[0] == 1 :])
    assert said["image-label"].get("version", "0.5") == options.version
    shards = zarr.open_group(path, mode="r")["0"].shards  # type: ignore[union-attr]
    assert (shards is not None) == options.shards


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 23)] * 3),
    factor=st.tuples(*[st.integers(1, 3)] * 3),
    chunks=st.tuples(*[st.integers(1, 9)] * 4),
    sharded=st.booleans(),
    workers=st.integers(1, 3),
    mean=st.booleans(),
)
def test_levels_do_not_depend_on_chunks_shards_or_threads(
    shape: Any, factor: Any, chunks: Any, sharded: bool, workers: int, mean: bool
) -> None:
    whole = cells(shape, 4).astype(np.uint8)
    reduce = downsample_mean if mean else downsample_mode
    expected = reduce(whole[None], factor)[0]
    finer = zarr.create_array({}, data=whole, chunks=tuple(min(c, n) for c, n in zip(chunks[:3], shape, strict=True)))
    inner, shards = chunks_for(expected.shape, chunks[1:], sharded)
    coarser = zarr.create_array({}, shape=expected.shape, dtype="u1", chunks=inner, shards=shards, fill_value=0)
    fill_level(finer, coarser, factor, reduce, workers)
    np.testing.assert_array_equal(coarser[...], expected)


def test_each_shard_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: Counter[tuple[int, ...]] = Counter()
    put = write_pyramid.put

    def counted(array: Any, region: Region, values: Any) -> None:
        if array.shape != (8, 300, 600):
            writes[(*array.shape, *region.start)] += 1
            assert all(s % u == 0 for s, u in zip(region.start, array.shards, strict=True))
        put(array, region, values)

    monkeypatch.setattr(write_pyramid, "put", counted)
    options = ZarrOptions(shards=True, chunks=(4, 32, 32), workers=3)
    with LabelsWriter(tmp_path / "a.zarr", (8, 300, 600), options=options) as writer:
        writer.write(Region.from_shape((8, 300, 600)), cells((8, 300, 600), 9) + 1)
    assert len(writes) > 5 and set(writes.values()) == {1}


def test_what_was_never_painted_takes_no_room(tmp_path: Path) -> None:
    shape = (640, 10_000, 10_000)
    with LabelsWriter(tmp_path / "a.zarr", shape, max_id=9, options=ZarrOptions(pyramid=False)) as writer:
        writer.write(Region.from_shape((2, 4, 4), (400, 5000, 5000)), np.full((2, 4, 4), 3))
    assert len([path for path in (tmp_path / "a.zarr" / "0").rglob("*") if path.is_file()]) == 2


def test_pyramids_end_at_a_level_that_is_shown_at_once() -> None:
    for shape, scale in itertools.product([(1, 9000, 9000), (3000, 40, 5000), (70, 70, 70)], [(1, 1, 1), (40, 4, 4)]):
        levels = pyramid_of(shape, scale)
        last = [-(-n // f) for n, f in zip(shape, levels[-1], strict=True)]
        assert max(last) <= 256 and (len(levels) == 1 or max(shape) > 256)
        assert levels[-1][0] == 1 or shape[0] > 1


@pytest.mark.parametrize(
    ("most", "count"), [(None, 0), (0, 0), (7, 8), (MAX_COLORS, MAX_COLORS + 1), (MAX_COLORS + 1, 0)]
)
def test_all_ids_have_a_colour_or_none(tmp_path: Path, most: int | None, count: int) -> None:
    """What napari-ome-zarr has no colour for is invisible."""
    with LabelsWriter(tmp_path / "a.zarr", (1, 4, 4), max_id=most):
        pass
    colors = attributes(tmp_path / "a.zarr")["image-label"].get("colors", [])
    assert [color["label-value"] for color in colors] == list(range(count))
    assert [color["rgba"][3] for color in colors] == [0, *[255] * (count - 1)][:count]
    assert len({tuple(color["rgba"]) for color in colors}) >= 0.95 * count


@pytest.mark.parametrize("most", [2**31 - 1, 2**31, 2**32, 2**64 - 1])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_ids_of_any_length(tmp_path: Path, most: int, version: Any) -> None:
    labels = np.array([[[0, 1, most]]], np.uint64)
    with LabelsWriter(tmp_path / "a.zarr", (1, 1, 3), max_id=most, options=ZarrOptions(version=version)) as writer:
        writer.write(Region.from_shape((1, 1, 3)), labels)
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["0"]
    assert array[...].tolist() == [[0, 1, most]]  # type: ignore[index, union-attr]
    assert array.dtype.itemsize == (4 if most < 2**32 else 8)  # type: ignore[union-attr]
    with (
        pytest.raises(VolumeError, match="does not fit"),
        LabelsWriter(tmp_path / "b.zarr", (1, 1, 3), max_id=9) as small,
    ):
        small.write(Region.from_shape((1, 1, 3)), labels)


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="no shards"):
        ZarrOptions(version="0.4", shards=True)
    with pytest.raises(ConfigError, match=r"0\.6 cannot be written"):
        ZarrOptions(version="0.6")  # type: ignore[arg-type]


def test_maps_have_channels_and_a_pyramid_of_means(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 300)).astype(np.uint8)
    with MapsWriter(
        tmp_path / "a.ome.zarr", (3, 40, 300), ("x", "y"), placement=Placement.of((9.0, 9.0, 9.0))
    ) as writer:
        writer.write(Region.from_shape((3, 40, 300)), maps)
        with pytest.raises(VolumeError, match="do not fit"):
            writer.write(Region.from_shape((3, 40, 300)), maps[:, :2])
    volume = open_volume(tmp_path / "a.ome.zarr")
    assert volume.channels == ("x", "y") and volume.voxel_size == (9, 9, 9)
    np.testing.assert_array_equal(volume.read(volume.region), maps)
    coarse = volume.at((2, 2, 2))
    np.testing.assert_array_equal(coarse.read(coarse.region), downsample_mean(maps, (2, 2, 2)))
    with pytest.raises(ConfigError, match=r"ome\.zarr"):
        MapsWriter(tmp_path / "a.tif", (3, 40, 300), ("x",))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return an OME-Zarr in µm whose origin is elsewhere, with t and c."""
    group = zarr.create_group(tmp_path / "bild.ome.zarr")
    for number, shape in enumerate([(1, 2, 4, 30, 30), (1, 2, 4, 15, 15)]):
        group.create_array(str(number), shape=shape, dtype="u1")
    units = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    units += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets = []
    for number, size in enumerate([0.5, 1.0]):
        transforms = [{"type": "scale", "scale": [1, 1, 2, size, size]}]
        transforms += [{"type": "translation", "translation": [0, 0, 10, size / 2, 3]}]
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    whole = [{"type": "scale", "scale": [1, 1, 2, 1, 1]}]
    multiscale = {"axes": units, "datasets": datasets, "coordinateTransformations": whole}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return tmp_path / "bild.ome.zarr"


def test_labels_lie_where_their_image_lies(image: Path) -> None:
    units = ("micrometer",) * 3
    size = (4000.0, 500.0, 500.0)
    assert placement_on(image, size) == Placement((4, 0.5, 0.5), (20, 0.25, 3), units)
    assert placement_on(image / "1", (4000.0, 1000.0, 1000.0)) == Placement((4, 1, 1), (20, 0.5, 3), units)
    # Two voxels of the image in, at half the resolution: the first voxel's middle lies between voxels 4 and 5.
    part = placement_on(image, (4000.0, 1000.0, 1000.0), (1, 2, 2), (1, 2, 2))
    assert part == Placement((4, 1, 1), (24, 0.25 + 4.5 * 0.5, 3 + 4.5 * 0.5), units)


def test_another_voxel_size_counts_in_nm(image: Path, tmp_path: Path) -> None:
    given = placement_on(image, (40.0, 5.0, 5.0))
    assert given == Placement((40, 5, 5), (200, 2.5, 30), ("nanometer",) * 3)
    for other in (tmp_path / "gone.zarr", tmp_path / "a.tif", "array"):
        assert placement_on(other, (40.0, 5.0, 5.0)) == Placement.of((40.0, 5.0, 5.0))
        assert placement_on(other, None) == Placement()


def test_source_is_a_path_from_the_labels(image: Path, tmp_path: Path) -> None:
    assert source_of(image, tmp_path / "out" / "labels.zarr") == "../../bild.ome.zarr"
    assert source_of(tmp_path / "a.tif", tmp_path / "labels.zarr") is None
    with LabelsWriter(tmp_path / "out" / "labels.zarr", (4, 30, 30), image=image, placement=placement_on(image, None)):
        pass
    said = attributes(tmp_path / "out" / "labels.zarr")
    assert said["image-label"]["source"] == {"image": "../../bild.ome.zarr"}
    transforms = said["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert transforms == [
        {"type": "scale", "scale": [4, 0.5, 0.5]},
        {"type": "translation", "translation": [20, 0.25, 3]},
    ]


def test_a_codec_that_old_readers_know(tmp_path: Path) -> None:
    for version in ("0.4", "0.5"):
        with LabelsWriter(tmp_path / f"{version}.zarr", (1, 4, 4), options=ZarrOptions(version=version)):  # type: ignore[arg-type]
            pass
    old = json.loads((tmp_path / "0.4.zarr" / "0" / ".zarray").read_text())
    assert old["compressor"]["id"] == "blosc" and old["dimension_separator"] == "/"
    new = json.loads((tmp_path / "0.5.zarr" / "0" / "zarr.json").read_text())
    assert [codec["name"] for codec in new["codecs"]] == ["bytes", "zstd"] and new["dimension_names"] == ["y", "x"]
    assert write_zarr.ZarrOptions().version == "0.5"
