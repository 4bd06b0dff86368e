"""Tiles of a volume of any size: what is read, when, and that asking never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_aitrain.geometry import Region
from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.gui.review.tile_grid import steps_for
from napari_aitrain.gui.review.tiles import KEPT_BYTES, Tiles

SHAPE = (4, 500, 700)


class Numbers:
    """Every voxel has a number of its own; counts what is read."""

    def __init__(self, shape: tuple[int, int, int] = SHAPE) -> None:
        self.shape, self.chunks = shape, (2, 128, 128)
        self.sign, self.read_voxels = 1, 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def read(self, region: Region) -> Any:
        self.gate.wait(30)
        if self.error is not None:
            raise self.error
        self.read_voxels += region.size
        return self.sign * self.values(region)

    def values(self, region: Region) -> Any:
        z, y, x = (np.arange(a, b) for a, b in zip(region.start, region.stop, strict=True))
        return 1 + (z[:, None, None] * 1000 + y[:, None]) * 1000 + x


@pytest.fixture
def settled(wait_for: Callable[..., Any]) -> Callable[[Tiles], None]:
    """Return what waits until all that was asked for is there, twice the same."""

    def settle(tiles: Tiles) -> None:
        wait_for(lambda: tiles.idle and not any(kept.todo for kept in tiles._kept.values()), 60, "the tiles")

    return settle


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), slice(None), slice(None)),
        (0, slice(None), slice(None)),
        (slice(0, 1), slice(3, 60), 5),
        (slice(None), 7, slice(3, 20)),
    ],
)
def test_every_level_gives_every_so_many_th_voxel(index: Any, settled: Any, wait_for: Any) -> None:
    numbers = Numbers()
    whole = numbers.values(Region.from_shape(SHAPE))
    steps = steps_for(SHAPE, (2, 1, 1), 2**14)
    assert steps[:3] == [(1, 1, 1), (1, 2, 2), (2, 4, 4)]
    tiles = Tiles(numbers, steps, np.int32, lambda: None)
    for level, (z, y, x) in zip(tiles.levels(), steps, strict=True):
        expected = whole[::z, ::y, ::x]
        assert level.shape == expected.shape
        assert level[index].shape == expected[index].shape
        wait_for(lambda level=level, expected=expected: np.array_equal(level[index], expected[index]), 60)
    tiles.close()


def test_what_changed_is_read_again_and_nothing_else(settled: Any, wait_for: Any) -> None:
    numbers = Numbers()
    tiles = Tiles(numbers, [(1, 1, 1)], np.int32, lambda: None)
    plane = (2, slice(None), slice(None))
    (level,) = tiles.levels()
    wait_for(lambda: np.all(level[plane] > 0), 60)
    settled(tiles)
    numbers.sign, numbers.read_voxels = -1, 0
    tiles.changed(Region((0, 100, 100), (4, 200, 300)))
    wait_for(lambda: np.count_nonzero(level[plane] < 0) == 100 * 200, 60)
    settled(tiles)
    assert numbers.read_voxels == 100 * 200
    assert np.all(level[plane][100:200, 100:300] < 0)
    tiles.close()


def test_asking_never_waits_and_memory_is_bounded(wait_for: Any) -> None:
    numbers = Numbers((4096, 65536, 65536))
    numbers.gate.clear()
    arrived = []
    tiles = Tiles(numbers, steps_for(numbers.shape, None), np.int32, lambda: arrived.append(1))
    began = time.monotonic()
    for z in range(40):
        assert not tiles.levels()[0][z, 1000:2000, 3000:4000].any()
    # A mouse wheel over 40 slices of 16 tiles while nothing at all is read.
    assert time.monotonic() - began < 5
    assert not arrived
    numbers.gate.set()
    wait_for(lambda: tiles.levels()[0][39, 1000:2000, 3000:4000].all(), 100, "the last slice, which is read first")
    assert arrived
    assert sum(kept.values.nbytes for kept in tiles._kept.values()) <= KEPT_BYTES
    tiles.close()
    assert not [one for one in threading.enumerate() if one.name == "napari-aitrain-tiles"]


def test_a_folder_that_is_gone_is_told_and_not_asked_for_in_a_loop(wait_for: Any) -> None:
    numbers = Numbers()
    numbers.error = FileNotFoundError("the folder is gone")
    tiles = Tiles(numbers, [(1, 1, 1)], np.int32, lambda: None)
    (level,) = tiles.levels()
    assert not level[0, :10, :10].any()
    wait_for(lambda: tiles.trouble, 30)
    assert "gone" in tiles.trouble
    numbers.error = None
    wait_for(lambda: level[0, :10, :10].all(), 30, "another try")
    tiles.close()


def test_a_flat_prediction_is_drawn_anew_at_every_level(viewer: Any, wait_for: Any) -> None:
    image = viewer.add_image(np.zeros((1024, 1024), np.uint8), contrast_limits=(0, 255))
    numbers = Numbers((1, 1024, 1024))
    numbers.gate.clear()
    data = Thresholded(np.zeros(numbers.shape, np.int32), np.ones(2, np.float32), flat=True)
    data.take_levels(Tiles(numbers, [(1, 1, 1), (1, 2, 2), (1, 4, 4)], np.int32, lambda: None), None)
    layer = PredictionLayer(viewer, "Prediction")
    layer.show(data, Placement(image, (1, 1, 1), (0, 0, 0)))
    assert layer.layer.multiscale and not layer.layer._slice.image.raw.any()
    numbers.gate.set()

    def drawn() -> bool:
        layer.refresh()
        return bool(layer.layer._slice.image.raw.all())

    wait_for(drawn, 60, "all of it")
    data.close()
