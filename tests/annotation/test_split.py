"""Roles: nothing is trained on and looked at, nothing ends up empty, and it is said what was done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_aitrain.annotation.cut import find_cut
from napari_aitrain.annotation.roles import Candidate
from napari_aitrain.annotation.split import assign_roles
from napari_aitrain.geometry import Region, to_finest

NOWHERE = (0, 0, 0)


def candidate(shape, start=NOWHERE, image="a", role="train", **more):
    return Candidate(Region.from_shape(shape, start), role, image, **more)


def painted(array, start=NOWHERE, **more):
    classes = tuple(int(i) for i in np.unique(array[array > 0])) or (0,)
    profiles = tuple(
        np.stack([np.count_nonzero(array == i if i else array, axis=tuple({0, 1, 2} - {axis})) for i in classes])
        for axis in range(3)
    )
    return candidate(array.shape, start, profiles=profiles, classes=classes, **more)


def of(split, role):
    return [part for part in split.parts if part.role == role]


sizes = st.lists(st.tuples(st.integers(1, 3), st.integers(20, 90), st.integers(20, 90)), min_size=2, max_size=12)


@given(sizes, st.floats(0.05, 0.5), st.integers(0, 99))
def test_whole_boxes_at_least_one_on_each_side(shapes, fraction, seed):
    boxes = [candidate(shape, image=str(i)) for i, shape in enumerate(shapes)]
    split = assign_roles(boxes, fraction, seed)
    assert sorted(part.of for part in split.parts) == list(range(len(boxes)))
    assert all(part.region == boxes[part.of].region for part in split.parts)
    assert of(split, "train") and of(split, "validation")
    assert assign_roles(boxes, fraction, seed) == split


@given(st.integers(5, 60), st.floats(0.1, 0.5), st.integers(0, 99))
def test_equal_boxes_are_balanced_by_voxels(count, fraction, seed):
    split = assign_roles([candidate((1, 64, 64), image=str(i)) for i in range(count)], fraction, seed)
    assert abs(len(of(split, "validation")) - fraction * count) <= 1


def test_another_seed_chooses_other_boxes():
    boxes = [candidate((1, 64, 64), image=str(i)) for i in range(30)]
    chosen = {tuple(p.of for p in of(assign_roles(boxes, 0.2, seed), "validation")) for seed in range(4)}
    assert len(chosen) == 4


def test_one_giant_box_stays_for_training():
    boxes = [candidate((1, 1000, 1000), image="a"), *(candidate((1, 64, 64), image=str(i)) for i in range(3))]
    for seed in range(8):
        assert 0 in {part.of for part in of(assign_roles(boxes, 0.2, seed), "train")}


def test_roles_that_people_gave_are_kept():
    boxes = [candidate((1, 64, 64), image=str(i), role=role) for i, role in enumerate(["train", "validation", "test"])]
    split = assign_roles(boxes)
    assert [part.role for part in split.parts] == ["train", "validation", "test"]
    assert "chosen" in split.sentence and not split.findings


def test_test_boxes_are_left_alone():
    boxes = [candidate((1, 99, 99), image=str(i), role="test" if i % 2 else "train") for i in range(10)]
    split = assign_roles(boxes, 0.4)
    assert {part.of for part in of(split, "test")} == {1, 3, 5, 7, 9}


def test_nothing_to_train_on_is_an_error():
    split = assign_roles([candidate((1, 64, 64), role="validation")])
    assert [(f.level, f.code) for f in split.findings] == [("error", "no-training-boxes")]


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 150), st.integers(1, 150)),
    st.floats(0.1, 0.5),
    st.tuples(st.integers(0, 6), st.integers(0, 24), st.integers(0, 24)),
)
def test_a_single_box_is_cut_with_a_gap_that_belongs_to_nothing(shape, fraction, reach):
    split = assign_roles([candidate(shape)], fraction, receptive_field=reach)
    (train,), (validation,) = of(split, "train"), of(split, "validation")
    codes = {finding.code for finding in split.findings}
    if "no-split" in codes:
        assert train.region == validation.region
        return
    axis = next(a for a in range(3) if train.region.shape[a] < shape[a])
    low, high = sorted([train.region, validation.region], key=lambda region: region.start[axis])
    gap = high.start[axis] - low.stop[axis]
    assert not train.region.overlaps(validation.region)
    assert train.region.shape[axis] + validation.region.shape[axis] + gap == shape[axis]
    assert (gap == max(1, 2 * reach[axis])) == ("small-split" not in codes)
    assert train.region.shape[axis] >= shape[axis] / 2


def test_a_single_box_is_cut_along_its_longest_axis_by_the_fraction():
    split = assign_roles([candidate((20, 256, 512))], 0.2, receptive_field=(0, 16, 16))
    (train,), (validation,) = of(split, "train"), of(split, "validation")
    assert (train.region.shape, validation.region.shape) == ((20, 256, 384), (20, 256, 96))
    assert "a gap of 32 voxels" in split.sentence and not split.findings


@pytest.mark.parametrize(("extent", "code"), [(64 + 32, None), (64, "small-split"), (31, "no-split")])
def test_it_says_when_a_box_is_too_small_for_the_gap(extent, code):
    split = assign_roles([candidate((1, extent, extent))], receptive_field=(0, 16, 16))
    assert [f.code for f in split.findings] == ([code] if code else [])
    assert of(split, "train") and of(split, "validation")


def test_both_parts_hold_labels_wherever_they_were_painted():
    array = np.zeros((1, 200, 400), bool)
    array[0, 100:104, :60] = True
    array[0, 20:24, 130:140] = True
    split = assign_roles([painted(array)], 0.2, receptive_field=(0, 16, 16))
    for part in split.parts:
        assert array[part.region.slices].any()


@given(st.integers(0, 2**32 - 1))
def test_scattered_strokes_are_found_on_both_sides_or_it_says_so(seed):
    random = np.random.default_rng(seed)
    array = np.zeros((1, 120, 120), bool)
    for y, x in random.integers(0, 117, (4, 2)):
        array[0, y : y + 3, x : x + 3] = True
    split = assign_roles([painted(array)], 0.2, receptive_field=(0, 16, 16))
    assert all(array[part.region.slices].any() for part in split.parts)


def test_boxes_without_labels_are_not_set_aside():
    empty = np.zeros((1, 64, 64), bool)
    boxes = [painted(empty, image=str(i)) for i in range(8)] + [
        candidate((1, 64, 64), image="x"),
        candidate((1, 64, 64), image="y"),
    ]
    for seed in range(5):
        assert {part.of for part in of(assign_roles(boxes, seed=seed), "validation")} <= {8, 9}


def test_overlapping_boxes_stay_together():
    boxes = [
        candidate((1, 64, 64)),
        candidate((1, 64, 64), (0, 200, 0)),
        candidate((1, 64, 64), (0, 40, 0)),
        candidate((1, 64, 64), (0, 90, 0)),
    ]
    for seed in range(6):
        sides = {part.of: part.role for part in assign_roles(boxes, 0.4, seed).parts}
        assert sides[0] == sides[2] == sides[3] != sides[1]


@given(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), st.sampled_from([(1, 1, 1), (1, 2, 2)]))
def test_two_overlapping_boxes_are_cut_by_one_plane(offset, magnification):
    first = candidate((1, 120, 160), (0, 50, 50))
    second = replace(candidate((1, 60, 60), (0, 50 + offset[0], 50 + offset[1])), magnification=magnification)
    assume(first.finest.overlaps(second.finest))
    split = assign_roles([first, second], receptive_field=(0, 8, 8))
    boxes = {
        role: [to_finest(part.region, (first, second)[part.of].magnification) for part in of(split, role)]
        for role in ("train", "validation")
    }
    assert boxes["train"] and boxes["validation"]
    for a in boxes["train"]:
        for b in boxes["validation"]:
            assert not a.grow((0, 7, 7)).overlaps(b)


@pytest.mark.parametrize(("start", "code"), [(63, "roles-overlap"), (64, "roles-near"), (79, "roles-near"), (80, None)])
@pytest.mark.parametrize("roles", [("train", "validation"), ("train", "test"), ("validation", "test")])
def test_roles_must_not_share_voxels_and_should_keep_a_distance(start, code, roles):
    boxes = [candidate((1, 64, 64), role=roles[0]), candidate((1, 64, 64), (0, start, 0), role=roles[1])]
    boxes += [candidate((1, 64, 64), image="b", role="train"), candidate((1, 64, 64), image="c", role="validation")]
    found = [f.code for f in assign_roles(boxes, receptive_field=(0, 16, 16)).findings]
    assert found == ([code] if code else [])


def test_a_test_box_over_a_training_box_is_found_without_validation_boxes():
    boxes = [
        candidate((1, 256, 256)),
        candidate((1, 64, 64), (0, 10, 10), role="test"),
        candidate((1, 64, 64), image="b"),
    ]
    for seed in range(4):
        assert "roles-overlap" in {f.code for f in assign_roles(boxes, seed=seed).findings}


def test_boxes_of_other_images_never_overlap():
    boxes = [candidate((1, 64, 64), role="train"), candidate((1, 64, 64), image="b", role="validation")]
    assert not assign_roles(boxes).findings


def test_overlap_is_seen_across_magnifications():
    boxes = [candidate((1, 64, 64)), candidate((1, 32, 32), (0, 16, 16), role="validation", magnification=(1, 2, 2))]
    assert [f.code for f in assign_roles(boxes).findings] == ["roles-overlap"]


def test_no_cut_leaves_a_side_without_labels():
    profile = np.zeros((1, 200), np.int64)
    profile[0, 100] = 5
    assert find_cut([np.array([[5]]), np.array([[5]]), profile], 0.2, (0, 4, 4)) is None


def test_training_keeps_every_class_of_a_single_box():
    array = np.zeros((1, 256, 256), int)
    array[0, 10:20, 10:200], array[0, 200:210, 10:200] = 1, 2
    split = assign_roles([painted(array)], receptive_field=(0, 16, 16))
    for part in split.parts:
        assert set(np.unique(array[part.region.slices])) == {0, 1, 2}


def test_a_class_that_cannot_be_shared_stays_in_training():
    array = np.zeros((1, 256, 256), int)
    array[0, :, :100] = 1
    array[0, 120:124, 120:124] = 2
    array[0, :, 200:] = 1
    split = assign_roles([painted(array)], receptive_field=(0, 16, 16))
    (train,) = of(split, "train")
    assert set(np.unique(array[train.region.slices])) == {0, 1, 2}


@given(st.integers(0, 99))
def test_the_only_box_of_a_class_is_not_set_aside(seed):
    boxes = [painted(np.full((1, 64, 64), 2 if i == 3 else 1), image=str(i)) for i in range(5)]
    assert 3 in {part.of for part in of(assign_roles(boxes, 0.5, seed), "train")}
