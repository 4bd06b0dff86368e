"""Sparse ground truth: only what was painted is on disk, in step at every level, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr

from napari_aitrain.annotation.sparse import SparseTruth, is_sparse, painted_folder
from napari_aitrain.annotation.sparse_boxes import boxes_around, painted_boxes
from napari_aitrain.annotation.sparse_change import difference
from napari_aitrain.annotation.sparse_journal import Journal
from napari_aitrain.annotation.sparse_pyramid import pyramid_levels
from napari_aitrain.errors import GroundTruthError, StorageError, VolumeError
from napari_aitrain.geometry import Region, magnified_shape, to_finest
from napari_aitrain.volumes import open_volume, read_labels
from napari_aitrain.volumes.downsample import downsample_mode


def paint(truth, magnification, region, value):
    """Paint a region with one id, as a layer would that saves what changed."""
    before = truth.read(magnification, region)
    change = difference(magnification, region, before, np.full(region.shape, value, np.int32))
    truth.commit([] if change is None else [change])


def finest_of(shape, strokes):
    """Return what the finest voxels show: per magnification what was painted last, the finest on top."""
    whole = np.zeros(shape, np.int32)
    for m in sorted({m for m, _, _ in strokes}, key=lambda m: -m[0] * m[1] * m[2]):
        sheet = np.zeros(shape, np.int32)
        for _, region, value in (stroke for stroke in strokes if stroke[0] == m):
            sheet[to_finest(region, m).intersect(Region.from_shape(shape)).slices] = value
        whole = np.where(sheet != 0, sheet, whole)
    return whole


def random_strokes(shape, magnifications, count, seed):
    chance = random.Random(seed)
    for _ in range(count):
        m = chance.choice(magnifications)
        extent = magnified_shape(shape, m)
        start = [chance.randrange(n) for n in extent]
        size = [chance.randint(1, max(1, n // 3)) for n in extent]
        region = Region.from_shape(size, start).intersect(Region.from_shape(extent))
        yield m, region, chance.choice([0, 1, 2, 3, 70_000])


def check_in_step(truth, expected):
    volume = open_volume(truth.path, kind="labels")
    assert np.array_equal(read_labels(volume, volume.region), expected)
    level = expected
    for a, b, number in zip(truth.levels[:-1], truth.levels[1:], range(1, 99), strict=False):
        level = downsample_mode(level[None], [n // m for m, n in zip(a, b, strict=True)])[0]
        assert np.array_equal(zarr.open_array(truth.path / str(number))[:].reshape(level.shape), level)


@pytest.mark.parametrize(
    ("shape", "magnifications"),
    [((40, 140, 150), [(1, 1, 1), (1, 2, 2), (2, 4, 4)]), ((1, 1300, 1100), [(1, 1, 1), (1, 3, 3), (1, 8, 8)])],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_level_shows_the_finest_that_was_painted(tmp_path, shape, magnifications, seed):
    truth = SparseTruth.create(tmp_path / "k.zarr", shape, [(1, 2, 2), (2, 4, 4)], (30.0, 4.0, 4.0))
    strokes = list(random_strokes(shape, magnifications, 8, seed))
    for stroke in strokes:
        paint(truth, *stroke)
    expected = finest_of(shape, strokes)
    check_in_step(truth, expected)
    assert open_volume(truth.path, kind="labels").voxel_size[1:] == (4, 4)
    again = SparseTruth.open(truth.path)
    assert again.recovered == 0
    for m in magnifications:
        own = np.zeros(magnified_shape(shape, m), np.int32)
        for _, region, value in (stroke for stroke in strokes if stroke[0] == m):
            own[region.slices] = value
        assert np.array_equal(again.read(m, Region.from_shape(own.shape)), own)
        numbers, counts = np.unique(own[own != 0], return_counts=True)
        assert again.counts(m) == dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    assert again.largest_id == max(value for _, _, value in strokes)


def test_only_painted_chunks_are_on_disk_and_erased_ones_go(tmp_path):
    shape = (1, 100_000, 100_000)
    truth = SparseTruth.create(tmp_path / "k.zarr", shape)
    chunks = lambda: [file for file in tmp_path.rglob("c/*/*") if file.is_file()]  # noqa: E731
    assert chunks() == []
    here, there = Region((0, 51_000, 52_000), (1, 51_040, 52_040)), Region((0, 99_990, 99_990), (1, 100_000, 100_000))
    paint(truth, (1, 1, 1), here, 5)
    paint(truth, (1, 1, 1), there, 6)
    assert len(chunks()) <= 2 * (1 + len(truth.levels))
    before = {file: file.stat().st_mtime_ns for file in chunks()}
    paint(truth, (1, 1, 1), Region((0, 51_000, 52_000), (1, 51_001, 52_001)), 7)
    changed = [file for file, at in before.items() if file.exists() and file.stat().st_mtime_ns != at]
    assert 2 <= len(changed) <= 1 + len(truth.levels)
    assert {region.shape for region in truth.painted((1, 1, 1))} == {(1, 512, 512), (1, 160, 160)}
    for region in (here, there):
        paint(truth, (1, 1, 1), region, 0)
    assert chunks() == []


def test_a_coarse_stroke_leaves_what_was_painted_finer(tmp_path):
    truth = SparseTruth.create(tmp_path / "k.zarr", (1, 64, 64))
    paint(truth, (1, 1, 1), Region((0, 10, 10), (1, 14, 14)), 3)
    paint(truth, (1, 8, 8), Region((0, 0, 0), (1, 4, 4)), 9)
    volume = open_volume(truth.path, kind="labels")
    labels = read_labels(volume, volume.region)[0]
    assert (labels[10:14, 10:14] == 3).all() and (labels[:32, :32] != 0).all() and labels[0, 0] == 9
    paint(truth, (1, 8, 8), Region((0, 0, 0), (1, 4, 4)), 0)
    labels = read_labels(volume, volume.region)[0]
    assert sorted(np.unique(labels)) == [0, 3]


def test_steps_can_be_undone_as_far_as_they_lie_inside(tmp_path):
    truth = SparseTruth.create(tmp_path / "k.zarr", (1, 256, 256))
    fine, part = (1, 1, 1), Region((0, 0, 0), (1, 128, 128))
    paint(truth, fine, Region((0, 100, 100), (1, 200, 200)), 1)
    paint(truth, fine, Region((0, 10, 10), (1, 20, 20)), 2)
    paint(truth, (1, 2, 2), Region((0, 0, 0), (1, 100, 100)), 3)
    paint(truth, fine, Region((0, 200, 200), (1, 210, 210)), 4)
    paint(truth, fine, Region((0, 15, 15), (1, 25, 25)), 5)
    steps = SparseTruth.open(truth.path).steps_back(fine, part)
    assert [[int(change.after.max()) for change in step] for step in steps] == [[5], [2]]
    labels = truth.read(fine, part)
    for step in steps:
        for change in step:
            assert np.array_equal(labels[change.region.slices], change.after)
            labels[change.region.slices] = change.before
    assert not labels[:, :100, :100].any() and labels[0, 120, 120] == 1
    assert truth.steps_back(fine, part, most=1)[0][0].after.max() == 5


def test_a_torn_end_of_the_journal_is_cut_off_and_the_rest_is_done(tmp_path):
    truth = SparseTruth.create(tmp_path / "k.zarr", (1, 64, 64))
    region = Region((0, 0, 0), (1, 8, 8))
    paint(truth, (1, 1, 1), region, 1)
    journal = Journal(painted_folder(truth.path) / "journal")
    change = difference((1, 1, 1), region, np.ones(region.shape, np.int32), np.full(region.shape, 2, np.int32))
    journal.append(2, [change])
    with journal.path.open("ab") as file:
        file.write(b"AITJ" + b"\x00" * 7)
    again = SparseTruth.open(truth.path)
    assert again.recovered == 1
    assert again.counts((1, 1, 1)) == {2: 64}
    check_in_step(again, np.pad(np.full((1, 8, 8), 2), ((0, 0), (0, 56), (0, 56))))
    paint(again, (1, 1, 1), region, 3)
    assert [entry.group for entry in journal.entries()] == [1, 2, 3]


def test_the_journal_lets_go_of_the_oldest(tmp_path):
    journal = Journal(tmp_path / "journal")
    noise = np.random.default_rng(0).integers(0, 2**31 - 1, (1, 64, 64)).astype(np.int32)
    for group in range(1, 11):
        journal.append(group, [difference((1, 1, 1), Region.from_shape(noise.shape), 0 * noise, noise + group)])
    size = journal.path.stat().st_size
    journal.shorten(size)
    assert journal.path.stat().st_size == size
    journal.shorten(size - 1)
    kept = list(journal.entries())
    assert [entry.group for entry in kept] == [7, 8, 9, 10]
    assert np.array_equal(kept[-1].change.after, noise + 10)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    truth = SparseTruth.create(tmp_path / "k.zarr", (1, 64, 64))
    region = Region((0, 0, 0), (1, 8, 8))
    paint(truth, (1, 1, 1), region, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("zarr.storage._local._put", full)
        with pytest.raises(StorageError, match="full"):
            paint(truth, (1, 1, 1), region, 2)
        with pytest.raises(StorageError, match="full"):
            paint(truth, (1, 1, 1), region, 2)
    paint(truth, (1, 1, 1), Region((0, 0, 0), (1, 2, 2)), 3)
    assert truth.counts((1, 1, 1)) == {2: 60, 3: 4}
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="full"):
            paint(truth, (1, 1, 1), region, 4)
    again = SparseTruth.open(truth.path)
    assert again.counts((1, 1, 1)) == {2: 60, 3: 4}


def test_a_damaged_state_is_explained(tmp_path):
    truth = SparseTruth.create(tmp_path / "k.zarr", (1, 64, 64))
    assert is_sparse(truth.path) and not is_sparse(tmp_path / "other.zarr")
    (painted_folder(truth.path) / "state.json").write_text("{")
    with pytest.raises(VolumeError, match=r"state\.json") as error:
        SparseTruth.open(truth.path)
    assert "can be opened as it is" in error.value.remedy


@pytest.mark.parametrize(
    ("shape", "wanted", "expected"),
    [
        ((1, 2000, 2000), [], [(1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 8, 8)]),
        ((1, 2000, 2000), [(1, 4, 4)], [(1, 1, 1), (1, 4, 4), (1, 8, 8)]),
        ((1, 2000, 2000), [(1, 16, 16)], [(1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 16, 16)]),
        ((200, 900, 900), [(1, 2, 2), (2, 4, 4), (3, 6, 6)], [(1, 1, 1), (1, 2, 2), (2, 4, 4)]),
    ],
)
def test_levels_are_those_of_the_image_and_end_small(shape, wanted, expected):
    assert list(pyramid_levels(shape, wanted)) == expected


def test_near_regions_share_a_box():
    regions = [Region((0, n, n), (1, n + 10, n + 10)) for n in (0, 200, 8, 100, 110)]
    boxes = boxes_around(regions, (0, 5, 5))
    assert sorted(boxes) == [Region((0, a, a), (1, b, b)) for a, b in ((0, 18), (100, 120), (200, 210))]


_PAINTS = """
import sys
import numpy as np
from pathlib import Path
from napari_aitrain.annotation.sparse import SparseTruth
from napari_aitrain.annotation.sparse_change import difference
from napari_aitrain.geometry import Region

truth = SparseTruth.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10_000):
    m = (1, 1, 1) if number % 3 else (1, 4, 4)
    chance = np.random.default_rng(number)
    start = chance.integers(0, 600 if number % 3 else 115, 2)
    region = Region.from_shape((1, 60, 60), (0, *start))
    after = np.where(chance.random(region.shape) < 0.7, number, truth.read(m, region)).astype(np.int32)
    print("begin", number, flush=True)
    truth.commit([difference(m, region, truth.read(m, region), after)])
    print("saved", number, flush=True)
"""


def test_kills_lose_nothing_that_was_saved(tmp_path):
    shape = (1, 700, 700)
    truth = SparseTruth.create(tmp_path / "k.zarr", shape)
    number, chance = 1, random.Random(0)
    for _ in range(5):
        truth.close()
        child = subprocess.Popen([sys.executable, "-c", _PAINTS, truth.path, str(number)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(chance.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().decode()
        child.wait()
        child.stdout.close()
        saved = [int(line.split()[1]) for line in said.splitlines() if line.startswith("saved")]
        truth = SparseTruth.open(truth.path)
        done = max(saved, default=number - 1)
        assert truth._state.group in (done, done + 1)
        number = truth._state.group + 1
    expected = np.zeros(shape, np.int32)
    sheets = {m: truth.read(m, Region.from_shape(magnified_shape(shape, m))) for m in ((1, 1, 1), (1, 4, 4))}
    for made in range(1, number):
        m = (1, 1, 1) if made % 3 else (1, 4, 4)
        assert (sheets[m] == made).any() or made < number - 8, "it was painted over, if at all, by later ones"
    coarse = sheets[1, 4, 4].repeat(4, axis=1).repeat(4, axis=2)
    expected = np.where(sheets[1, 1, 1] != 0, sheets[1, 1, 1], coarse)
    check_in_step(truth, expected)
    for m, labels in sheets.items():
        numbers, counts = np.unique(labels[labels != 0], return_counts=True)
        assert truth.counts(m) == dict(zip(numbers.tolist(), counts.tolist(), strict=True))


_HOLDS = """
import sys
from pathlib import Path
from napari_aitrain.annotation.sparse import SparseTruth

truth = SparseTruth.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_two_processes_never_paint_one_ground_truth(tmp_path):
    path = tmp_path / "k.zarr"
    truth = SparseTruth.create(path, (1, 64, 64))
    second = SparseTruth.open(path)
    paint(second, (1, 1, 1), Region((0, 0, 0), (1, 4, 4)), 3)
    truth.close()
    command = [sys.executable, "-c", _HOLDS, path]
    refused = subprocess.run(command, capture_output=True, text=True, input="")
    assert refused.returncode and f"is being painted by process {os.getpid()} on" in refused.stderr
    second.close()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "open\n"
        with pytest.raises(StorageError, match=f"by process {child.pid} on") as error:
            SparseTruth.open(path)
        assert "close its project" in error.value.remedy
        with pytest.raises(StorageError, match=f"by process {child.pid} on"):
            paint(second, (1, 1, 1), Region((0, 0, 0), (1, 4, 4)), 5)
        assert painted_boxes(path), "what trains on it only reads"
        child.kill()
    third = SparseTruth.open(path)
    assert third.counts((1, 1, 1)) == {3: 16}, "the lock of a process that is gone is taken over"
    third.close()
    assert not (painted_folder(path) / "lock.json").exists()


def test_boxes_that_are_known_stay_and_new_chunks_get_their_own(tmp_path):
    path = tmp_path / "k.zarr"
    truth = SparseTruth.create(path, (1, 4000, 4000))
    with pytest.raises(GroundTruthError, match="nothing is painted in k"):
        painted_boxes(path)
    paint(truth, (1, 1, 1), Region((0, 10, 10), (1, 20, 20)), 1)
    known = painted_boxes(path)
    assert [box.region for box in known] == truth.extents() == [Region((0, 0, 0), (1, 512, 512))]
    assert known[0].sparse and painted_boxes(path, known) == known
    paint(truth, (1, 4, 4), Region((0, 900, 900), (1, 905, 905)), 2)
    more = painted_boxes(path, known)
    assert more[:1] == known
    grown = Region((0, 2048, 2048), (1, 4000, 4000))
    assert {box.region for box in more[1:]} == {
        Region.from_shape((1, 512, 512), (0, y, x)).intersect(grown)
        for y in range(2048, 4000, 512)
        for x in range(2048, 4000, 512)
    }
    assert painted_boxes(path, known) == more
