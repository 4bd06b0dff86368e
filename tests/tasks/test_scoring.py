import numpy as np
import pytest

from napari_aitrain.tasks import Objects, apply_threshold, make_task
from napari_aitrain.tasks.scoring import FEATURE_NAMES, correct_objects, judge, object_features

KNOWN = np.ones((1, 20, 20), bool)


def made(labels: np.ndarray, dims: int = 3) -> Objects:
    """Return objects with these labels."""
    n = int(labels.max()) + 1
    return Objects(labels, np.zeros(n, np.float32), np.zeros((n, 1), np.float32), extra={"dims": dims})


def test_features_say_what_they_are_named_after() -> None:
    labels = np.zeros((1, 20, 20), np.int32)
    labels[0, 2:8, 2:8], labels[0, 12:15, 12:15] = 1, 2
    maps = np.zeros((3, 1, 20, 20), np.float32)
    maps[0, labels == 1], maps[0, labels == 2] = 0.9, 0.6
    maps[1, 0, 5, 5] = 0.8
    table = object_features(labels, maps)
    column = dict(zip(FEATURE_NAMES, table.T, strict=True))
    assert table.shape == (3, len(FEATURE_NAMES))
    assert not table[0].any()
    assert column["log_size"][1:] == pytest.approx(np.log1p([36, 9]))
    assert column["mean_foreground"][1:] == pytest.approx([0.9, 0.6])
    assert column["margin"][1:] == pytest.approx([0.8, 0.2])
    assert column["seed_height"][1:] == pytest.approx([0.8, 0])
    assert column["rim_share"][1:] == pytest.approx([20 / 36, 8 / 9])
    assert column["raw"][1] > column["raw"][2]


def test_right_objects_are_those_that_overlap_enough() -> None:
    truth = np.zeros((1, 20, 20), np.int32)
    truth[0, :8, :8], truth[0, 12:, 12:] = 4, 9
    labels = np.zeros_like(truth)
    labels[0, 1:8, :8], labels[0, 12:14, 12:], labels[0, :3, 15:] = 1, 2, 3
    judged = correct_objects(made(labels), truth)
    assert judged.ids.tolist() == [1, 2, 3]
    assert judged.correct.tolist() == [True, False, False]
    assert judged.n_truth == 2


def test_slices_are_judged_on_their_own_in_two_dimensions() -> None:
    truth = np.ones((2, 6, 6), np.int32)
    labels = np.ones((2, 6, 6), np.int32)
    labels[1] = 2
    assert correct_objects(made(labels, dims=2), truth).correct.tolist() == [True, True]
    assert correct_objects(made(labels, dims=3), truth).n_truth == 1


def test_unlabelled_places_are_not_held_against_a_prediction() -> None:
    truth = np.full((1, 20, 20), -1, np.int32)
    truth[0, 2:8, 2:8] = 3
    labels = np.zeros_like(truth)
    labels[0, 2:8, 2:8], labels[0, 14:18, 14:18] = 1, 2
    judged = correct_objects(made(labels), truth, truth >= 0)
    assert judged.ids.tolist() == [1]
    assert judged.correct.all()
    metrics = make_task("instances").metrics([(made(labels), truth, truth >= 0)])
    assert metrics["ap50"] == metrics["score"] == 1


def test_an_object_that_swallows_a_painted_one_is_wrong() -> None:
    truth = np.full((1, 20, 20), -1, np.int32)
    truth[0, 8:12, 8:12] = 3
    labels = np.ones_like(truth)
    assert not correct_objects(made(labels), truth, truth >= 0).correct.any()


def test_an_object_on_painted_background_is_wrong() -> None:
    truth = np.full((1, 20, 20), -1, np.int32)
    truth[0, :, :10] = 0
    labels = np.zeros_like(truth)
    labels[0, 3:6, 3:6], labels[0, 3:6, 15:18] = 1, 2
    judged = correct_objects(made(labels), truth, truth >= 0)
    assert judged.ids.tolist() == [1]
    assert not judged.correct.any()


def test_dense_truth_is_judged_as_it_is() -> None:
    truth = np.zeros((1, 20, 20), np.int32)
    labels = np.ones_like(truth)
    prediction, _, known = judge(labels, truth, KNOWN)
    assert prediction is labels
    assert known.all()


def test_threshold_looks_up_scores_and_keeps_ids() -> None:
    labels = np.array([[[0, 1, 2, 3]]], np.int32)
    objects = Objects(labels, np.array([0, 0.5, 0.4, 1], np.float32), np.zeros((4, 0), np.float32))
    assert apply_threshold(objects, 0.0).tolist() == labels.tolist()
    assert apply_threshold(objects, 0.5).tolist() == [[[0, 1, 0, 3]]]
    assert objects.labels is labels
