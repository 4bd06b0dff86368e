"""The merge tree: thresholds, names that stay, corrections, and saving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_aitrain.errors import ConfigError
from napari_aitrain.inference.archive import read_arrays, write_arrays
from napari_aitrain.tasks.merge_tree import Correction, MergeTree
from napari_aitrain.tasks.protocol import Objects
from napari_aitrain.tasks.threshold import apply_threshold


@st.composite
def trees(draw: st.DrawFn, most: int = 24) -> MergeTree:
    """Return a random spanning forest, also with equal scores and sizes."""
    n = draw(st.integers(0, most))
    ids = draw(st.permutations(range(1, n + 1)))
    pairs, scores = [], []
    for place in range(1, n):
        if draw(st.integers(0, 9)):
            pairs.append((ids[place], ids[draw(st.integers(0, place - 1))]))
            scores.append(draw(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5001, 0.75, 1.0])))
    order = np.argsort(-np.array(scores, np.float32), kind="stable")
    sizes = np.array([0, *draw(st.lists(st.integers(1, 6), min_size=n, max_size=n))], np.int64)
    return MergeTree(
        sizes, np.array(pairs, np.int32).reshape(-1, 2)[order], np.array(scores, np.float32).reshape(-1)[order]
    )


def by_union(tree: MergeTree, threshold: float) -> list[set[int]]:
    """Return the segments as sets, by connected components over the merges that are made."""
    made = tree.pairs[tree.scores >= np.float32(threshold)]
    graph = coo_array((np.ones(len(made)), (made[:, 0], made[:, 1])), shape=(len(tree.sizes),) * 2)
    _, group = connected_components(graph, directed=False)
    found: dict[int, set[int]] = {}
    for fragment in range(1, len(tree.sizes)):
        found.setdefault(int(group[fragment]), set()).add(fragment)
    return sorted(found.values(), key=min)


def as_sets(table: np.ndarray) -> list[set[int]]:
    found: dict[int, set[int]] = {}
    for fragment, segment in enumerate(table.tolist()):
        if fragment:
            found.setdefault(segment, set()).add(fragment)
    return sorted(found.values(), key=min)


@settings(deadline=None)
@given(trees(), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.6, 1.0]))
def test_segments_are_the_union_of_the_merges_that_reach_the_threshold(tree: MergeTree, threshold: float) -> None:
    table = tree.segments(threshold)
    assert table.dtype == np.int32 and table[0] == 0
    assert as_sets(table) == by_union(tree, threshold)
    for members in as_sets(table):
        largest = max(members, key=lambda f: (tree.sizes[f], -f))
        assert {int(table[f]) for f in members} == {largest}


@settings(deadline=None)
@given(trees(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_only_splits(tree: MergeTree, one: float, other: float) -> None:
    low, high = tree.segments(min(one, other)), tree.segments(max(one, other))
    coarse: dict[int, int] = {}
    for fine, merged in zip(high.tolist(), low.tolist(), strict=True):
        assert coarse.setdefault(fine, merged) == merged
    # A segment that is there at both thresholds has one id: that of its largest fragment.
    for members in as_sets(high):
        if members in as_sets(low):
            assert {int(high[f]) for f in members} == {int(low[f]) for f in members}


@settings(deadline=None)
@given(trees(), st.randoms(use_true_random=False), st.floats(0, 1))
def test_the_order_of_equal_merges_and_of_a_pair_does_not_matter(tree: MergeTree, random, threshold: float) -> None:  # type: ignore[no-untyped-def]
    order = sorted(range(len(tree.scores)), key=lambda i: (-tree.scores[i], random.random()))
    pairs = tree.pairs[order]
    turned = np.array([p[::-1] if random.random() < 0.5 else p for p in pairs.tolist()], np.int32).reshape(-1, 2)
    again = MergeTree(tree.sizes, turned, tree.scores[order])
    np.testing.assert_array_equal(again.segments(threshold), tree.segments(threshold))


@settings(deadline=None)
@given(trees(), st.data())
def test_the_last_correction_holds_at_every_threshold_and_leaving_it_out_undoes_it(
    tree: MergeTree, data: st.DataObject
) -> None:
    if len(tree) < 2:
        return
    fragment = st.integers(1, len(tree))
    made = st.tuples(st.sampled_from(["merge", "split"]), fragment, fragment).filter(lambda c: c[1] != c[2])
    corrections = [Correction(*c) for c in data.draw(st.lists(made, min_size=1, max_size=5))]
    corrected = tree.corrected(corrections)
    last = corrections[-1]
    for threshold in (0.0, 0.3, 0.5, 1.0):
        table = corrected.segments(threshold)
        assert (table[last.first] == table[last.second]) == (last.kind == "merge")
    assert len(corrected.pairs) < len(tree.sizes)
    assert (np.diff(corrected.scores) <= 0).all()
    before = tree.corrected(corrections[:-1])
    stepwise = before.corrected(corrections[-1:])
    for threshold in (0.0, 0.5):
        np.testing.assert_array_equal(stepwise.segments(threshold), corrected.segments(threshold))
    np.testing.assert_array_equal(tree.corrected([]).segments(0.5), tree.segments(0.5))


def chain() -> MergeTree:
    """Return 1 – 2 – 3 – 4, the middle being the weakest."""
    return MergeTree(
        np.array([0, 5, 4, 3, 2]), np.array([[1, 2], [3, 4], [2, 3]], np.int32), np.array([0.9, 0.8, 0.2], np.float32)
    )


def test_a_split_cuts_the_weakest_merge_between_the_two() -> None:
    split = chain().corrected([Correction("split", 1, 4)])
    assert split.segments(0).tolist() == [0, 1, 1, 3, 3]
    # What was apart already stays as it is.
    assert split.corrected([Correction("split", 2, 3)]).segments(0).tolist() == [0, 1, 1, 3, 3]


def test_a_merge_replaces_the_weakest_merge_of_the_cycle() -> None:
    merged = chain().corrected([Correction("merge", 1, 4)])
    assert merged.segments(0).tolist() == [0, 1, 1, 1, 1]
    assert merged.segments(1).tolist() == [0, 1, 2, 3, 1]
    assert len(merged.pairs) == 3


@pytest.mark.parametrize("wrong", [("merge", 0, 1), ("split", 1, 5), ("merge", 2, 2), ("split", -1, 2)])
def test_a_correction_of_what_does_not_exist_is_refused(wrong: tuple[str, int, int]) -> None:
    with pytest.raises(ConfigError, match="correction"):
        chain().corrected([Correction(*wrong)])  # type: ignore[arg-type]


def test_a_tree_without_fragments_or_merges() -> None:
    nothing = MergeTree(np.array([7]), np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    assert nothing.segments(0.5).tolist() == [0] and len(nothing) == 0
    assert nothing.weakest(0.5).tolist() == [0]
    one = MergeTree(np.array([0, 7]), np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    assert one.segments(0).tolist() == [0, 1] and one.weakest(0).tolist() == [0, 1]
    assert one.histogram(4)[0].tolist() == [0, 0, 0, 0]


def test_the_weakest_merge_of_each_segment() -> None:
    np.testing.assert_allclose(chain().weakest(0.1), [0, 0.2, 0, 0, 0])
    np.testing.assert_allclose(chain().weakest(0.5), [0, 0.9, 0, 0.8, 0])
    np.testing.assert_allclose(chain().weakest(0.85), [0, 0.9, 0, 1, 1])


def test_saving_and_reading(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "merges.npz"
    file.write_bytes(write_arrays(chain().arrays()))
    again = MergeTree.from_arrays(read_arrays(file))
    for name, values in chain().arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values)


def test_a_threshold_of_objects_moves_along_the_tree() -> None:
    labels = np.array([[[0, 1, 2, 3, 4]]], np.int32)
    objects = Objects(labels, np.ones(5, np.float32), np.zeros((5, 0), np.float32), merges=chain())
    assert apply_threshold(objects, 0.5).tolist() == [[[0, 1, 1, 3, 3]]]
