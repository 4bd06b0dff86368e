"""The project folder: written chunk by chunk, read back exactly, honest about trouble."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.annotation.generate import place_boxes
from napari_aitrain.annotation.image_copy import copy_image
from napari_aitrain.annotation.project import STATE, KeptTruth, Project, ProjectState
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.errors import OutputExistsError, StorageError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Volume, open_volume


def test_state_is_read_back(tmp_path):
    project = Project.create(tmp_path / "a" / "p")
    box = WorldBox(start=(0, 0, 0), stop=(1.5, 2, 3), image="cells", name="µ", tags=("one",))
    state = ProjectState(truths=(KeptTruth(key="k", layer="l", image="cells"),), boxes=(box,))
    project.save_state(state)
    assert Project.open(project.folder).state == state
    with pytest.raises(OutputExistsError):
        Project.create(project.folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"truths": 3}', '{"version": 99}'])
def test_damaged_or_newer_projects_are_explained(tmp_path, text):
    project = Project.create(tmp_path / "p")
    (project.folder / STATE).write_text(text)
    with pytest.raises(VolumeError) as error:
        Project.open(project.folder)
    assert error.value.remedy
    with pytest.raises(VolumeError, match="no project"):
        Project.open(tmp_path)


@pytest.mark.parametrize(
    ("shape", "flat", "magnification"),
    [((70, 140, 130), False, (1, 1, 1)), ((33, 301, 257), False, (1, 2, 2)), ((1, 700, 1030), True, (1, 4, 4))],
)
def test_labels_are_read_back_as_they_were_painted(tmp_path, shape, flat, magnification):
    project = Project.create(tmp_path / "p")
    store = project.labels("k", (2,), shape, flat=flat, magnification=magnification, voxel_size=(40.0, 8.0, 8.0))
    painted = np.random.default_rng(0).integers(0, 2**31 - 1, store.shape).astype(np.int32)
    chunks = list(store.chunks())
    for region in chunks[:-1]:
        store.write(region, painted[region.slices])
    painted[chunks[-1].slices] = 0
    again = project.labels("k", (2,), shape, flat=flat, magnification=magnification)
    read = np.zeros_like(painted)
    for region, values in again.stored():
        read[region.slices] = values
    assert np.array_equal(read, painted)
    volume = open_volume(store.path, kind="labels")
    assert volume.shape == shape
    assert volume.voxel_size[1:] == (8, 8)
    assert np.array_equal(volume.at(magnification).read(Region.from_shape(store.shape))[0], painted)
    assert project.frames("k") == [(2,)]


def test_only_the_chunk_that_was_written_changes(tmp_path):
    project = Project.create(tmp_path / "p")
    store = project.labels("k", (), (64, 256, 256))
    for region in store.chunks():
        store.write(region, np.ones(region.shape, np.int32))
    before = {file: file.stat().st_mtime_ns for file in store.path.rglob("c/**/*") if file.is_file()}
    first = next(iter(store.chunks()))
    store.write(first, np.full(first.shape, 2, np.int32))
    changed = [file for file, time in before.items() if file.stat().st_mtime_ns != time]
    assert len(before) == 8
    assert len(changed) == 1
    store.write(first, np.zeros(first.shape, np.int32))
    assert not changed[0].exists()


def test_a_disk_that_takes_nothing_is_told(tmp_path, monkeypatch):
    project = Project.create(tmp_path / "p")
    store = project.labels("k", (), (4, 64, 64))
    region = next(iter(store.chunks()))
    store.write(region, np.ones(region.shape, np.int32))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.storage._local._put", full)
    with pytest.raises(StorageError, match="full"):
        store.write(region, np.full(region.shape, 2, np.int32))
    assert [values.max() for _, values in store.stored()] == [1]


@pytest.mark.parametrize(("shape", "axes"), [((5, 60, 70), "zyx"), ((60, 70, 3), "yxc"), ((2, 5, 60, 70), "czyx")])
def test_an_image_is_copied_once(tmp_path, shape, axes):
    array = np.random.default_rng(0).integers(0, 9, shape).astype(np.uint16)
    volume = Volume.from_array(array, name="Some image!", axes=axes, voxel_size=(10, 2, 2))
    path = copy_image(volume, tmp_path / "images", 2**20)
    copied = open_volume(path)
    assert np.array_equal(copied.read(copied.region), volume.read(volume.region))
    assert copied.voxel_size[1:] == (2, 2)
    assert copy_image(volume, tmp_path / "images", 0) == path
    with pytest.raises(StorageError, match="too large"):
        copy_image(Volume.from_array(array + 1, axes=axes), tmp_path / "images", 10)


def test_a_copy_tells_how_far_it_is_and_can_be_given_up(tmp_path):
    volume = Volume.from_array(np.ones((3, 600, 600), np.uint8), axes="zyx")
    told = []
    path = copy_image(volume, tmp_path / "images", 2**30, told.append)
    assert len(told) > 10 and told == sorted(told) and told[-1] == 1
    other = Volume.from_array(np.zeros((3, 600, 600), np.uint8), axes="zyx")

    def give_up(fraction):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copy_image(other, tmp_path / "images", 2**30, give_up)
    assert list((tmp_path / "images").iterdir()) == [path]


def test_boxes_are_placed_apart(tmp_path):
    taken = [Region((0, 0, 0), (8, 32, 64))]
    placed = place_boxes((8, 64, 64), (8, 16, 16), 8, taken, seed=1)
    assert len(placed) == 8
    for number, region in enumerate(placed):
        assert Region.from_shape((8, 64, 64)).contains(region)
        assert not any(region.overlaps(other) for other in (*taken, *placed[:number]))
    assert len(place_boxes((8, 64, 64), (8, 16, 16), 99, taken, seed=1)) == 8


def test_crowded_boxes_keep_to_the_grid():
    placed = place_boxes((1, 128, 128), (9, 32, 32), 99, [], seed=0, grid=(1, 4, 4))
    assert len(placed) >= 8
    assert all(start % 4 == 0 for region in placed for start in region.start[1:])
