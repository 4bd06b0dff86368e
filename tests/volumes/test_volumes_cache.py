"""The cache of chunks: bounded, shared, never stale; prefetch; damage; counts."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region, tiles
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.cache import CHUNKS, ChunkCache
from napari_aitrain.volumes.chunk_grid import ChunkGrid, boxes_of, indices
from napari_aitrain.volumes.chunked import ChunkedArray
from napari_aitrain.volumes.counting import read_counts

IMAGE = np.random.default_rng(0).integers(0, 999, (16, 32, 32)).astype("u2")
CHUNK = (4, 8, 8)


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = CHUNKS.limit
    yield
    CHUNKS.resize(before)


class Slow:
    """An array with chunks that counts how often each voxel is read, and may be made to wait or to fail."""

    def __init__(self, array: Any, chunks: tuple[Any, ...]) -> None:
        self.array, self.shape, self.dtype, self.chunks = array, array.shape, array.dtype, chunks
        self.read = np.zeros(array.shape, int)
        self.gate, self.fails = threading.Event(), False
        self.gate.set()

    def __getitem__(self, key: Any) -> Any:
        assert self.gate.wait(10)
        if self.fails:
            raise OSError("the disk has gone")
        self.read[key] += 1
        return self.array[key]


spans = st.tuples(*[st.tuples(st.integers(0, n), st.integers(0, n)).map(lambda ab: tuple(sorted(ab))) for n in (7, 9)])


@given(
    chunks=st.tuples(
        st.one_of(st.integers(1, 9), st.sampled_from([(7,), (3, 4), (1, 5, 1)])),
        st.one_of(st.integers(1, 12), st.sampled_from([(9,), (2, 7), (4, 4, 1)])),
    ),
    regions=st.lists(spans, min_size=1, max_size=6),
    limit=st.sampled_from([0, 8, 40, 10_000]),
    at_once=st.sampled_from([1, 8, 10_000]),
)
def test_any_regions_of_any_chunks_with_any_cache(
    chunks: tuple[Any, ...], regions: list[Any], limit: int, at_once: int
) -> None:
    image = np.arange(63, dtype="u1").reshape(7, 9)
    CHUNKS.resize(limit)
    source = Slow(image, chunks)
    array = ChunkedArray(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_aitrain.volumes.chunked._AT_ONCE", at_once)
        for span in regions:
            key = tuple(slice(a, b) for a, b in span)
            np.testing.assert_array_equal(array[key], image[key])
            assert CHUNKS.size <= limit
    np.testing.assert_array_equal(array[3, 2:5], image[3, 2:5])
    assert limit < 10_000 or source.read.max() <= 1, "a chunk that is kept is not read again"


@given(chosen=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3))))
def test_boxes_cover_just_the_chunks(chosen: set[Any]) -> None:
    found = [chunk for box in boxes_of(chosen) for chunk in indices(box)]
    assert len(found) == len(chosen) and set(found) == chosen


@given(st.integers(1, 40))
def test_parts_divide_a_box(most: int) -> None:
    grid = ChunkGrid((20, 30), (3, (10, 5, 15)))
    box = ((1, 7), (0, 3))
    parts = list(grid.parts(box, most))
    assert sorted(c for part in parts for c in indices(part)) == sorted(indices(box))
    assert all(grid.size(part) <= most or len(list(indices(part))) == 1 for part in parts)


def test_the_least_used_is_forgotten_first() -> None:
    cache, chunk = ChunkCache(30), np.zeros(10, "u1")
    for number in range(3):
        assert cache.claim((0, number), None) is None
        cache.fulfil((0, number), None, chunk)
    assert cache.claim((0, 0), None) is chunk
    assert cache.claim((0, 3), None) is None
    cache.fulfil((0, 3), None, chunk)
    assert cache.size == 30 and cache.claim((0, 0), None) is chunk
    assert cache.claim((0, 1), None) is None
    assert cache.claim((0, 2), "written anew") is None
    assert isinstance(cache.claim((0, 2), "written anew"), Future)


def test_threads_read_each_chunk_once() -> None:
    source = Slow(IMAGE, CHUNK)
    array = ChunkedArray(source)
    source.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        every = [pool.submit(array.__getitem__, (slice(0, 12), slice(n, 32))) for n in (0, 0, 3, 9, 1, 0, 17, 30)]
        source.gate.set()
        for future, first in zip(every, (0, 0, 3, 9, 1, 0, 17, 30), strict=True):
            np.testing.assert_array_equal(future.result(10), IMAGE[:12, first:])
    assert source.read.max() == 1


def test_a_failure_is_not_kept() -> None:
    source = Slow(IMAGE, CHUNK)
    array = ChunkedArray(source)
    source.fails = True
    with pytest.raises(OSError, match="the disk has gone"):
        array[0:4, 0:4, 0:4]
    source.fails = False
    np.testing.assert_array_equal(array[0:4, 0:4, 0:4], IMAGE[:4, :4, :4])


def test_what_is_kept_goes_with_its_array() -> None:
    CHUNKS.resize(1 << 20)
    gc.collect()
    before = CHUNKS.size
    array = ChunkedArray(Slow(IMAGE, CHUNK))
    assert array[:, :, :].nbytes == IMAGE.nbytes and CHUNKS.size >= before + IMAGE.nbytes
    with pytest.raises(ValueError, match="read-only"):
        next(iter(CHUNKS._kept.values()))[1][...] = 0
    del array
    gc.collect()
    assert CHUNKS.size <= before


def test_blocks_with_a_halo_read_each_chunk_once(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=IMAGE, chunks=CHUNK, shards=(8, 16, 16))
    volume, before = open_volume(tmp_path / "a.zarr"), read_counts()
    for tile in tiles(volume.region, (8, 16, 16), halo=(2, 3, 3)):
        volume.read(tile.outer.intersect(volume.region))
    spent = read_counts() - before
    assert spent.decoded == IMAGE.nbytes and spent.asked > spent.decoded
    assert 0 < spent.stored < 2 * IMAGE.nbytes and spent.requests > 0


@pytest.mark.parametrize("magnification", [(1, 1, 1), (2, 2, 2)])
def test_prefetch_reads_what_is_read_later(tmp_path: Path, magnification: Any) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.stack([IMAGE, IMAGE]), chunks=(1, *CHUNK), dimension_names="czyx")
    volume = open_volume(tmp_path / "a.zarr", channels=[1]).at(magnification)
    region = Region((0, 0, 0), (2, 4, 4))
    future = volume.prefetch(region)
    assert future is not None
    future.result(10)
    before = read_counts()
    volume.read(region)
    assert (read_counts() - before).decoded == 0
    assert volume.prefetch(Region((90, 0, 0), (99, 4, 4))) is None


def test_prefetch_knows_its_place(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=IMAGE, chunks=CHUNK)
    volume = open_volume(tmp_path / "a.zarr")
    CHUNKS.resize(IMAGE.nbytes)
    assert volume.prefetch(volume.region) is None, "it would push out what it has read"
    assert Volume.from_array(IMAGE).prefetch(Region((0, 0, 0), (2, 4, 4))) is None
    (tmp_path / "a.zarr" / "c" / "0" / "0" / "0").write_bytes(b"\x00")
    future = volume.prefetch(Region((0, 0, 0), (2, 4, 4)))
    assert future is not None and future.result(10) is None, "an error waits for who reads"
    with pytest.raises(VolumeError, match="damaged"):
        volume.read(Region((0, 0, 0), (2, 4, 4)))


def test_a_chunk_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "a.zarr", data=IMAGE, chunks=CHUNK)
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.fingerprint and volume.changed() == ""
    first = volume.read(Region((0, 0, 0), (8, 8, 8)))[0]
    stored[:4, :8, :8] = 5
    os.utime(tmp_path / "a.zarr" / "c" / "0" / "0" / "0")
    again = volume.read(Region((0, 0, 0), (8, 8, 8)))[0]
    assert (again[:4] == 5).all() and (again[4:] == first[4:]).all()
    assert "c/0/0/0 was written while a.zarr was read" in volume.changed().replace(os.sep, "/")


def test_a_file_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGE)
    volume = open_volume(tmp_path / "a.npy")
    assert volume.fingerprint and volume.changed() == ""
    np.save(tmp_path / "b.npy", IMAGE)
    os.utime(tmp_path / "b.npy", ns=(1, 1))
    os.replace(tmp_path / "b.npy", tmp_path / "a.npy")
    assert "not what it was" in volume.changed()


@pytest.mark.parametrize("damage", ["cut", "empty", "noise"])
@pytest.mark.parametrize("shards", [None, (8, 16, 16)])
def test_damaged_chunks_are_filled_and_told(tmp_path: Path, damage: str, shards: Any) -> None:
    path = tmp_path / "größe.zarr"
    zarr.create_array(path, data=IMAGE, chunks=CHUNK, shards=shards)
    file = path / "c" / "0" / "1" / "0"
    content = file.read_bytes()
    file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "noise": b"\x01" * len(content)}[damage])
    expected = IMAGE.copy()
    if shards is None:
        expected[:4, 8:16, :8] = 0
    else:
        expected[:8, 16:, :16] = 0
    with pytest.raises(VolumeError, match=r"chunk \(0, \d, 0\) in .*größe\.zarr.c.0.1.0 is damaged") as caught:
        open_volume(path).read(Region((0, 8, 0), (16, 32, 32)))
    assert 'on_damage="fill"' in caught.value.remedy
    volume = open_volume(path, on_damage="fill")
    np.testing.assert_array_equal(volume.read(volume.region)[0], expected)
    volume.read(volume.region)
    assert len(volume.filled) == (1 if shards is None else 8)
    assert all(str(file) == one.file and one.reason for one in volume.filled)
    assert volume.select([0]).filled == volume.filled


def test_layers_of_any_backing(tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    stored = zarr.create_array(tmp_path / "a.zarr", data=IMAGE, chunks=CHUNK)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "a.zarr")}}
    region = Region((1, 3, 5), (9, 20, 30))
    for array in (IMAGE, dask.array.from_array(IMAGE, (3, 20, 20)), stored, tensorstore.open(spec).result()):
        volume = Volume.from_array(array)
        assert volume.dtype == np.uint16 and volume.shape == IMAGE.shape
        np.testing.assert_array_equal(volume.read(region)[0], IMAGE[region.slices])


def test_arrays_that_are_asked_for_it_go_through_the_cache() -> None:
    source = Slow(IMAGE, CHUNK)
    volume = Volume.from_array(source, cache=True)
    for _ in range(2):
        np.testing.assert_array_equal(volume.read(volume.region)[0], IMAGE)
    assert source.read.max() == 1
    assert (
        Volume.from_array(dask.array.from_array(IMAGE, (5, 20, 30)), cache=True).read(volume.region).sum()
        == IMAGE.sum()
    )
