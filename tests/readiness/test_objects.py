"""Objects in ground truth: binary labels, ids used twice, and the max distance."""

from __future__ import annotations

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from napari_aitrain.tasks import make_task
from napari_aitrain.training.crops import freeze_crops
from napari_aitrain.training.object_rules import separation_of
from napari_aitrain.training.plan import plan_crops
from napari_aitrain.training.readiness import check
from napari_aitrain.training.separation import Separation, separate
from napari_aitrain.training.wanted import wanted_boxes

VOXEL = (40.0, 10.0, 10.0)


def codes(readiness):
    return [finding.code for finding in readiness.findings]


def message(readiness, code):
    return next(finding.message for finding in readiness.findings if finding.code == code)


@pytest.mark.parametrize(("shape", "dims"), [((96, 96), "2"), ((12, 64, 64), "2"), ((12, 64, 64), "3")])
@pytest.mark.parametrize("value", [1, 255])
def test_binary_labels_become_connected_pieces(files, tmp_path, shape, dims, value):
    truth = (files.objects(shape) > 0).astype(np.uint8) * value
    config = files.config(files.source(shape, truth, voxel_size=VOXEL), dims=dims)
    readiness = check(config)
    slices = 8 if len(shape) == 3 and dims == "2" else 1
    pieces = cc3d.connected_components(truth).max() * slices
    assert f"({value})" in message(readiness, "binary-labels")
    assert f"{pieces:,} connected pieces" in message(readiness, "binary-labels")
    crops = freeze_crops(config, tmp_path)
    assert crops.binary
    for crop in crops.crops:
        assert np.array_equal(crop.labels > 0, truth.reshape(-1, *shape[-2:])[crop.region.slices] > 0)
        assert crop.objects == len(np.unique(crop.labels[crop.labels > 0])) > 2
    # What a running training would read again is what was frozen.
    (now,) = wanted_boxes(config, separation_of(make_task("instances"), crops.dims, crops.binary))
    for crop in crops.crops:
        assert np.array_equal(now.image.open_labels().read(crop.region)[0], crop.labels)


def test_a_single_object_stays_one(files):
    truth = np.zeros((96, 96), np.uint8)
    truth[10:80, 10:80] = 7
    readiness = check(files.config(files.source((96, 96), truth)))
    assert "one-object" in codes(readiness)
    assert "binary-labels" not in codes(readiness)


def test_a_box_of_background_only_is_told(files):
    config = files.config(files.source((96, 96), np.zeros((96, 96), np.uint8), voxel_size=VOXEL), task="em-instances")
    assert "no-labels" in codes(check(config))


def test_ids_used_twice_are_named_and_parted(files, tmp_path):
    truth = np.zeros((96, 200), np.uint16)
    truth[5:15, 5:15] = truth[5:15, 150:170] = 3
    truth[40:50, 5:15] = truth[40:50, 20:30] = 4
    truth[80:90, 60:80] = 5
    source = files.source(truth.shape, truth, voxel_size=VOXEL)
    config = files.config(source, task="em-instances", task_settings={"max_distance": 400.0})
    told = message(check(config), "id-used-twice")
    assert "3 in" in told and "4 in" not in told
    assert "more than 400 nm apart" in told
    labels = plan_crops(config).crops[0].image.open_labels()
    (found,) = labels.read(labels.region)[0]
    assert np.array_equal(found > 0, truth > 0)
    assert found[10, 160] == 3 and found[10, 10] not in (0, 3, 4, 5)
    assert set(found[40:50].ravel()) == {0, 4}
    for crop in freeze_crops(config, tmp_path).crops:
        assert np.array_equal(crop.labels, labels.read(crop.region)[0])
    # With a larger max distance nothing is parted.
    wide = config.model_copy(update={"task_settings": {"max_distance": 5000.0}})
    assert "id-used-twice" not in codes(check(wide))


def test_the_max_distance_is_asked_for_and_held_against_the_objects(files):
    truth = np.zeros((96, 96), np.uint16)
    truth[5:15, 5:85] = 3
    truth[40:50, 5:90] = 4
    source = files.source(truth.shape, truth, voxel_size=VOXEL)
    readiness = check(files.config(source, task="em-instances"))
    assert "850 nm" in message(readiness, "max-distance-not-given")
    readiness = check(files.config(source, task="em-instances", task_settings={"max_distance": 500.0}))
    assert "max-distance-not-given" not in codes(readiness)
    assert "2 of 2" in message(readiness, "objects-exceed-max-distance")


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_other_tasks_know_no_max_distance(files, task):
    readiness = check(files.config(files.source(voxel_size=VOXEL), task=task))
    assert not {"max-distance-not-given", "id-used-twice"} & set(codes(readiness))


def test_the_background_id_stays(files):
    truth = np.zeros((1, 8, 40), np.int32)
    truth[0, :, :5], truth[0, 2:4, 8:12], truth[0, 2:4, 20:24] = 1, 2, 2
    found, shared = separate(truth, Separation(True, False), None, background_id=1)
    assert np.array_equal(found == 1, truth == 1)
    assert len(np.unique(found[truth == 2])) == 2 and not shared
    found, shared = separate(truth, Separation(False, False, 50.0), VOXEL, background_id=1)
    assert np.array_equal(found == 1, truth == 1)
    assert len(np.unique(found[truth == 2])) == 2
    assert [each.label for each in shared] == [2] and len(shared[0].places) == 2
    for place in shared[0].places:
        assert truth[place] == 2


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    most=st.floats(15, 300),
    share=st.floats(0.01, 0.2),
    flat=st.booleans(),
    first=st.integers(1, 2**31 - 2000),
)
def test_pieces_of_one_id_are_never_farther_apart(seed, most, share, flat, first):
    random = np.random.default_rng(seed)
    truth = np.where(random.uniform(0, 1, (2, 10, 12)) < share, random.integers(first, first + 3, (2, 10, 12)), 0)
    truth = truth.astype(np.int32)
    found, shared = separate(truth, Separation(False, flat, most), VOXEL)
    assert np.array_equal(found > 0, truth > 0)
    assert found.min() >= 0
    # Ids are only parted, never joined.
    pairs = np.unique(np.stack([found[found > 0], truth[found > 0]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    assert {each.label for each in shared} == {i for i in np.unique(pairs[1]) if (pairs[1] == i).sum() > 1}
    for part in found if flat else [found]:
        for label in np.unique(part[part > 0]):
            pieces = cc3d.connected_components(part == label, connectivity=8 if flat else 26)
            at = [np.argwhere(pieces == k) * VOXEL[-part.ndim :] for k in range(1, int(pieces.max()) + 1)]
            assert all(cdist(a, b).min() <= most for i, a in enumerate(at) for b in at[:i])
