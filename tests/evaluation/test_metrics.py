import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import adapted_rand_error, variation_of_information

from napari_aitrain.errors import GroundTruthError
from napari_aitrain.evaluation import instance_metrics, semantic_metrics
from napari_aitrain.evaluation.metrics import pieces_of_classes
from napari_aitrain.tasks.matching import Overlap
from napari_aitrain.tasks.tally import InstanceTally

label_arrays = arrays(np.int32, (2, 6, 6), elements=st.integers(0, 4))
segmentations = arrays(np.int32, (2, 6, 6), elements=st.integers(1, 4))
permutations = st.permutations([1, 2, 3, 4])


def squares(*corners: tuple[int, int, int]) -> np.ndarray:
    """Return an image of 20 × 20 with squares (y, x, side), numbered from 1."""
    labels = np.zeros((1, 20, 20), np.int32)
    for number, (y, x, side) in enumerate(corners, start=1):
        labels[0, y : y + side, x : x + side] = number
    return labels


def test_one_hit_one_miss_one_extra() -> None:
    truth = squares((0, 0, 4), (10, 10, 4))
    prediction = squares((0, 0, 4), (0, 10, 4))
    metrics = instance_metrics(prediction, truth)
    assert metrics["ap50"] == pytest.approx(1 / 3)
    assert metrics["f1_50"] == pytest.approx(1 / 2)
    assert metrics["pq"] == pytest.approx(1 / 2)
    assert (metrics["sq"], metrics["rq"]) == (1, 0.5)
    assert (metrics["precision"], metrics["recall"]) == (0.5, 0.5)
    assert (metrics["n_truth"], metrics["n_prediction"]) == (2, 2)
    assert metrics["iou"] == pytest.approx(1 / 3)
    assert metrics["dice"] == pytest.approx(1 / 2)


def test_iou_decides_at_which_threshold_an_object_counts() -> None:
    truth = np.zeros((1, 1, 10), np.int32)
    truth[..., :8] = 1
    prediction = np.zeros_like(truth)
    prediction[..., :6] = 7
    metrics = instance_metrics(prediction, truth)
    assert (metrics["ap50"], metrics["ap75"], metrics["ap80"]) == (1, 1, 0)
    assert metrics["sq"] == metrics["pq"] == pytest.approx(0.75)


def test_an_iou_of_exactly_one_half_counts_once() -> None:
    truth = np.array([[[1, 1, 1, 1]]], np.int32)
    prediction = np.array([[[1, 1, 2, 2]]], np.int32)
    metrics = instance_metrics(prediction, truth)
    assert metrics["ap50"] == pytest.approx(1 / 2)
    assert metrics["ap55"] == 0


def test_competing_objects_are_paired_to_the_most_pairs() -> None:
    """Taking the best pair first (1 with 1, IoU 0.6) would leave both others without a partner."""
    truth = np.array([[[1] * 6 + [1, 1] + [2] * 6]], np.int32)
    prediction = np.array([[[2] * 2 + [1] * 8 + [0] * 4]], np.int32)
    overlap = Overlap.count(prediction, truth)
    truths, predictions, _ = overlap.match(0.1)
    assert dict(zip(truths.tolist(), predictions.tolist(), strict=True)) == {1: 2, 2: 1}


def test_nothing_found_where_nothing_is() -> None:
    empty = np.zeros((1, 4, 4), np.int32)
    metrics = instance_metrics(empty, empty)
    assert metrics["ap50"] == metrics["f1_50"] == metrics["pq"] == metrics["dice"] == 1
    assert metrics["arand"] == metrics["voi_split"] == metrics["voi_merge"] == 0
    wrong = instance_metrics(squares((0, 0, 3)), np.zeros((1, 20, 20), np.int32))
    assert wrong["ap50"] == wrong["pq"] == wrong["dice"] == wrong["sq"] == 0


def test_split_and_merge_are_told_apart() -> None:
    whole = np.ones((1, 4, 8), np.int32)
    halves = np.repeat([[[1] * 4 + [2] * 4]], 4, axis=1).astype(np.int32)
    split = instance_metrics(halves, whole)
    assert (split["voi_split"], split["voi_merge"]) == (pytest.approx(1), 0)
    merge = instance_metrics(whole, halves)
    assert (merge["voi_split"], merge["voi_merge"]) == (0, pytest.approx(1))


def test_arand_ignores_background_of_the_truth_only() -> None:
    truth = squares((0, 0, 6))
    spilt = truth.copy()
    spilt[0, 10:15, 10:15] = 1
    assert instance_metrics(spilt, truth)["arand"] == 0
    eaten = truth.copy()
    eaten[0, :3, :6] = 0
    assert instance_metrics(eaten, truth)["arand"] > 0.2


@settings(max_examples=60, deadline=None)
@given(label_arrays, label_arrays)
def test_arand_and_voi_agree_with_scikit_image(prediction: np.ndarray, truth: np.ndarray) -> None:
    metrics = instance_metrics(prediction, truth)
    inside = truth > 0
    if not inside.any():
        return
    false_split, false_merge = variation_of_information(truth[inside], prediction[inside])
    assert metrics["voi_split"] == pytest.approx(false_split, abs=1e-9)
    assert metrics["voi_merge"] == pytest.approx(false_merge, abs=1e-9)
    squares_sum = InstanceTally.count(prediction, truth).squares
    if squares_sum[1] and squares_sum[2]:
        expected = adapted_rand_error(truth, prediction, ignore_labels=(0,))[0]
        if np.isfinite(expected):
            assert metrics["arand"] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(label_arrays, label_arrays, permutations, permutations)
def test_names_of_ids_change_nothing(
    prediction: np.ndarray, truth: np.ndarray, first: list[int], second: list[int]
) -> None:
    renamed = instance_metrics(np.array([0, *first])[prediction] * 1000, np.array([0, *second])[truth])
    assert renamed == pytest.approx(instance_metrics(prediction, truth))


@settings(max_examples=40, deadline=None)
@given(label_arrays)
def test_a_perfect_prediction_is_perfect(truth: np.ndarray) -> None:
    metrics = instance_metrics(truth, truth)
    assert metrics["ap_mean"] == metrics["pq"] == metrics["iou"] == metrics["dice"] == 1
    assert metrics["arand"] == pytest.approx(0)
    assert metrics["voi_split"] == metrics["voi_merge"] == 0
    assert semantic_metrics(truth, truth)["iou"] == 1


@settings(max_examples=40, deadline=None)
@given(label_arrays, label_arrays)
def test_every_metric_is_in_its_range(prediction: np.ndarray, truth: np.ndarray) -> None:
    metrics = instance_metrics(prediction, truth)
    for name, value in metrics.items():
        if not name.startswith(("n_", "voi")):
            assert -1e-9 <= value <= 1 + 1e-9, name
    assert metrics["ap50"] >= metrics["ap75"] >= metrics["ap90"]
    assert metrics["pq"] == pytest.approx(metrics["sq"] * metrics["rq"])


@settings(max_examples=40, deadline=None)
@given(segmentations, label_arrays, segmentations, label_arrays)
def test_tallies_add_up_as_if_images_lay_side_by_side(
    p1: np.ndarray, t1: np.ndarray, p2: np.ndarray, t2: np.ndarray
) -> None:
    together = instance_metrics(np.concatenate([p1, p2 + 10]), np.concatenate([t1, np.where(t2, t2 + 10, 0)]))
    added = InstanceTally.count(p1, t1) + InstanceTally.count(p2, t2)
    assert added.metrics() == pytest.approx(together)


@settings(max_examples=30, deadline=None)
@given(label_arrays, label_arrays, arrays(np.bool_, (2, 6, 6)))
def test_ignored_voxels_are_as_if_they_were_not_there(
    prediction: np.ndarray, truth: np.ndarray, ignore: np.ndarray
) -> None:
    kept = instance_metrics(prediction[~ignore], truth[~ignore])
    assert instance_metrics(prediction, truth, ignore=ignore) == kept


@pytest.mark.parametrize("offset", [2**31, 2**62])
def test_large_ids_count_like_small_ones(offset: int) -> None:
    truth = squares((0, 0, 4), (10, 10, 4)).astype(np.uint64)
    prediction = squares((0, 1, 4), (10, 10, 4)).astype(np.uint64)
    large = np.where(prediction > 0, prediction + np.uint64(offset), 0).astype(np.uint64)
    assert instance_metrics(large, truth) == instance_metrics(prediction, truth)


def test_classes_count_by_voxel() -> None:
    truth = np.array([[[0, 0, 255, 255, 7, 7]]])
    prediction = np.array([[[0, 255, 255, 255, 7, 0]]])
    metrics = semantic_metrics(prediction, truth)
    assert metrics["iou_255"] == pytest.approx(2 / 3)
    assert metrics["iou_7"] == pytest.approx(1 / 2)
    assert metrics["iou_0"] == pytest.approx(1 / 3)
    assert metrics["iou"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics["dice_255"] == pytest.approx(4 / 5)
    assert metrics["dice"] == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_a_class_that_is_nowhere_has_no_figure() -> None:
    truth = np.array([[[0, 1]]])
    metrics = semantic_metrics(truth, truth, classes=(0, 1, 2))
    assert "iou_2" not in metrics
    assert metrics["iou"] == 1


def test_shapes_must_agree() -> None:
    with pytest.raises(GroundTruthError, match="shape"):
        instance_metrics(np.zeros((1, 2, 2), int), np.zeros((1, 2, 3), int))


def test_pieces_of_classes_do_not_connect_by_corners_or_across_classes() -> None:
    labels = np.array([[[255, 0, 0], [0, 255, 7]]], np.int32)
    pieces = pieces_of_classes(labels, background=0)
    assert len(np.unique(pieces[pieces > 0])) == 3
    assert (pieces_of_classes(labels, background=255) > 0).sum() == 4
