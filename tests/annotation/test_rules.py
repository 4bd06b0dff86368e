"""The rules of WEBKNOSSOS and Biodock, at their boundaries."""

from __future__ import annotations

import pytest

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.annotation.rules import BoxedSource, check_annotations, check_boxes

BIG = (200, 200, 200)


def source(*boxes, **changes):
    facts = {"image": "raw.tif", "labels": "painted.tif", "labels_shape": BIG, "boxes": boxes}
    return BoxedSource(**(facts | changes))


def box(shape, start=(0, 0, 0), **changes):
    stop = tuple(a + n for a, n in zip(start, shape, strict=True))
    return Box(start=start, stop=stop, **changes)


def codes(*sources):
    return [finding.code for finding in check_boxes(sources)]


@pytest.mark.parametrize(("extent", "found"), [(31, ["box-small"]), (32, []), (33, [])])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_32_voxels_are_enough(extent, found, axis):
    shape = [32, 32, 32]
    shape[axis] = extent
    assert codes(source(box(shape))) == found


@pytest.mark.parametrize(("extent", "found"), [(62, ["box-small"]), (63, ["box-small", "box-unaligned"]), (64, [])])
def test_extents_count_at_the_training_magnification(extent, found):
    assert codes(source(box((40, 64, extent)), magnification=(1, 2, 2))) == found


@pytest.mark.parametrize(("start", "small"), [(0, False), (1, True), (2, False)])
def test_extents_count_after_alignment(start, small):
    # 64 voxels at an odd start hold 31 whole voxels of magnification 2, at an even one 32.
    found = codes(source(box((40, 40, 64), (0, 0, start)), magnification=(1, 1, 2)))
    assert ("box-small" in found) == small


def test_z_is_not_checked_in_a_2d_image():
    assert codes(source(box((1, 32, 32)), labels_shape=(1, 64, 64))) == []


def test_z_is_not_checked_in_a_set_of_slices_but_is_in_a_volume():
    assert codes(source(box((5, 32, 32)), slices=True)) == []
    assert codes(source(box((5, 32, 32)))) == ["box-small"]


def test_a_small_box_is_a_warning_that_names_box_and_axis():
    (finding,) = check_boxes([source(box((32, 32, 31), name="soma"))])
    assert (finding.level, finding.where) == ("warning", "soma")
    assert "x 31" in finding.message and finding.remedy


@pytest.mark.parametrize(
    ("start", "extent", "unaligned"), [(0, 64, False), (4, 64, False), (1, 64, True), (0, 65, True)]
)
def test_unaligned_means_that_converting_back_differs(start, extent, unaligned):
    found = codes(source(box((64, 64, extent), (0, 0, start)), magnification=(1, 1, 2)))
    assert ("box-unaligned" in found) == unaligned


def test_a_box_is_never_unaligned_at_the_finest_level():
    assert "box-unaligned" not in codes(source(box((33, 35, 37), (1, 3, 5))))


def test_the_whole_of_an_odd_volume_is_no_drawn_box():
    odd = source(box((1, 65, 65)), labels_shape=(1, 65, 65), magnification=(1, 2, 2), drawn=False)
    assert codes(odd) == []


def test_multiples_are_checked_from_two_boxes_on():
    odd = box((33, 50, 70))
    assert codes(source(odd)) == []
    assert codes(source(box((32, 32, 32)), odd)) == ["box-no-multiple"]


def test_multiples_of_the_smallest_per_axis_over_all_sources():
    # The smallest is 32 along z and x from the first source, 40 along y from the second.
    first = source(box((32, 80, 32)), image="a")
    assert codes(first, source(box((64, 40, 96)), image="b")) == []
    assert codes(first, source(box((64, 40, 97)), image="b")) == ["box-no-multiple"]


def test_multiples_are_counted_after_alignment():
    two = source(box((32, 64, 64)), box((32, 65, 128), (50, 0, 0)), magnification=(1, 2, 2))
    assert codes(two) == ["box-unaligned"]


def test_no_boxes_is_an_error():
    (finding,) = check_boxes([source()])
    assert (finding.level, finding.code) == ("error", "no-boxes")
    assert codes() == ["no-boxes"]


def test_zero_volume_is_an_error():
    assert codes(source(box((1, 3, 3), (0, 1, 1)), magnification=(1, 4, 4)))[0] == "no-volume"


@pytest.mark.parametrize(
    ("start", "found"), [((168, 168, 168), []), ((168, 168, 169), ["box-outside"]), ((300, 0, 0), ["box-outside"])]
)
def test_a_box_must_lie_in_the_ground_truth(start, found):
    assert codes(source(box((32, 32, 32), start))) == found


@pytest.mark.parametrize(("start", "word"), [((0, 0, -1), "partly"), ((0, 0, 200), "wholly")])
def test_it_says_whether_a_box_is_partly_or_wholly_outside(start, word):
    (finding,) = check_boxes([source(box((32, 32, 32), start))])
    assert finding.level == "error" and word in finding.message


def test_image_and_ground_truth_must_differ():
    found = check_boxes([source(box((32, 32, 32)), labels="raw.tif")])
    assert [(f.level, f.code) for f in found] == [("error", "same-layer")]


def test_the_layers_need_a_common_magnification():
    none = source(box((32, 32, 32)), image_magnifications=((1, 1, 1),), labels_magnifications=((1, 2, 2),))
    (finding,) = check_boxes([none])
    assert (finding.level, finding.code) == ("error", "no-common-magnification")
    assert "2-2-1" in finding.message
    one = source(box((32, 32, 32)), image_magnifications=((1, 1, 1), (1, 2, 2)), labels_magnifications=((1, 2, 2),))
    assert codes(one) == []


def test_errors_come_first():
    found = check_boxes([source(box((31, 32, 32)), box((31, 32, 32), (190, 0, 0)))])
    assert [f.level for f in found] == ["error", "warning", "warning"]


@pytest.mark.parametrize(("count", "found"), [(0, ["few-annotations"]), (50, ["few-annotations"]), (51, [])])
def test_51_annotations_pass_and_fewer_only_warn(count, found):
    findings = check_annotations(count, has_test=False)
    assert [f.code for f in findings] == found
    assert all(f.level == "warning" for f in findings)


def test_sparse_ground_truth_is_meant_to_hold_few_objects():
    assert check_annotations(9, has_test=False, dense=False) == []


@pytest.mark.parametrize(("count", "advised_against"), [(50, True), (51, False)])
def test_a_test_set_is_advised_against_in_the_first_rounds(count, advised_against):
    found = [f.code for f in check_annotations(count, has_test=True)]
    assert ("early-test-set" in found) == advised_against
