"""Blocks of any shape give the objects of one whole pass; pieces are merged rightly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blockwise import run_stages
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_aitrain.inference.merging import Merging
from napari_aitrain.inference.stitching import (
    PAIRS,
    PIECES,
    Merged,
    Pairs,
    Pieces,
    block_file,
    match_pieces,
    measure_pieces,
)
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.inference.union import Union
from napari_aitrain.tasks import make_task


def perfect_maps(labels: np.ndarray, dims: int) -> np.ndarray:
    targets = make_task("instances").prepare(labels, np.ones(labels.shape, bool), None, dims)
    return np.floor(targets.values[:3] * 255 + 0.5).astype(np.uint8)


def check_same(stages: Any, maps: np.ndarray, dims: int) -> int:
    """Compare with one whole pass; return how many objects there are."""
    run_stages(stages)
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
    run_stages(stages)
    found = StoredPrediction(stages.store, stages.info)
    assert len(found.objects) == 2
    np.testing.assert_array_equal(np.sort(found.objects.size[1:]), [2200, 2900])


def test_an_empty_volume_has_no_objects(perfect_stages: Callable[..., Any], tmp_path: Path) -> None:
    maps = np.zeros((3, 2, 50, 60), np.uint8)
    stages = perfect_stages(tmp_path / "s", maps, "instances", 2, (1, 32, 32), (0, 8, 8))
    run_stages(stages)
    found = StoredPrediction(stages.store, stages.info)
    assert len(found.objects) == 0 and not found.labels().any()


def test_classes_are_those_of_one_pass(perfect_stages: Callable[..., Any], tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 256, (2, 7, 50, 60)).astype(np.uint8)
    stages = perfect_stages(tmp_path / "s", maps, "semantic", 3, (3, 20, 64), (4, 4, 4))
    run_stages(stages)
    found = StoredPrediction(stages.store, stages.info)
    np.testing.assert_array_equal(found.labels(threshold=0), maps[1] > maps[0])
    np.testing.assert_array_equal(found.labels(threshold=0.8), (maps[1] > maps[0]) & (maps[1] / 255 >= 0.8))


def test_pairs_share_more_than_half() -> None:
    one = np.array([[1, 1, 1, 1, 2, 2, 3, 3, 0]], np.int32)
    other = np.array([[5, 5, 5, 0, 4, 4, 6, 0, 7]], np.int32)
    assert match_pieces(one, other).tolist() == [[1, 5], [2, 4]]
    assert match_pieces(one, np.zeros_like(one)).shape == (0, 2)


def merged(tmp_path: Path, blocks: list[Any], pairs: list[tuple[int, int, int, int]]) -> tuple[Merged, list[list[int]]]:
    """Merge blocks of (size, seen, score) per piece, and pairs of (block, piece, later block, piece there)."""
    for index, (size, seen, score) in enumerate(blocks):
        n = len(size)
        Pieces(
            np.array(seen, int), np.array(size, int), np.zeros((n, 3), int), np.ones((n, 3), int), np.zeros((n, 3)),
            np.array(score, np.float32), np.zeros((n, 1), np.float32),
        ).save(block_file(tmp_path / PIECES, index))  # fmt: skip
        own = [(a, b, c) for block, a, b, c in pairs if block == index]
        one, other, theirs = np.array(own, int).reshape(-1, 3).T
        Pairs(one, other, theirs).save(block_file(tmp_path / PAIRS, index))
    found = Merging(tmp_path, len(blocks)).run()
    return found, [Merging.ids(tmp_path, index).tolist() for index in range(len(blocks))]


@pytest.fixture(params=[2**22, 0], ids=["memory", "files"])
def anywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with columns in memory, and with columns in files."""
    monkeypatch.setattr("napari_aitrain.inference.union.IN_MEMORY", request.param)


@pytest.mark.usefixtures("anywhere")
def test_scores_are_those_of_the_block_that_saw_the_whole_object_else_weighted_by_size(tmp_path: Path) -> None:
    seen_whole, _ = merged(tmp_path / "a", [([10], [14], [0.2]), ([30], [40], [0.9])], [(0, 1, 1, 1)])
    assert seen_whole.score.tolist() == pytest.approx([0, 0.9])
    nobody, _ = merged(tmp_path / "b", [([10], [14], [0.2]), ([30], [32], [0.9])], [(0, 1, 1, 1)])
    assert nobody.score.tolist() == pytest.approx([0, (10 * 0.2 + 30 * 0.9) / 40])
    assert nobody.size.tolist() == [0, 40]


@pytest.mark.usefixtures("anywhere")
def test_pieces_without_a_voxel_of_their_own_only_link(tmp_path: Path) -> None:
    blocks = [([5, 0], [9, 4], [0.5, 0.5]), ([0], [9], [0.5]), ([7], [9], [0.5])]
    found, ids = merged(tmp_path, blocks, [(0, 1, 1, 1), (1, 1, 2, 1)])
    assert ids == [[0, 1, 0], [0, 1], [0, 1]]
    assert found.size.tolist() == [0, 12]


@pytest.mark.usefixtures("anywhere")
@settings(
    deadline=None, max_examples=20, phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    count=st.integers(0, 60), pairs=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59))), batch=st.integers(1, 9)
)
def test_groups_are_those_of_a_graph(count: int, pairs: list[tuple[int, int]], batch: int) -> None:
    edges = np.array([p for p in pairs if max(p) < count], int).reshape(-1, 2)
    with tempfile.TemporaryDirectory() as folder:
        union = Union(Path(folder) / "u.npy", count)
        for first in range(0, len(edges), batch):
            union.join(*edges[first : first + batch].T)
        found = union.find(np.arange(count))
    _, expected = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(count + 1, count + 1)), False)
    for group in range(count):
        there = np.flatnonzero(expected[:count] == group)
        assert (found[there] == there.min(initial=count)).all()


def test_pieces_survive_the_disk(tmp_path: Path) -> None:
    labels = np.zeros((2, 5, 5), np.int32)
    labels[1, 2:4, 1:5] = 2
    size, start, stop, total = measure_pieces(labels, 3, (10, 20, 30))
    assert size.tolist() == [0, 8, 0] and start[1].tolist() == [11, 22, 31] and stop[1].tolist() == [12, 24, 35]
    np.testing.assert_allclose(total[1] / 8, [11, 22.5, 32.5])
    score = np.ones(3, np.float32)
    Pieces(size, size, start, stop, total, score, score[:, None]).save(tmp_path / "new" / "p.npz")
    loaded = Pieces.load(tmp_path / "new" / "p.npz")
    assert loaded.size.tolist() == [0, 8, 0] and loaded.stop.tolist() == stop.tolist()
