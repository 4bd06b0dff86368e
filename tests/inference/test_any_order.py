"""The same objects whatever the blocks, their order and the number of hands; nearest first."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blockwise import run_stages
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from napari_aitrain.geometry import Region
from napari_aitrain.inference.grid import Grid
from napari_aitrain.inference.manifest import Block, Manifest
from napari_aitrain.inference.stages import Stages
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.tasks import make_task

FEW = settings(deadline=None, max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
SHAPE, OVERLAP = (24, 60, 56), (24, 24, 24)


@pytest.fixture(scope="module")
def balls(blobs: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return maps as a perfect network gives them, and the labels of one whole pass."""
    labels = blobs(SHAPE, 12, 6.0, 5)
    targets = make_task("instances").prepare(labels, np.ones(labels.shape, bool), None, 3)
    maps = np.floor(targets.values[:3] * 255 + 0.5).astype(np.uint8)
    whole = make_task("instances").decode(maps.astype(np.float32) / np.float32(255), None, 3)
    return maps, whole.labels


def shuffled(stages: Stages, seed: int) -> Callable[[Iterator[Block]], Iterator[Block]]:
    """Return what puts blocks into any order in which nothing comes before what it requires."""
    chance = random.Random(seed)

    def arrange(phase: Iterator[Block]) -> Iterator[Block]:
        waiting = list(phase)
        while waiting:
            there = set(waiting)
            ready = [block for block in waiting if not any(need in there for need in stages.requires(block))]
            chosen = chance.choice(ready)
            waiting.remove(chosen)
            yield chosen

    return arrange


def result_of(stages: Stages) -> tuple[np.ndarray, str]:
    found = StoredPrediction(stages.store, stages.info)
    return found.labels(threshold=0), found.objects.csv()


@FEW
@given(
    block=st.tuples(st.integers(10, 30), st.integers(26, 64), st.integers(26, 64)),
    near=st.tuples(st.floats(-10, 70), st.floats(-10, 70), st.floats(-10, 70)),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_same_objects_up_to_their_ids(
    block: Any, near: Any, threads: int, seed: int, balls: tuple[np.ndarray, np.ndarray], perfect_stages: Any
) -> None:
    maps, whole = balls
    with tempfile.TemporaryDirectory() as folder:
        stages = perfect_stages(Path(folder) / "a", maps, "instances", 3, block, OVERLAP)
        run_stages(stages, near=near, threads=threads)
        labels, table = result_of(stages)
        pairs = np.unique(np.stack([labels.ravel(), whole.ravel()]), axis=1)
        assert pairs.shape[1] == whole.max() + 1, "one to one"
        assert sorted(pairs[0]) == sorted(pairs[1]) == list(range(pairs.shape[1]))
        other = perfect_stages(Path(folder) / "b", maps, "instances", 3, block, OVERLAP)
        run_stages(other, arrange=shuffled(other, seed))
        again, same = result_of(other)
    np.testing.assert_array_equal(again, labels)
    assert same == table


@FEW
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
    block=st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
    near=st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50)),
)
def test_a_grid_covers_everything_once_and_its_order_goes_outwards(shape: Any, block: Any, near: Any) -> None:
    grid = Grid(shape, block, (1, 2, 0))
    seen = np.zeros(shape, int)
    for tile in grid:
        seen[tile.core.slices] += 1
        assert tile.outer == tile.core.grow((1, 2, 0)).intersect(Region.from_shape(shape))
    assert (seen == 1).all()
    for index in range(0, len(grid), 7):
        assert list(grid.covering(grid[index].core)) == [index]
        assert grid.index(grid.place(index)) == index
    order = list(map(int, grid.order(near)))
    assert sorted(order) == list(range(len(grid))) and list(grid.order(None)) == list(range(len(grid)))
    middles = [np.minimum(np.add(grid[i].core.start, np.array(block) / 2), shape) for i in order]
    away = [np.linalg.norm(middle - near) for middle in middles]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(away))


def test_the_nearest_block_is_decoded_first(
    balls: tuple[np.ndarray, np.ndarray], perfect_stages: Any, tmp_path: Path
) -> None:
    told: list[tuple[str, Region]] = []
    stages = perfect_stages(tmp_path / "s", balls[0], "instances", 3, (12, 30, 30), OVERLAP)
    run_stages(stages, near=(20, 50, 50), on_block=lambda stage, region: told.append((stage, region)))
    objects = [region for stage, region in told if stage == "objects"]
    assert objects[0] == Region((12, 30, 30), SHAPE) and objects[-1].start == (0, 0, 0)
    stitched = [region for stage, region in told if stage == "stitching"]
    assert stitched == objects


def test_a_manifest_counts_whole_lines_alone(tmp_path: Path) -> None:
    sizes = {"network": 3, "objects": 2}
    first = Manifest(tmp_path / "m", sizes)
    first.add(Block("network", 1))
    with open(tmp_path / "m", "ab") as file:
        file.write(b'{"stage": "network", "bl')
    again = Manifest(tmp_path / "m", sizes)
    again.add(Block("objects", 0))
    last = Manifest(tmp_path / "m", sizes)
    assert (last.settled("network"), last.settled("objects")) == (1, 1) and not last.finished("network")
    last.add(Block("objects", 1))
    assert last.finished("objects") and not last.flawed
