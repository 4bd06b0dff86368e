"""Every plain file format gives back what was written: values, type, axes, voxel size, channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.counting import read_counts

DTYPES = [
    f"{order}{kind}" for kind in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"] for order in "<>"
]


def ramp(shape: tuple[int, ...], dtype: str = "<u2") -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)) % 120).reshape(shape).astype(dtype)


def whole(volume: Volume) -> npt.NDArray[Any]:
    array = volume.read(volume.region)
    assert array.dtype.isnative and array.dtype == volume.dtype and array.shape[1:] == volume.shape
    return array


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_types(tmp_path: Path, dtype: str, compression: str | None) -> None:
    array, path = ramp((6, 20, 30), dtype), tmp_path / "größe 細胞.tif"
    tifffile.imwrite(path, array, byteorder=dtype[0], compression=compression, photometric="minisblack")
    volume = open_volume(path)
    assert volume.axes == "zyx" and volume.dtype == array.dtype.newbyteorder("=") and volume.voxel_size is None
    np.testing.assert_array_equal(whole(volume)[0], array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_npy_and_npz_types(tmp_path: Path, dtype: str) -> None:
    array = ramp((6, 20, 30), dtype)
    np.save(tmp_path / "a b.npy", array)
    np.savez_compressed(tmp_path / "ü.npz", images=array, ids=np.array(["x"]))
    for name in ("a b.npy", "ü.npz", "ü.npz:images"):
        np.testing.assert_array_equal(whole(open_volume(tmp_path / name))[0], array)


@pytest.mark.parametrize(
    ("unit", "pixels", "spacing", "expected"),
    [
        ("um", 4.0, 0.5, (500, 250, 250)),
        ("nm", 0.1, 40.0, (40, 10, 10)),
        ("micron", 4.0, None, (1000, 250, 250)),
        ("mm", 1000.0, 0.002, (2000, 1000, 1000)),
        ("pixel", 4.0, 0.5, None),
        (None, 4.0, 0.5, None),
    ],
)
def test_imagej_voxel_size(
    tmp_path: Path, unit: str | None, pixels: float, spacing: float | None, expected: tuple[float, ...] | None
) -> None:
    metadata = {"axes": "ZCYX", "unit": unit, "spacing": spacing, "Labels": ["DAPI", "GFP"]}
    path = tmp_path / "a.tif"
    array = ramp((5, 2, 20, 30))
    clean = {key: value for key, value in metadata.items() if value is not None}
    tifffile.imwrite(path, array, imagej=True, resolution=(pixels, pixels), metadata=clean)
    volume = open_volume(path)
    assert volume.axes == "zcyx" and volume.shape == (5, 20, 30)
    assert volume.voxel_size == (None if expected is None else pytest.approx(expected))
    np.testing.assert_array_equal(whole(volume), array.transpose(1, 0, 2, 3))
    assert open_volume(path, voxel_size=(3, 2, 1)).voxel_size == (3, 2, 1)


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1.0), ("µm", 1e3), ("mm", 1e6), (None, 1e3)])
def test_ome_voxel_size_and_channel_names(tmp_path: Path, unit: str | None, factor: float) -> None:
    metadata: dict[str, Any] = {"axes": "CZYX", "Channel": {"Name": ["nuclei", "membrane"]}}
    for axis, size in zip("ZYX", (4.0, 2.0, 1.0), strict=True):
        metadata[f"PhysicalSize{axis}"] = size
        if unit:
            metadata[f"PhysicalSize{axis}Unit"] = unit
    array = ramp((2, 5, 20, 30), "<f4")
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata=metadata, tile=(16, 16), compression="zstd")
    volume = open_volume(tmp_path / "a.ome.tif", channels=["membrane"])
    assert volume.channels == ("membrane",) and volume.axes == "czyx"
    assert volume.voxel_size == pytest.approx((4 * factor, 2 * factor, factor))
    np.testing.assert_array_equal(whole(volume)[0], array[1])


def test_ome_without_depth_spacing_is_unknown(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", ramp((5, 20, 30)), metadata=metadata)
    assert open_volume(tmp_path / "a.ome.tif").voxel_size is None


def test_tiff_pyramid(tmp_path: Path) -> None:
    array, path = ramp((64, 96)), tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(array, subifds=1, tile=(16, 16), metadata={"axes": "YX"})
        writer.write(array[::2, ::2] + 1000, subfiletype=1, tile=(16, 16))
    volume = open_volume(path)
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2))
    np.testing.assert_array_equal(whole(volume.at((1, 2, 2)))[0, 0], array[::2, ::2] + 1000)


def test_colour_and_opacity(tmp_path: Path) -> None:
    array = ramp((40, 50, 4), "u1")
    Image.fromarray(array, "RGBA").save(tmp_path / "a.png")
    Image.fromarray(array[..., :3]).save(tmp_path / "a.jpg", quality=95)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(tmp_path / "b.tif", array[..., :3], photometric="rgb", planarconfig="contig")
    np.save(tmp_path / "a.npy", array[..., :3])
    for name in ("a.png", "a.tif", "b.tif", "a.npy"):
        volume = open_volume(tmp_path / name)
        assert volume.axes == "yxc"
        np.testing.assert_array_equal(whole(volume)[:, 0], np.moveaxis(array[..., :3], -1, 0))
    jpeg = open_volume(tmp_path / "a.jpg", channels=["green"])
    assert whole(jpeg).shape == (1, 1, 40, 50)


def test_few_plain_pages_are_channels_unless_told_otherwise(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ramp((3, 40, 50)), photometric="minisblack", metadata=None)
    volume = open_volume(tmp_path / "a.tif")
    assert volume.axes == "cyx" and volume.axes_guessed
    assert open_volume(tmp_path / "a.tif", axes="zyx").shape == (3, 40, 50)
    assert open_volume(tmp_path / "a.tif", kind="labels").shape == (3, 40, 50)


def test_time_needs_a_choice(tmp_path: Path) -> None:
    array = ramp((4, 5, 20, 30))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(VolumeError, match="4 entries along its axis 't'"):
        open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "a.tif", at={"t": 2}))[0], array[2])


def test_png_types(tmp_path: Path) -> None:
    deep = ramp((40, 50)) * 500
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(ramp((40, 50), "u1") > 60).save(tmp_path / "bit.png")
    palette = Image.fromarray(ramp((40, 50), "u1") % 5, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    palette.save(tmp_path / "palette.png")
    grey = np.repeat(ramp((40, 50, 1), "u1"), 3, axis=2)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "deep.png"))[0, 0], deep)
    bits = whole(open_volume(tmp_path / "bit.png", kind="labels"))
    assert bits.dtype == np.uint8 and set(np.unique(bits)) == {0, 1}
    ids = whole(open_volume(tmp_path / "palette.png", kind="labels"))
    np.testing.assert_array_equal(ids[0, 0], ramp((40, 50), "u1") % 5)
    assert whole(open_volume(tmp_path / "palette.png"))[:, 0, 0, 4].tolist() == [9, 8, 7]
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "grey.png", kind="labels"))[0, 0], grey[..., 0])


def test_png_colour_of_16_bits(tmp_path: Path) -> None:
    from imagecodecs import png_encode

    array = ramp((40, 50, 3)) * 500
    (tmp_path / "a.png").write_bytes(png_encode(array))
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "a.png"))[:, 0], np.moveaxis(array, -1, 0))


def test_colour_is_no_labels(tmp_path: Path) -> None:
    Image.fromarray(ramp((40, 50, 3), "u1")).save(tmp_path / "a.png")
    with pytest.raises(VolumeError, match="3 channels"):
        open_volume(tmp_path / "a.png", kind="labels")


def test_npz_chooses_by_kind_or_name(tmp_path: Path) -> None:
    images, labels = ramp((3, 40, 50)), ramp((3, 40, 50), "u1") % 3
    np.savez(tmp_path / "a.npz", images=images, labels=labels, ids=np.arange(3))
    np.savez(tmp_path / "b.npz", one=images, two=labels)
    assert open_volume(tmp_path / "a.npz").axes == "zyx"
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "a.npz", kind="labels"))[0], labels)
    with pytest.raises(VolumeError, match="several arrays") as caught:
        open_volume(tmp_path / "b.npz")
    assert "one, two" in caught.value.expected and "b.npz:one" in caught.value.remedy
    np.testing.assert_array_equal(whole(open_volume(f"{tmp_path / 'b.npz'}:two", kind="labels"))[0], labels)
    with pytest.raises(VolumeError, match="no array 'three'"):
        open_volume(f"{tmp_path / 'b.npz'}:three")


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for value in (1, 2):
        np.savez(path, np.full((20, 20), value))
        assert (whole(open_volume(path)) == value).all()


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", image=np.array([{"a": 1}], dtype=object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(VolumeError):
            open_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"nonsense that is no image at all"])
def test_nonsense_is_a_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VolumeError, match="cannot be read") as caught:
        open_volume(tmp_path / name)
    assert name in caught.value.what and caught.value.remedy


@pytest.mark.parametrize("name", ["a.tif", "b.tif", "c.tif", "a.png", "a.npy", "a.npz"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_cut_short_files_are_a_clear_error(tmp_path: Path, name: str, keep: float) -> None:
    array = np.random.default_rng(0).integers(0, 255, (6, 40, 50)).astype("u1")
    path = tmp_path / name
    if name == "c.tif":
        with tifffile.TiffWriter(path) as writer:
            for page in array:
                writer.write(page, contiguous=False, metadata=None, compression="zlib")
    elif name.endswith(".tif"):
        tifffile.imwrite(path, array, compression="zlib" if name == "b.tif" else None, photometric="minisblack")
    elif name == "a.png":
        Image.fromarray(array[0]).save(path)
    elif name == "a.npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, array)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(VolumeError, match="cannot be read"):
        whole(open_volume(path))


def test_damaged_strip_is_met_only_where_it_lies(tmp_path: Path) -> None:
    """Reads touch only the strips they need, so a damaged one elsewhere does not matter."""
    array = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype("u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, array, compression="zlib", rowsperstrip=16, photometric="minisblack", metadata={"axes": "ZYX"}
    )
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[2].dataoffsets[1], file.pages[2].databytecounts[1]
    content = bytearray(path.read_bytes())
    content[offset : offset + length] = bytes(length)
    path.write_bytes(content)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.read(Region((2, 32, 0), (3, 64, 64)))[0, 0], array[2, 32:])
    with pytest.raises(VolumeError, match="z 2–2") as caught:
        volume.read(Region((2, 16, 0), (3, 17, 64)))
    assert "a.tif" in caught.value.what


def test_mapped_files_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ramp((5, 20, 30)))
    tifffile.imwrite(tmp_path / "a.tif", ramp((5, 20, 30)))
    for name in ("a.npy", "a.tif"):
        assert isinstance(open_volume(tmp_path / name).levels[0].array, np.memmap)


@pytest.mark.parametrize("name", ["gone.tif", "gone/gone.tif", "gone.zarr"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(VolumeError, match="does not exist"):
        open_volume(tmp_path / name)


def test_unknown_kinds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(VolumeError, match="no known kind"):
        open_volume(tmp_path / "notes.txt")
    with pytest.raises(VolumeError, match="is a folder"):
        open_volume(tmp_path)


@pytest.mark.parametrize("how", [{"rowsperstrip": 16}, {"tile": (32, 32)}, {}], ids=["strips", "tiles", "pages"])
def test_bigtiff_is_read_by_page_and_part(tmp_path: Path, how: dict[str, Any]) -> None:
    array = np.random.default_rng(0).integers(0, 255, (6, 64, 64)).astype("u1")
    path, axes = tmp_path / "größe.btf", {"axes": "ZYX"}
    tifffile.imwrite(path, array, bigtiff=True, compression="zlib", metadata=axes, photometric="minisblack", **how)
    volume, before = open_volume(path), read_counts()
    region = Region((2, 3, 5), (3, 9, 20))
    for _ in range(2):
        np.testing.assert_array_equal(volume.read(region)[0], array[region.slices])
    assert (read_counts() - before).decoded == {"rowsperstrip": 16 * 64, "tile": 32 * 32}.get(next(iter(how), ""), 4096)
    np.testing.assert_array_equal(volume.read(volume.region)[0], array)
