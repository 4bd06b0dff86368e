"""HDF5 and N5: axes, voxel sizes, pyramids, what is not clear, and what is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Volume, open_volume, pair_files

h5py = pytest.importorskip("h5py")


def noise(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 999, shape).astype("u2")


def whole(volume: Volume) -> Any:
    return volume.read(volume.region)


@pytest.mark.parametrize("chunks", [None, (2, 8, 8)])
def test_hdf5_datasets_are_named_after_a_colon(tmp_path: Path, chunks: Any) -> None:
    image, labels, path = noise((6, 16, 20)), noise((6, 16, 20), 1) % 5, tmp_path / "größe 1.h5"
    with h5py.File(path, "w") as file:
        raw = file.create_dataset("volumes/raw", data=image, chunks=chunks, compression="gzip" if chunks else None)
        raw.attrs["resolution"] = (40.0, 4.0, 4.0)
        file.create_dataset("volumes/labels/neuron_ids", data=labels)
        file.create_dataset("volumes/other", data=labels)
    for asked in (f"{path}:/volumes/raw", path, Path(f"{path}:/volumes/raw")):
        volume = open_volume(asked)
        np.testing.assert_array_equal(whole(volume)[0], image)
        assert volume.voxel_size == (40, 4, 4)
    np.testing.assert_array_equal(whole(open_volume(path, kind="labels"))[0], labels)
    np.testing.assert_array_equal(
        open_volume(f"{path}:volumes/raw").read(Region((1, 3, 5), (4, 9, 19)))[0], image[1:4, 3:9, 5:19]
    )
    pair = pair_files(f"{path}:/volumes/raw", f"{path}:/volumes/labels/neuron_ids")[0]
    assert open_volume(pair.labels, kind="labels").shape == (6, 16, 20)


def test_hdf5_says_its_axes_as_ilastik_and_h5py_do(tmp_path: Path) -> None:
    image = noise((20, 16, 6, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        tagged = file.create_dataset("exported_data", data=image)
        tagged.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "xyzc"]})
        scaled = file.create_dataset("scaled", data=image[..., 0])
        for dim, letter in zip(scaled.dims, "xyz", strict=True):
            dim.label = letter
        scaled.attrs["element_size_um"] = (0.5, 0.1, 0.1)
    volume = open_volume(tmp_path / "a.h5")
    assert volume.axes == "xyzc" and volume.shape == (6, 16, 20)
    np.testing.assert_array_equal(whole(volume), image.transpose(3, 2, 1, 0))
    other = open_volume(f"{tmp_path / 'a.h5'}:scaled")
    assert other.axes == "xyz" and other.voxel_size == pytest.approx((500, 100, 100))


def test_hdf5_that_is_not_clear_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["one"], file["two"], file["number"] = noise((4, 16, 16)), noise((4, 16, 16)), 3.0
    with pytest.raises(VolumeError, match="not clear which") as caught:
        open_volume(path)
    assert "/one, /two" in caught.value.expected and "a.h5:/one" in caught.value.remedy
    for key in ("three", "/", "number/x"):
        with pytest.raises(VolumeError, match=r"no dataset|holds 2"):
            open_volume(f"{path}:{key}")
    with pytest.raises(VolumeError):
        open_volume(f"{path}:number")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VolumeError, match="cannot be read"):
        open_volume(path)


def test_damaged_chunk_of_hdf5_is_named_or_filled(tmp_path: Path) -> None:
    image, path = noise((4, 16, 16)), tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("raw", data=image, chunks=(2, 8, 8), compression="gzip")
        where = dataset.id.get_chunk_info(5)
    content = bytearray(path.read_bytes())
    content[where.byte_offset : where.byte_offset + where.size] = bytes(where.size)
    path.write_bytes(content)
    with pytest.raises(VolumeError, match=r"chunk \(1, 0, 1\) in .*a\.h5 is damaged"):
        whole(open_volume(path))
    volume = open_volume(path, on_damage="fill")
    image[2:, :8, 8:] = 0
    np.testing.assert_array_equal(whole(volume)[0], image)
    assert [one.chunk for one in volume.filled] == [(1, 0, 1)]


def n5_dataset(path: Path, image: Any, **attributes: Any) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    spec = {
        "driver": "n5",
        "kvstore": {"driver": "file", "path": f"{path}/"},
        "metadata": {
            "dimensions": image.T.shape,
            "blockSize": [8] * image.ndim,
            "dataType": str(image.dtype),
            "compression": {"type": "gzip"},
        },
    }
    tensorstore.open(spec, create=True).result().write(image.T).result()
    file = path / "attributes.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | attributes))


def test_n5_counts_axes_from_x(tmp_path: Path) -> None:
    image, path = noise((6, 16, 20)), tmp_path / "größe.n5" / "volumes" / "raw"
    n5_dataset(path, image, pixelResolution={"dimensions": [4.0, 4.0, 40.0], "unit": "nm"})
    for asked in (path, tmp_path / "größe.n5" / "volumes"):
        if asked != path:
            (asked / "attributes.json").write_text("{}")
        volume = open_volume(asked)
        assert volume.axes == "xyz" and volume.shape == (6, 16, 20) and volume.voxel_size == (40, 4, 4)
        np.testing.assert_array_equal(volume.read(Region((1, 3, 5), (4, 9, 19)))[0], image[1:4, 3:9, 5:19])


def test_n5_pyramid_leaves_out_a_level_that_does_not_fit(tmp_path: Path) -> None:
    image, path = noise((8, 16, 16)), tmp_path / "a.n5"
    for number, (step, factors) in enumerate([(1, [1, 1, 1]), (2, [2, 2, 2]), (4, [3.5, 4, 4])]):
        n5_dataset(path / f"s{number}", image[::step, ::step, ::step], downsamplingFactors=factors)
    (path / "attributes.json").write_text(json.dumps({"n5": "2.0.0"}))
    volume = open_volume(path)
    assert volume.magnifications == ((1, 1, 1), (2, 2, 2)) and "s2" in volume.remarks[0]
    np.testing.assert_array_equal(whole(volume.at((2, 2, 2)))[0], image[::2, ::2, ::2])


def test_n5_that_is_not_clear_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.n5"
    for name in ("one", "two"):
        n5_dataset(path / name, noise((8, 16, 16)))
    (path / "attributes.json").write_text("{}")
    with pytest.raises(VolumeError, match="2 datasets") as caught:
        open_volume(path)
    assert "one" in caught.value.remedy
    (path / "one" / "1" / "1" / "0").write_bytes(b"\x00\x00\x00")
    with pytest.raises(VolumeError, match=r"chunk \(1, 1, 0\) in .*one.1.1.0 is damaged"):
        whole(open_volume(path / "one"))
    (path / "attributes.json").write_text("{")
    with pytest.raises(VolumeError, match="cannot be read"):
        open_volume(path)
