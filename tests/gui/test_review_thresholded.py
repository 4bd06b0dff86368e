"""A prediction seen through a threshold, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.gui.review.drawn import SCORE_COLOURS
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.tasks.merge_tree import Correction, MergeTree

LABELS = np.array([[[0, 1, 2], [3, 3, 0]]] * 4, np.int32)
SCORES = np.array([0, 0.9, 0.3, 0.6], np.float32)


def test_a_threshold_is_a_look_up():
    seen = Thresholded(LABELS, SCORES)
    assert seen[0].tolist() == [[0, 1, 2], [3, 3, 0]]
    seen.look(0.5)
    assert seen[0].tolist() == [[0, 1, 0], [3, 3, 0]]
    assert LABELS[0].tolist() == [[0, 1, 2], [3, 3, 0]]
    seen.look(0.0, hidden_ids=[1])
    assert seen[0].tolist() == [[0, 0, 2], [3, 3, 0]]


@pytest.mark.parametrize(
    ("leading", "flat", "index", "shape"),
    [
        (0, False, 0, (2, 3)),
        (0, False, (slice(None), 1, slice(None)), (4, 3)),
        (0, False, (..., 2), (4, 2)),
        (2, False, (0, slice(None), 3), (1, 2, 3)),
        (1, False, (0, 1), (2, 3)),
        (1, True, (0, slice(0, 1)), (1, 3)),
        (0, True, (slice(None), slice(None)), (2, 3)),
    ],
)
def test_slices_are_those_of_an_array_of_its_shape(leading, flat, index, shape):
    seen = Thresholded(LABELS[:1] if flat else LABELS, SCORES, leading=leading, flat=flat)
    whole = np.zeros(seen.shape)
    assert whole[index].shape == shape
    assert np.array_equal(seen[index], np.asarray(seen)[index])


def test_ids_above_16_bits_are_drawn_and_ids_without_a_score_too():
    labels = np.array([[[0, 65535, 65536, 70001]]], np.int32)
    scores = np.zeros(70001, np.float32)
    seen = Thresholded(labels, scores)
    seen.look(0.5)
    assert (seen[0, 0] > 0).tolist() == [False, False, False, True]
    seen.look(0.0)
    assert (seen[0, 0] > 0).tolist() == [False, True, True, True]
    assert seen.dtype == seen[0].dtype == np.uint16


def test_colour_by_score_tells_neighbours_apart():
    seen = Thresholded(np.array([[[1, 2]]], np.int32), np.array([0, 0.5, 0.5], np.float32))
    seen.look(0, by_score=True)
    one, other = seen[0, 0].tolist()
    assert one != other
    assert (one - 1) % SCORE_COLOURS == (other - 1) % SCORE_COLOURS == SCORE_COLOURS // 2


def test_a_threshold_joins_fragments_and_hidden_ones_stay_so():
    scores = np.array([0.8, 0.4], np.float32)
    tree = MergeTree(np.array([0, 1, 5, 3]), np.array([[1, 2], [2, 3]], np.int32), scores)
    seen = Thresholded(LABELS, np.array([0, 1, 1, 1], np.float32), merges=tree)
    seen.look(0.9)
    assert seen[0].tolist() == LABELS[0].tolist()
    seen.look(0.5)
    assert seen[0].tolist() == [[0, 2, 2], [3, 3, 0]]
    assert seen.named(LABELS[0]).tolist() == seen[0].tolist()
    seen.look(0.4)
    assert seen[0].tolist() == [[0, 2, 2], [2, 2, 0]]
    seen.look(0.4, hidden_ids=[2])
    assert seen[0].tolist() == [[0, 2, 0], [2, 2, 0]]
    seen.look(0.5, by_score=True)
    weakest = (seen[0].astype(int) - 1) % SCORE_COLOURS / SCORE_COLOURS
    assert weakest[0, 1:] == pytest.approx([0.8, 0.8]) and weakest[1, 0] > 0.99 and seen[0, 0, 0] == 0
    seen.take_merges(tree.corrected([Correction("split", 1, 2)]))
    seen.look(0.3)
    assert seen[0].tolist() == [[0, 1, 2], [2, 2, 0]]


def test_classes_are_left_out_and_unsure_voxels_too():
    labels = np.array([[[0, 1, 2, 2]]], np.int32)
    seen = Thresholded(labels, certainty=np.array([[[255, 204, 204, 100]]], np.uint8))
    seen.look(0.5)
    assert seen[0, 0].tolist() == [0, 1, 2, 0]
    seen.look(0.5, hidden_classes=[1])
    assert seen[0, 0].tolist() == [0, 0, 2, 0]
    of_classes = Thresholded(labels, certainty=np.stack([labels * 0, labels * 120]).astype(np.uint8))
    of_classes.look(0.6)
    assert of_classes[0, 0].tolist() == [0, 0, 2, 2]


def test_hidden_classes_of_objects():
    seen = Thresholded(LABELS, SCORES, classes=np.array([0, 1, 2, 2], np.int32))
    seen.look(0, hidden_classes=[2])
    assert np.unique(np.asarray(seen)).tolist() == [0, 1]
