"""The border between fragments lies where the affinities say, whatever the first guess."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.tasks.fragment_borders import settle_borders

FIRM, WEAK = 250, 10


def two_halves(face: int, shape: tuple[int, int, int], axis: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Return ids 1 and 2 that meet at a face, and affinities that are weak across it alone."""
    truth = np.where(np.indices(shape)[axis] < face, 1, 2).astype(np.int32)
    near = []
    for along in range(3):
        values = np.full(shape, FIRM, np.uint8)
        if along == axis:
            np.moveaxis(values, axis, 0)[face] = WEAK
        near.append((along, values))
    return truth, near


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shift", [-1, 1])
def test_a_border_that_was_a_voxel_off_is_put_right(axis: int, shift: int) -> None:
    truth, near = two_halves(6, (12, 12, 12), axis)
    # Beyond the true face the voxels are as firm as everywhere: only the mean affinity shows it.
    guess, _ = two_halves(6 + shift, (12, 12, 12), axis)
    assert (guess != truth).any()
    assert (settle_borders(guess, near) == truth).mean() >= (guess == truth).mean() + 0.04


def test_a_thin_fragment_keeps_its_voxels() -> None:
    labels = np.ones((1, 9, 9), np.int32)
    labels[0, :, 4] = 2
    near = [(axis, np.full(labels.shape, FIRM, np.uint8)) for axis in (1, 2)]
    assert (settle_borders(labels, near)[labels == 2] == 2).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_ids_and_insides_stay_and_background_stays_out(seed: int, some: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.permutation(8).reshape(2, 2, 2) + 1, np.ones((4, 5, 4))).astype(np.int32)
    near = [(axis, rng.integers(0, 256, labels.shape).astype(np.uint8)) for axis in range(3)]
    foreground = rng.random(labels.shape) < 0.8 if some else None
    settled = settle_borders(labels, near, foreground)
    inside = np.zeros(labels.shape, bool)
    for z in (0, 4):
        for y in (0, 5):
            for x in (0, 4):
                block = tuple(
                    slice(low + (low > 0), low + n - (low == 0)) for low, n in zip((z, y, x), (4, 5, 4), strict=True)
                )
                inside[block] = True
    assert np.array_equal(settled[inside], labels[inside])
    assert settled.min() >= 1 and set(np.unique(settled)) == set(np.unique(labels))
