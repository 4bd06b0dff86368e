"""Strokes that a person might paint: a few thin curves inside each class, simulated from dense truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

UNLABELLED = -1
TURNS = np.deg2rad((0, 10, -10, 25, -25, 45, -45, 70, -70))


def simulate_strokes(
    truth: npt.NDArray[np.integer],
    count: int = 30,
    sections: int = 3,
    length: int = 60,
    width: int = 3,
    classes: Sequence[int] | None = None,
    seed: int = 0,
) -> npt.NDArray[np.int32]:
    """Return labels with `count` strokes, −1 elsewhere.

    Parameters
    ----------
    truth : ndarray of int, shape (z, y, x)
        Class of every voxel.
    count : int
        Strokes in all; classes take turns, so that each has as many.
    sections : int
        How many sections are painted on; they are spread evenly over the stack.
    length, width : int
        Of a stroke, in voxels; a stroke ends where it would leave its class.
    classes : sequence of int, optional
        Classes to paint; all that occur when not given.
    seed : int
        Of every random choice.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Class ids, −1 where nothing was painted.
    """
    rng = np.random.default_rng(seed)
    names = list(classes) if classes is not None else [int(c) for c in np.unique(truth)]
    planes = painted_sections(len(truth), sections)
    labels = np.full(truth.shape, UNLABELLED, np.int32)
    for number in range(count):
        name = names[number % len(names)]
        z = planes[number // len(names) % len(planes)]
        inside = truth[z] == name
        if inside.any():
            _paint(labels[z], inside, _walk(inside, length, rng), width, name)
    return labels


def painted_sections(depth: int, sections: int) -> list[int]:
    """Return the sections that `simulate_strokes` paints on."""
    return [int((i + 0.5) * depth / sections) for i in range(min(sections, depth))]


def _walk(inside: npt.NDArray[np.bool_], length: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return points of a smooth random curve that does not leave the mask, shape (n, 2)."""
    start = rng.choice(np.argwhere(inside)).astype(float)
    heading = rng.uniform(0, 2 * np.pi)
    points = [start]
    for _ in range(length):
        heading += rng.normal(0, 0.12)
        for bend in TURNS:
            step = points[-1] + np.array((np.sin(heading + bend), np.cos(heading + bend)))
            y, x = np.round(step).astype(int)
            if 0 <= y < inside.shape[0] and 0 <= x < inside.shape[1] and inside[y, x]:
                heading += bend
                points.append(step)
                break
        else:
            break
    return np.array(points)


def _paint(
    labels: npt.NDArray[np.int32],
    inside: npt.NDArray[np.bool_],
    points: npt.NDArray[np.float64],
    width: int,
    name: int,
) -> None:
    reach = (width - 1) / 2
    around = np.arange(-int(reach), int(reach) + 1)
    for dy in around:
        for dx in around:
            if dy * dy + dx * dx <= reach * reach + 0.5:
                y, x = np.round(points + np.array((dy, dx))).astype(int).T
                ok = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
                y, x = y[ok], x[ok]
                within = inside[y, x]
                labels[y[within], x[within]] = name
