import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.evaluation import curve_from_scores, instance_metrics, semantic_metrics, threshold_curve
from napari_aitrain.evaluation.curve import ScoreCounts
from napari_aitrain.tasks import Objects, apply_threshold, make_task


def random_objects(seed: int) -> tuple[Objects, np.ndarray]:
    """Return a prediction of blocks with random scores and a truth that it meets here and there."""
    random = np.random.default_rng(seed)
    truth = np.zeros((1, 40, 40), np.int32)
    labels = np.zeros_like(truth)
    for number in range(16):
        y, x = 10 * (number // 4), 10 * (number % 4)
        if random.random() < 0.8:
            truth[0, y + 1 : y + 8, x + 1 : x + 8] = number + 1
        if random.random() < 0.8:
            shift = random.integers(0, 4)
            labels[0, y + shift : y + 7, x + 1 : x + 8] = labels.max() + 1
    scores = random.random(int(labels.max()) + 1).astype(np.float32)
    scores[0] = 0
    return Objects(labels, scores, scores[:, None]), truth


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_the_curve_is_what_applying_each_threshold_gives(seed: int) -> None:
    objects, truth = random_objects(seed)
    curve = threshold_curve(objects, truth)
    for index in (0, 25, 50, 75, 100):
        shown = apply_threshold(objects, float(curve.thresholds[index]))
        metrics = instance_metrics(shown, truth)
        assert curve.f1[index] == pytest.approx(metrics["f1_50"])
        assert curve.recall[index] == pytest.approx(metrics["recall"])
        assert curve.precision[index] == pytest.approx(metrics["precision"] if metrics["n_prediction"] else 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_recall_never_rises_with_the_threshold(seed: int) -> None:
    curve = threshold_curve(*random_objects(seed))
    assert (np.diff(curve.recall) <= 0).all()
    assert curve.best_f1 == curve.f1.max()


def test_best_is_in_the_middle_of_the_range_that_is_best() -> None:
    scores = np.array([0.2, 0.8], np.float32)
    curve = curve_from_scores(scores, np.array([False, True]), 1)
    assert curve.best == pytest.approx(0.505)
    assert curve.best_f1 == 1


@given(st.integers(0, 10**6), st.floats(0.3, 3), st.floats(0.3, 3), st.integers(0, 5000))
@settings(max_examples=20, deadline=None)
def test_the_expected_threshold_is_as_good_as_the_best_where_scores_are_probabilities(
    seed: int, right: float, wrong: float, missed: int
) -> None:
    random = np.random.default_rng(seed)
    scores = random.beta(right, wrong, 20_000).astype(np.float32)
    correct = random.random(len(scores)) < scores
    counts = ScoreCounts.of(scores, correct, int(correct.sum()) + missed)
    curve, threshold = counts.curve(), counts.expected_threshold()
    assert np.interp(threshold, curve.thresholds, curve.f1) > curve.best_f1 - 0.01


def test_of_a_few_objects_the_expected_threshold_is_none_that_cuts_by_chance() -> None:
    scores, correct = np.array([0.1, 0.12, 0.15, 0.2, 0.22], np.float32), np.arange(5) == 4
    counts = ScoreCounts.of(scores, correct, 3)
    assert counts.curve().best > 0.2
    assert 0.09 < counts.expected_threshold() < 0.11
    assert ScoreCounts.of(scores[:0], correct[:0], 3).expected_threshold() == 0


def test_a_score_equal_to_the_threshold_is_kept() -> None:
    curve = curve_from_scores(np.array([0.57], np.float32), np.array([True]), 1)
    assert curve.recall[57] == 1
    assert curve.recall[58] == 0


def test_nothing_to_find_and_nothing_found() -> None:
    curve = curve_from_scores(np.zeros(0, np.float32), np.zeros(0, bool), 0)
    assert (curve.f1 == 1).all()
    assert curve.as_dict()["best"] == 0.5


def test_the_curve_of_classes_counts_voxels() -> None:
    random = np.random.default_rng(0)
    maps = random.random((2, 1, 30, 30)).astype(np.float32)
    maps /= maps.sum(axis=0)
    truth = random.integers(0, 2, (1, 30, 30)).astype(np.int32) * 255
    known = random.random(truth.shape) < 0.7
    objects = make_task("semantic", {}, (0, 255)).decode(maps, None, 2)
    curve = threshold_curve(objects, truth, known)
    for index in (50, 75):
        shown = apply_threshold(objects, float(curve.thresholds[index]))
        expected = semantic_metrics(shown, truth, (0, 255), ignore=~known)["dice_255"]
        assert curve.f1[index] == pytest.approx(expected)
