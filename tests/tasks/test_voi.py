"""The figures of neurons: by hand, against scikit-image, and from one table over all thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import adapted_rand_error, variation_of_information

from napari_aitrain.evaluation import instance_metrics
from napari_aitrain.tasks.merge_tree import MergeTree
from napari_aitrain.tasks.voi import Contingency, agreement_curve

labels = arrays(np.int32, (2, 4, 5), elements=st.integers(0, 4))


def figures(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return Contingency.count(prediction, truth).agreement().metrics()


def test_by_hand() -> None:
    truth = np.array([[[1, 1, 2, 2]]], np.int32)
    assert figures(truth, truth) == {
        "voi_split": 0, "voi_merge": 0, "voi": 0, "arand": 0, "v_rand": 1, "v_info": 1,
    }  # fmt: skip
    # Everything merged: one bit is missing of which object a voxel is of.
    merged = figures(np.ones_like(truth), truth)
    assert (merged["voi_split"], merged["voi_merge"]) == (0, 1)
    # Σp² = 2·(1/2)² = 1/2, Σs² = 1, Σt² = 1/2: 2 · 0.5 / 1.5.
    assert merged["v_rand"] == pytest.approx(2 / 3)
    assert merged["v_info"] == 0
    # All split: I = 1 bit, H(S) = 2, H(T) = 1.
    split = figures(np.array([[[1, 2, 3, 4]]], np.int32), truth)
    assert (split["voi_split"], split["voi_merge"]) == (1, 0)
    assert split["v_info"] == pytest.approx(2 / 3)
    assert split["v_rand"] == pytest.approx(2 * (1 / 4) / (1 / 4 + 1 / 2))


def test_voxels_without_an_object_in_the_truth_do_not_count() -> None:
    truth = np.array([[[1, 1, 0, -1, 2, 2]]], np.int32)
    prediction = np.array([[[1, 1, 9, 8, 2, 2]]], np.int32)
    assert figures(prediction, truth)["voi"] == 0
    known = np.array([[[True, True, True, True, False, False]]])
    table = Contingency.count(np.array([[[1, 1, 1, 1, 1, 1]]], np.int32), truth, known)
    assert table.agreement().metrics()["voi"] == 0


@pytest.mark.parametrize("truth", [np.zeros((1, 2, 2), np.int32), np.ones((1, 2, 2), np.int32)])
def test_nothing_to_find_or_one_object_give_numbers(truth: np.ndarray) -> None:
    found = figures(np.ones_like(truth), truth)
    assert all(np.isfinite(v) for v in found.values())
    assert found["voi"] == 0 and found["arand"] == 0 and found["v_rand"] == 1 and found["v_info"] == 1


@settings(deadline=None)
@given(labels, labels)
def test_against_scikit_image_and_the_metrics_of_objects(prediction: np.ndarray, truth: np.ndarray) -> None:
    found = figures(prediction, truth)
    assert all(np.isfinite(v) for v in found.values())
    inside = truth > 0
    if not inside.any():
        return
    split, merge = variation_of_information(truth[inside], prediction[inside])
    assert found["voi_split"] == pytest.approx(split, abs=1e-9)
    assert found["voi_merge"] == pytest.approx(merge, abs=1e-9)
    # Pairs of one voxel with itself do not count in the error, and do in V_rand.
    expected = adapted_rand_error(truth[inside], prediction[inside], ignore_labels=())[0]
    if np.isfinite(expected):
        assert found["arand"] == pytest.approx(expected, abs=1e-9)
    of_objects = instance_metrics(prediction, truth)
    for name in ("voi_split", "voi_merge", "arand"):
        assert found[name] == pytest.approx(of_objects[name], abs=1e-9)


def test_all_thresholds_from_one_table() -> None:
    random = np.random.default_rng(0)
    fragments = random.integers(1, 9, (4, 10, 10)).astype(np.int32)
    truth = random.integers(0, 4, fragments.shape).astype(np.int32)
    tree = MergeTree(
        np.bincount(fragments.ravel()), np.array([[1, 2], [3, 4], [2, 3], [5, 8]], np.int32),
        np.array([0.9, 0.6, 0.4, 0.4], np.float32),
    )  # fmt: skip
    table = Contingency.count(fragments, truth)
    for threshold, agreement in zip((0.0, 0.5, 1.0), agreement_curve(tree, table, (0.0, 0.5, 1.0)), strict=True):
        assert agreement.metrics() == pytest.approx(figures(tree.segments(threshold)[fragments], truth))


def test_sums_of_images_are_those_of_images_side_by_side() -> None:
    random = np.random.default_rng(0)
    one, other, truth, more = (random.integers(1, 5, (2, 6, 6)).astype(np.int32) for _ in range(4))
    total = Contingency.count(one, truth).agreement() + Contingency.count(other, more).agreement()
    beside = figures(np.concatenate([one, other + 10]), np.concatenate([truth, more + 10]))
    assert total.metrics() == pytest.approx(beside)
