"""Fragments, contacts and agglomeration: against plain loops, other libraries, and whatever may come in."""

from __future__ import annotations

import heapq
import itertools

import bioimage_cpp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_aitrain.tasks.agglomeration import agglomerate, decode_affinities
from napari_aitrain.tasks.fragments import as_bytes, find_fragments
from napari_aitrain.tasks.region_graph import FAR_STEP, RegionGraph, region_graph
from napari_aitrain.tasks.voi import Contingency

OFFSETS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 3, 0), (2, 0, 3))


def cells(shape: tuple[int, int, int], count: int, seed: int = 0, spacing: float = 1.0) -> np.ndarray:
    """Return cells that fill the volume, each with the voxels that its centre is nearest to."""
    random = np.random.default_rng(seed)
    centres = random.uniform(0, shape, (count, 3))
    grid = np.stack(np.indices(shape), axis=-1)[..., None, :]
    return ((((grid - centres) * [spacing, 1, 1]) ** 2).sum(axis=-1).argmin(axis=-1) + 1).astype(np.int32)


def affinities_of(truth: np.ndarray, offsets=OFFSETS, blur: float = 0.0, noise: float = 0.0) -> np.ndarray:  # type: ignore[no-untyped-def]
    maps = np.ones((len(offsets), *truth.shape), np.float32)
    random = np.random.default_rng(1)
    for values, offset in zip(maps, offsets, strict=True):
        here = tuple(slice(s, None) for s in offset)
        before = tuple(slice(None, -s or None) for s in offset)
        values[here] = (truth[here] == truth[before]) & (truth[here] > 0)
        values[...] = ndimage.gaussian_filter(values, blur) + random.normal(0, noise, values.shape)
    return maps.clip(0, 1)


def test_cells_come_back() -> None:
    truth = cells((32, 48, 48), 25)
    objects = decode_affinities(affinities_of(truth, noise=0.05), OFFSETS, (10, 10, 10), 3)
    assert objects.merges is not None
    assert objects.labels.min() > 0
    table = Contingency.count(objects.labels, truth)
    found = table.agreement(objects.merges.segments(0.5)).metrics()
    assert found["voi"] < 0.15 and found["arand"] < 0.02
    merged = table.agreement(objects.merges.segments(0.0)).metrics()
    assert merged["voi_split"] < 1e-9 and merged["voi_merge"] > 2
    assert (np.diff(objects.merges.scores) <= 0).all()
    assert objects.merges.sizes.tolist() == np.bincount(objects.labels.ravel()).tolist()


def test_bytes_and_floats_give_the_same() -> None:
    maps = affinities_of(cells((12, 32, 32), 9), noise=0.1)
    stored = (maps * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    np.testing.assert_array_equal(as_bytes(maps), stored)
    floats, bytes_ = (decode_affinities(m, OFFSETS, None, 3) for m in (maps, stored))
    np.testing.assert_array_equal(floats.labels, bytes_.labels)
    assert floats.merges is not None and bytes_.merges is not None
    np.testing.assert_array_equal(floats.merges.scores, bytes_.merges.scores)


def test_slices_are_decoded_one_by_one_in_2d() -> None:
    plane = cells((1, 64, 64), 12)
    truth = plane.repeat(3, axis=0)
    offsets = ((0, 1, 0), (0, 0, 1), (0, 5, 0))
    objects = decode_affinities(affinities_of(truth, offsets, blur=0), offsets, None, 2)
    assert objects.extra["dims"] == 2 and objects.merges is not None
    ids = [set(np.unique(objects.merges.segments(0.0)[z])) for z in objects.labels]
    assert not ids[0] & ids[1] and not ids[1] & ids[2]
    segments = objects.merges.segments(0.5)[objects.labels]
    for z in segments:
        assert Contingency.count(z[None], plane).agreement().metrics()["voi"] < 0.2


def test_sections_far_apart_have_fragments_of_one_slice() -> None:
    truth = cells((6, 64, 64), 10, spacing=10)
    maps = as_bytes(affinities_of(truth))
    fragments = find_fragments(maps, OFFSETS, (50, 4, 4), 3)
    assert max(len(np.unique(np.nonzero(fragments == i)[0])) for i in np.unique(fragments)) == 1
    tree = decode_affinities(maps, OFFSETS, (50, 4, 4), 3).merges
    assert tree is not None
    assert Contingency.count(fragments, truth).agreement(tree.segments(0.5)).metrics()["voi"] < 0.3


def test_background_is_left_out_only_where_there_is_some() -> None:
    truth = cells((16, 40, 40), 10)
    truth[:, 15:25] = 0
    maps = affinities_of(truth, blur=0)
    with_background = decode_affinities(maps, OFFSETS, None, 3, background=True)
    np.testing.assert_array_equal(with_background.labels == 0, truth == 0)
    assert with_background.merges is not None and with_background.merges.sizes[0] == (truth == 0).sum()
    assert decode_affinities(maps, OFFSETS, None, 3).labels.min() > 0


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, np.nan])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(("shape", "dims"), [((4, 12, 12), 3), ((1, 12, 12), 3), ((3, 12, 12), 2), ((1, 1, 1), 3)])
def test_constant_affinities(value: float, background: bool, shape: tuple[int, int, int], dims: int) -> None:
    maps = np.full((len(OFFSETS), *shape), value, np.float32)
    objects = decode_affinities(maps, OFFSETS, (30, 10, 10), dims, background=background)
    assert objects.merges is not None
    assert np.isfinite(objects.merges.scores).all()
    assert int(objects.labels.max()) == len(objects.merges)
    separate = shape[0] if dims == 2 else 1
    if value == 1:
        assert len(np.unique(objects.merges.segments(0.5)[objects.labels])) == separate
        assert objects.labels.min() > 0
    if not background:
        assert objects.labels.min() > 0
    table = objects.merges.segments(0.5)[objects.labels]
    figures = Contingency.count(table, np.ones(shape, np.int32)).agreement().metrics()
    assert all(np.isfinite(v) for v in figures.values())


def brute(labels: np.ndarray, maps: np.ndarray, offsets) -> dict[tuple[int, int], list[float]]:  # type: ignore[no-untyped-def]
    """Return near sum, near number, far sum, far number per pair that touches, voxel by voxel."""
    found: dict[tuple[int, int], list[float]] = {}
    for k, offset in enumerate(offsets):
        far = sum(offset) > 1
        for place in np.ndindex(*labels.shape):
            before = tuple(p - o for p, o in zip(place, offset, strict=True))
            if min(before) < 0 or (far and any(p % FAR_STEP for p in place)):
                continue
            one, other = sorted((int(labels[place]), int(labels[before])))
            if one != other and one > 0:
                sums = found.setdefault((one, other), [0.0] * 4)
                sums[2 * far] += maps[k][place] / 255
                sums[2 * far + 1] += 1
    return {pair: sums for pair, sums in found.items() if sums[1]}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16), st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)))
def test_contacts_are_those_of_a_loop_over_voxels(seed: int, shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, shape).astype(np.int32)
    maps = random.integers(0, 256, (len(OFFSETS), *shape)).astype(np.uint8)
    graph, expected = region_graph(labels, maps, OFFSETS), brute(labels, maps, OFFSETS)
    assert [tuple(p) for p in graph.pairs.tolist()] == sorted(expected)
    for pair, near, far in zip(graph.pairs.tolist(), graph.near, graph.far, strict=True):
        np.testing.assert_allclose([*near, *far], expected[tuple(pair)], atol=1e-9)


def test_mean_affinities_are_those_of_another_library() -> None:
    truth = cells((16, 24, 24), 12)
    maps = as_bytes(affinities_of(truth, OFFSETS[:3], noise=0.2))
    graph = region_graph(truth, maps, OFFSETS[:3])
    other = bioimage_cpp.graph.region_adjacency_graph(truth, number_of_threads=1)
    backwards = [tuple(-o for o in offset) for offset in OFFSETS[:3]]
    features = bioimage_cpp.graph.features.affinity_features(other, truth, maps / 255, backwards)
    np.testing.assert_array_equal(graph.pairs, other.uv_ids())
    np.testing.assert_allclose(graph.near[:, 0] / graph.near[:, 1], features[:, 0], atol=1e-6)
    np.testing.assert_array_equal(graph.near[:, 1], features[:, 1])


def test_graphs_of_blocks_add_up() -> None:
    truth = cells((20, 24, 24), 12)
    maps = as_bytes(affinities_of(truth, noise=0.2))
    whole = region_graph(truth, maps, OFFSETS)
    parts = []
    for low, high in ((0, 6), (6, 8), (8, 20)):
        context = min(low, 2)
        parts.append(region_graph(truth[low - context : high], maps[:, low:high], OFFSETS, (context, 0, 0)))
    total = RegionGraph.sum_of(parts)
    np.testing.assert_array_equal(total.pairs, whole.pairs)
    np.testing.assert_allclose(total.near, whole.near)
    # A far affinity of a pair that touches in another block only is left out.
    assert (total.far <= whole.far + 1e-9).all() and total.far.sum() > 0.8 * whole.far.sum()
    assert len(RegionGraph.sum_of([]).pairs) == 0


def by_heap(graph: RegionGraph, number: int) -> list[float]:
    """Return the scores of average agglomeration, one merge after the other."""
    sums = {tuple(p): list(s) for p, s in zip(graph.pairs.tolist(), (graph.near + graph.far).tolist(), strict=True)}
    around: dict[int, set[int]] = {}
    for a, b in sums:
        around.setdefault(a, set()).add(b)
        around.setdefault(b, set()).add(a)
    key = lambda a, b: (min(a, b), max(a, b))  # noqa: E731
    queue = [(-s / c, *pair, s, c) for pair, (s, c) in sums.items()]
    heapq.heapify(queue)
    scores = []
    while queue:
        priority, a, b, s, c = heapq.heappop(queue)
        if sums.get((a, b)) != [s, c]:
            continue
        scores.append(-priority)
        del sums[(a, b)]
        around[a].discard(b)
        around[b].discard(a)
        for other in around.pop(b):
            around[other].discard(b)
            gone, kept = sums.pop(key(b, other)), sums.get(key(a, other), [0.0, 0.0])
            both = [gone[0] + kept[0], gone[1] + kept[1]]
            sums[key(a, other)] = both
            around[a].add(other)
            around[other].add(a)
            heapq.heappush(queue, (-both[0] / both[1], *key(a, other), *both))
    return scores


def random_graph(seed: int, number: int = 60, edges: int = 200) -> RegionGraph:
    random = np.random.default_rng(seed)
    pairs = np.unique(np.sort(random.integers(1, number, (edges, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    near, far = (random.integers(low, 30, len(pairs)).astype(float) for low in (1, 0))
    near_sum, far_sum = near * random.random(len(pairs)), far * random.random(len(pairs))
    return RegionGraph(pairs, np.stack([near_sum, near], axis=1), np.stack([far_sum, far], axis=1))


@pytest.mark.parametrize("doubt", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_agglomeration_is_that_of_a_heap(seed: int, doubt: int) -> None:
    graph = random_graph(seed)
    tree = agglomerate(graph, np.ones(60, np.int64), far_weight=1, doubt=doubt)
    expected = by_heap(RegionGraph(graph.pairs, np.add(graph.near, [0, doubt]), graph.far), 60)
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(expected))
    np.testing.assert_allclose(tree.scores, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_agglomeration_is_that_of_another_library(seed: int) -> None:
    graph = random_graph(seed)
    total = graph.near + graph.far
    tree = agglomerate(graph, np.ones(60, np.int64), far_weight=1, doubt=0)
    other = bioimage_cpp.graph.UndirectedGraph.from_unique_edges(60, graph.pairs.astype(np.uint64))
    for made in (5, 20, 40):
        policy = bioimage_cpp.graph.agglomeration.EdgeWeightedClusterPolicy(
            num_clusters_stop=60 - made, size_regularizer=0.0
        )
        # There the lowest indicator is joined first.
        found = policy.optimize(other, 1 - total[:, 0] / total[:, 1], edge_sizes=total[:, 1])
        segments = tree.segments(float(tree.scores[made - 1]))
        together = found[:, None] == found[None]
        np.testing.assert_array_equal(together[1:, 1:], (segments[:, None] == segments[None])[1:, 1:])


def test_a_contact_of_the_two_clusters_stands_for_each_merge() -> None:
    graph = random_graph(3)
    tree = agglomerate(graph, np.ones(60, np.int64))
    edges = {tuple(p) for p in graph.pairs.tolist()}
    assert {tuple(p) for p in tree.pairs.tolist()} <= edges


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**16), st.randoms(use_true_random=False))
def test_ids_do_not_matter(seed: int, random) -> None:  # type: ignore[no-untyped-def]
    graph = random_graph(seed, 20, 40)
    order = np.array([0, *random.sample(range(1, 20), 19)])
    pairs = np.sort(order[graph.pairs], axis=1)
    place = np.lexsort(pairs.T[::-1])
    again = agglomerate(RegionGraph(pairs[place], graph.near[place], graph.far[place]), np.ones(20, np.int64))
    tree = agglomerate(graph, np.ones(20, np.int64))
    np.testing.assert_allclose(again.scores, tree.scores, atol=1e-6)
    for threshold in (0.3, 0.5, 0.7):
        one, other = tree.segments(threshold), again.segments(threshold)[order]
        np.testing.assert_array_equal(one[:, None] == one[None], other[:, None] == other[None])
