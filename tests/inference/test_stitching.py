"""Blocks of any shape give the objects of one whole pass; pieces are merged rightly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from napari_aitrain.inference.stitching import Pieces, match_pieces, measure_pieces, merge_pieces
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.tasks import make_task


def perfect_maps(labels: np.ndarray, dims: int) -> np.ndarray:
    targets = make_task("instances").prepare(labels, np.ones(labels.shape, bool), None, dims)
    return np.floor(targets.values * 255 + 0.5).astype(np.uint8)


def check_same(stages: Any, maps: np.ndarray, dims: int) -> int:
    """Compare with one whole pass; return how many objects there are."""
    stages.decode_pieces()
    stages.stitch()
    found = StoredPrediction(stages.store, stages.info)
    whole = make_task("instances").decode(maps.astype(np.float32) / np.float32(255), None, dims)
    labels = found.labels(threshold=0)
    pairs = np.unique(np.stack([labels.ravel(), whole.labels.ravel()]), axis=1)
    n = len(whole.scores)
    assert pairs.shape[1] == n == len(found.scores), "one to one"
    assert sorted(pairs[0]) == sorted(pairs[1]) == list(range(n)), "ids are unique and without gaps"
    ours, theirs = pairs
    np.testing.assert_allclose(found.scores[ours], whole.scores[theirs], atol=1e-5)
    np.testing.assert_allclose(found.objects.features[ours], whole.features[theirs], atol=1e-4)
    np.testing.assert_array_equal(found.objects.size[1:], np.bincount(labels.ravel())[1:])
    for i in range(1, n):
        where = np.argwhere(labels == i)
        np.testing.assert_allclose(found.objects.centroid[i], where.mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(found.objects.start[i], where.min(axis=0))
        np.testing.assert_array_equal(found.objects.stop[i], where.max(axis=0) + 1)
    return n - 1


@settings(deadline=None, max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    block=st.tuples(st.integers(12, 40), st.integers(30, 90), st.integers(30, 90)),
    seed=st.integers(0, 1000),
)
def test_objects_in_3d_are_those_of_one_pass(
    block: tuple[int, int, int], seed: int, blobs: Callable[..., Any], perfect_stages: Callable[..., Any]
) -> None:
    labels = blobs((30, 80, 70), 14, 7.0, seed)
    maps = perfect_maps(labels, 3)
    with tempfile.TemporaryDirectory() as folder:
        stages = perfect_stages(Path(folder) / "s", maps, "instances", 3, block, (40, 40, 40))
        assert check_same(stages, maps, 3) > 5


@settings(deadline=None, max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(block=st.tuples(st.integers(1, 4), st.integers(40, 150), st.integers(40, 150)), seed=st.integers(0, 1000))
def test_objects_in_slices_are_those_of_one_pass(
    block: tuple[int, int, int], seed: int, blobs: Callable[..., Any], perfect_stages: Callable[..., Any]
) -> None:
    labels = np.concatenate([blobs((1, 130, 140), 15, 10.0, seed + i) for i in range(3)])
    maps = perfect_maps(labels, 2)
    with tempfile.TemporaryDirectory() as folder:
        stages = perfect_stages(Path(folder) / "s", maps, "instances", 2, block, (0, 52, 52))
        assert check_same(stages, maps, 2) > 15


def test_objects_longer_than_the_overlap_are_joined(perfect_stages: Callable[..., Any], tmp_path: Path) -> None:
    labels = np.zeros((1, 40, 300), np.int32)
    labels[0, 8:18, 5:295] = 1
    labels[0, 24:34, 40:260] = 2
    maps = perfect_maps(labels, 2)
    stages = perfect_stages(tmp_path / "s", maps, "instances", 2, (1, 40, 64), (0, 16, 16))
    stages.decode_pieces()
    stages.stitch()
    found = StoredPrediction(stages.store, stages.info)
    assert len(found.objects) == 2
    np.testing.assert_array_equal(np.sort(found.objects.size[1:]), [2200, 2900])


def test_an_empty_volume_has_no_objects(perfect_stages: Callable[..., Any], tmp_path: Path) -> None:
    maps = np.zeros((3, 2, 50, 60), np.uint8)
    stages = perfect_stages(tmp_path / "s", maps, "instances", 2, (1, 32, 32), (0, 8, 8))
    stages.decode_pieces()
    stages.stitch()
    found = StoredPrediction(stages.store, stages.info)
    assert len(found.objects) == 0 and not found.labels().any()


def test_classes_are_those_of_one_pass(perfect_stages: Callable[..., Any], tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 256, (2, 7, 50, 60)).astype(np.uint8)
    stages = perfect_stages(tmp_path / "s", maps, "semantic", 3, (3, 20, 64), (4, 4, 4))
    stages.decode_classes()
    found = StoredPrediction(stages.store, stages.info)
    np.testing.assert_array_equal(found.labels(threshold=0), maps[1] > maps[0])
    np.testing.assert_array_equal(found.labels(threshold=0.8), (maps[1] > maps[0]) & (maps[1] / 255 >= 0.8))


def test_pairs_share_more_than_half() -> None:
    one = np.array([[1, 1, 1, 1, 2, 2, 3, 3, 0]], np.int32)
    other = np.array([[5, 5, 5, 0, 4, 4, 6, 0, 7]], np.int32)
    assert match_pieces(one, other).tolist() == [[1, 5], [2, 4]]
    assert match_pieces(one, np.zeros_like(one)).shape == (0, 2)


def piece(offset: int, size: list[int], seen: list[int], score: list[float], pairs: list[list[int]]) -> Pieces:
    n = len(size)
    return Pieces(
        offset, np.array(size), np.array(seen), np.zeros((n, 3), int), np.ones((n, 3), int), np.zeros((n, 3)),
        np.array(score, np.float32), np.zeros((n, 1), np.float32), np.array(pairs, int).reshape(-1, 2),
    )  # fmt: skip


def test_scores_are_those_of_the_block_that_saw_the_whole_object_else_weighted_by_size() -> None:
    seen_whole = merge_pieces([piece(0, [10], [14], [0.2], []), piece(1, [30], [40], [0.9], [[1, 2]])])
    assert seen_whole.score.tolist() == pytest.approx([0, 0.9])
    nobody = merge_pieces([piece(0, [10], [14], [0.2], []), piece(1, [30], [32], [0.9], [[1, 2]])])
    assert nobody.score.tolist() == pytest.approx([0, (10 * 0.2 + 30 * 0.9) / 40])
    assert nobody.size.tolist() == [0, 40]


def test_pieces_without_a_voxel_of_their_own_only_link() -> None:
    first, linking = piece(0, [5, 0], [9, 4], [0.5, 0.5], []), piece(2, [0], [9], [0.5], [[1, 3]])
    merged = merge_pieces([first, linking, piece(3, [7], [9], [0.5], [[3, 4]])])
    assert merged.table.tolist() == [0, 1, 0, 1, 1]
    assert merged.size.tolist() == [0, 12]


def test_pieces_survive_the_disk(tmp_path: Path) -> None:
    labels = np.zeros((2, 5, 5), np.int32)
    labels[1, 2:4, 1:5] = 2
    size, start, stop, total = measure_pieces(labels, 3, (10, 20, 30))
    assert size.tolist() == [0, 8, 0] and start[1].tolist() == [11, 22, 31] and stop[1].tolist() == [12, 24, 35]
    np.testing.assert_allclose(total[1] / 8, [11, 22.5, 32.5])
    piece(4, [1, 2], [3, 4], [0.1, 0.2], [[1, 5]]).save(tmp_path / "p.npz")
    loaded = Pieces.load(tmp_path / "p.npz")
    assert loaded.offset == 4 and loaded.pairs.tolist() == [[1, 5]] and loaded.size.tolist() == [1, 2]
