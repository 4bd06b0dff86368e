import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_aitrain.evaluation import Calibration, calibrate, expected_calibration_error, rescore
from napari_aitrain.evaluation.calibration import calibration_bins
from napari_aitrain.tasks import Objects, make_task


def sample(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features of which one decides, by a logistic law, whether an object is right."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, 3)) * [0.1, 5, 1] + [0.5, 100, 0]
    chance = 1 / (1 + np.exp(-(features[:, 1] - 100) / 2))
    features[:, 0] = features[:, 0].clip(0, 1)
    return features.astype(np.float32), random.random(n) < chance


def test_scores_of_new_objects_are_calibrated() -> None:
    calibration = Calibration.fit(*sample(400), ("raw", "a", "b"))
    features, correct = sample(4000, seed=1)
    scores = calibration.apply(features)
    assert calibration.kind == "logistic"
    assert expected_calibration_error(scores, correct) < 0.06 < expected_calibration_error(features[:, 0], correct)
    assert scores[correct].mean() > scores[~correct].mean() + 0.3
    assert calibration.ece is not None and calibration.ece < 0.12


def test_a_calibration_survives_json() -> None:
    calibration = Calibration.fit(*sample(100), ("raw", "a", "b"))
    again = Calibration.model_validate(json.loads(json.dumps(calibration.model_dump(mode="json"))))
    features = sample(50, seed=2)[0]
    np.testing.assert_array_equal(again.apply(features), calibration.apply(features))


@pytest.mark.parametrize("n", [0, 1, 5, 11])
def test_too_few_objects_keep_raw_scores_and_say_so(n: int) -> None:
    features, correct = sample(n)
    calibration = Calibration.fit(features, correct)
    assert calibration.kind == "raw"
    assert f"{n} objects" in calibration.reason
    np.testing.assert_allclose(calibration.apply(features), features[:, 0])
    assert (calibration.ece is None) == (n == 0)


def test_few_objects_use_the_raw_score_alone() -> None:
    features, correct = sample(20)
    correct = features[:, 0] > 0.5
    calibration = Calibration.fit(features, correct)
    assert calibration.kind == "logistic"
    assert "raw score alone" in calibration.reason
    np.testing.assert_array_equal(np.argsort(calibration.apply(features)), np.argsort(features[:, 0]))


def test_few_objects_never_turn_the_order_round() -> None:
    features, _ = sample(20)
    calibration = Calibration.fit(features, features[:, 0] < 0.5)
    assert calibration.kind == "raw"
    assert "does not tell" in calibration.reason


def test_nothing_wrong_to_learn_from_keeps_raw_scores() -> None:
    features, _ = sample(60)
    assert Calibration.fit(features, np.ones(60, bool)).kind == "raw"


@settings(max_examples=20, deadline=None)
@given(arrays(np.float32, (7, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_scores_stay_between_zero_and_one(features: np.ndarray) -> None:
    for calibration in (Calibration(), Calibration.fit(*sample(100))):
        scores = calibration.apply(features)
        assert scores.dtype == np.float32
        assert ((scores >= 0) & (scores <= 1)).all()


def test_no_objects_have_no_scores() -> None:
    assert Calibration.fit(*sample(100)).apply(np.zeros((0, 3), np.float32)).shape == (0,)


def test_error_of_known_scores() -> None:
    scores = np.array([0.95] * 4 + [0.15] * 4)
    correct = np.array([True] * 3 + [False] + [False] * 4)
    assert expected_calibration_error(scores, correct) == pytest.approx(0.5 * 0.2 + 0.5 * 0.15)
    assert [n for _, _, n in calibration_bins(scores, correct)] == [4, 4]
    assert calibration_bins([1.0], np.array([True])) == [(1.0, 1.0, 1)]


def test_calibrating_predictions_of_instances() -> None:
    task = make_task("instances", {"minimum_size": 0})
    truth = np.zeros((1, 120, 120), np.int32)
    maps = np.zeros((3, *truth.shape), np.float32)
    for number in range(36):
        y, x = 20 * (number // 6), 20 * (number % 6)
        region = (0, slice(y + 3, y + 15), slice(x + 3, x + 15))
        right = number % 3 > 0
        maps[0][region] = maps[1][region] = 0.9 if right else 0.55 + 0.01 * (number % 5)
        if right:
            truth[region] = number + 1
    objects = task.decode(maps, None, 2)
    known = np.ones(truth.shape, bool)
    calibration = calibrate([(objects, truth, known)], task.feature_names)
    assert (calibration.objects, calibration.correct) == (36, 24)
    scored = rescore(objects, calibration)
    assert scored.scores[0] == 0
    assert expected_calibration_error(scored.scores[1:], np.arange(36) % 3 > 0) < 0.15
    assert rescore(objects, None) is objects


def test_class_maps_have_no_scores_to_calibrate() -> None:
    objects = make_task("semantic").decode(np.full((2, 1, 4, 4), 0.5, np.float32), None, 2)
    assert rescore(objects, Calibration()) is objects
    assert isinstance(objects, Objects)
