"""Disks that are full or read-only, killed writers, and two writers of one output."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zarr.storage import LocalStore

from napari_aitrain.errors import OutputExistsError, StorageError
from napari_aitrain.geometry import Region, tiles
from napari_aitrain.volumes import LabelsWriter, open_volume, read_labels
from napari_aitrain.volumes.output_lock import OutputLock, lock_path
from napari_aitrain.volumes.write_zarr import ZarrOptions
from napari_aitrain.volumes.writing import stripes

SHAPE = (16, 300, 300)
NAMES = ["größe 細胞.ome.zarr", "größe 細胞.tif"]


def noise(shape: Any = SHAPE) -> Any:
    return np.random.default_rng(0).integers(1, 2**31 - 1, shape)


def write(path: Path, labels: Any, **settings: Any) -> None:
    with LabelsWriter(path, labels.shape, **settings) as writer:
        for tile in tiles(Region.from_shape(labels.shape), (8, 150, 150)):
            writer.write(tile.core, labels[tile.core.slices])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("only an administrator of Linux may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_gets_full(small_disk: Path, name: str) -> None:
    (small_disk / "mine").write_text("stays")
    with pytest.raises(StorageError, match="disk is full"):
        write(small_disk / name, noise())
    assert [entry.name for entry in small_disk.iterdir()] == ["mine"]


@pytest.mark.parametrize("level", ["0/", "1/"])
@pytest.mark.parametrize("options", [ZarrOptions(), ZarrOptions(shards=True), ZarrOptions(version="0.4")])
def test_a_store_that_gets_full_in_any_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, options: ZarrOptions
) -> None:
    real, tried = LocalStore.set, []

    async def full(self: LocalStore, key: str, value: Any) -> None:
        if key.startswith(level) and "zarr" not in key and ".z" not in key:
            tried.append(key)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await real(self, key, value)

    monkeypatch.setattr(LocalStore, "set", full)
    with pytest.raises(StorageError, match="disk is full"):
        write(tmp_path / "a.zarr", noise(), options=options)
    assert tried and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="only POSIX can take on another user")
@pytest.mark.parametrize("name", NAMES)
def test_no_right_to_write(name: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made) / "locked"
        place.mkdir()
        os.chmod(made, 0o755)
        os.chmod(place, 0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(StorageError, match="read-only for you"):
                write(place / name, noise())
            with pytest.raises(StorageError, match="read-only for you"):
                write(place / "new" / name, noise())
        finally:
            os.seteuid(before)
        assert list(place.iterdir()) == []
        os.chmod(place, 0o755)


HOLD = """
import sys, time
from napari_aitrain.volumes import LabelsWriter
from napari_aitrain.geometry import Region
import numpy as np
writer = LabelsWriter(sys.argv[1], (4, 4, 4)).__enter__()
writer.write(Region.from_shape((4, 4, 4)), np.ones((4, 4, 4), int))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_on_one_output(tmp_path: Path, name: str) -> None:
    out, labels = tmp_path / name, noise()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(OutputExistsError) as caught:
            write(out, labels)
        assert f"process {other.pid} on {socket.gethostname()}" in caught.value.what
        assert not out.exists() and len(list(tmp_path.iterdir())) == 2
    finally:
        other.kill()
        other.communicate()
    # What was killed left its lock and a part of an output; both go.
    assert len(list(tmp_path.iterdir())) == 2
    write(out, labels)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    volume = open_volume(out, kind="labels")
    np.testing.assert_array_equal(read_labels(volume, volume.region), labels)


def test_two_writers_in_one_process(tmp_path: Path) -> None:
    with LabelsWriter(tmp_path / "a.tif", (1, 2, 2)), pytest.raises(OutputExistsError, match=f"process {os.getpid()}"):
        LabelsWriter(tmp_path / "a.tif", (1, 2, 2)).__enter__()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]


def test_long_names_have_locks_of_their_own(tmp_path: Path) -> None:
    names = ["細" * 50 + end + ".zarr" for end in "ab"]
    assert len({lock_path(tmp_path / name) for name in names}) == 2
    with OutputLock(tmp_path / names[0]), OutputLock(tmp_path / names[1]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_cannot_have_files_elsewhere_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.part").write_text("stays")
    out = tmp_path / "out" / "a.tif"
    out.parent.mkdir()
    owner = '{"pid": 1, "started": 0.0, "host": "%s", "acquired": 0.0, "part": "../mine.part"}'
    lock_path(out).write_text(owner % socket.gethostname())
    with OutputLock(out):
        pass
    assert (tmp_path / "mine.part").read_text() == "stays"


def test_threads_write_one_shard_one_after_another_and_others_at_once() -> None:
    assert stripes(Region((0, 0, 0), (4, 4, 4)), (4, 4, 4)) == stripes(Region((1, 1, 1), (2, 2, 2)), (4, 4, 4))
    assert stripes(Region((0, 0, 0), (8, 4, 4)), (4, 4, 4)) > stripes(Region((4, 0, 0), (8, 4, 4)), (4, 4, 4))
    assert len(stripes(Region((0, 0, 0), (400, 400, 400)), (4, 4, 4))) == 64


@pytest.mark.parametrize("options", [ZarrOptions(chunks=(8, 64, 64)), ZarrOptions(shards=True, chunks=(4, 32, 32))])
def test_many_threads_that_share_chunks(tmp_path: Path, options: ZarrOptions) -> None:
    labels, path = noise(), tmp_path / "a.zarr"
    with LabelsWriter(path, SHAPE, options=options) as writer:

        def work(first: int) -> None:
            for tile in list(tiles(Region.from_shape(SHAPE), (5, 47, 53)))[first::4]:
                writer.write(tile.core, labels[tile.core.slices])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    volume = open_volume(path, kind="labels")
    np.testing.assert_array_equal(read_labels(volume, volume.region), labels)
