"""Flows of Cellpose from labels, and how they change when a patch is moved.

Stringer et al. 2021: heat spreads from the middle of each cell and is lost at its rim; flows are directions of its
slope. Here cells of about one size are computed side by side, each in a window of its own, in which the nine voxels
that heat is shared among are summed row by row; `cellpose.dynamics` gathers nine neighbours of every voxel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from .protocol import BoolArray, FloatArray, LabelArray

if TYPE_CHECKING:
    import torch

_AT_ONCE = 2**14
"""Voxels of windows that are computed at once, so that they stay in the processor's cache."""
_LOOK_EVERY, _STEADY = 16, 1e-5
"""How often is looked whether heat still changes, and by what share that counts as a change."""

Heat = npt.NDArray[np.float64]
Corner = tuple[int, int]


def flow_targets(labels: LabelArray) -> FloatArray:
    """Return the flows of objects, as `cellpose.dynamics.masks_to_flows_gpu` does.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 is background.

    Returns
    -------
    ndarray of float32, shape (2, y, x)
        Along y and x, of length 1 in objects and 0 elsewhere.
    """
    heat = _heat(labels)
    slope = np.stack([heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]])
    slope *= labels > 0
    # Far from the middle of a large cell heat is so little that its square is nothing.
    slope /= np.maximum(np.abs(slope).max(axis=0), 1e-200)
    flows: FloatArray = (slope / np.maximum(np.linalg.norm(slope, axis=0), 1e-30)).astype(np.float32)
    return flows


def frame_of(shape: tuple[int, ...]) -> FloatArray:
    """Return the coordinates of all pixels, shape (2, y, x)."""
    return np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))


def moved_flows(flows: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """Turn flows that were moved like an image into the directions of the moved image.

    Parameters
    ----------
    flows : Tensor, shape (b, 2, y, x)
        Along y and x of the image as it was; they keep their length.
    frame : Tensor, shape (b, 2, y, x)
        Where each pixel was: `frame_of`, moved alike.

    Returns
    -------
    Tensor, shape (b, 2, y, x)
        Directions that lead to the moved places of those that they led to before.
    """
    import torch

    (yy, yx), (xy, xx) = (torch.gradient(frame[:, axis], dim=(1, 2)) for axis in range(2))
    down, right = flows.unbind(1)
    # The inverse of the matrix of slopes, but for its determinant, of which only the sign matters.
    sign = torch.sign(yy * xx - yx * xy)
    moved = torch.stack([xx * down - yx * right, yy * right - xy * down], 1) * sign.unsqueeze(1)
    length = torch.linalg.vector_norm(flows, dim=1, keepdim=True)
    turned: torch.Tensor = moved * (length / torch.linalg.vector_norm(moved, dim=1, keepdim=True).clamp_min(1e-6))
    return turned


def _heat(labels: LabelArray) -> Heat:
    """Return the heat in a frame one pixel wide; that of each object is what came from its own middle."""
    heat = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2))
    windows = [(number, box) for number, box in enumerate(find_objects(labels), 1) if box is not None]
    steps = 2 * max((sum(s.stop - s.start for s in box) + 2 for _, box in windows), default=0)
    for cells in _alike(windows):
        shape = tuple(max(box[axis].stop - box[axis].start for _, box in cells) + 2 for axis in range(2))
        masks, middles = np.zeros((len(cells), *shape), bool), []
        for mask, (number, box) in zip(masks, cells, strict=True):
            part = labels[box] == number
            mask[1 : part.shape[0] + 1, 1 : part.shape[1] + 1] = part
            middles.append(_middle(part))
        found = _spread(masks, np.asarray(middles) + 1, steps)
        for mask, warm, (_, box) in zip(masks, found, cells, strict=True):
            height, width = (s.stop - s.start for s in box)
            inside = mask[1 : height + 1, 1 : width + 1]
            target = heat[box[0].start + 1 : box[0].stop + 1, box[1].start + 1 : box[1].stop + 1]
            target[inside] = warm[1 : height + 1, 1 : width + 1][inside]
    return heat


def _alike(windows: list[tuple[int, tuple[slice, slice]]]) -> Iterator[list[tuple[int, tuple[slice, slice]]]]:
    """Yield runs of windows of about one size."""
    extents = {number: tuple(s.stop - s.start + 2 for s in box) for number, box in windows}
    left = sorted(windows, key=lambda window: (max(extents[window[0]]), min(extents[window[0]])), reverse=True)
    while left:
        height, width = extents[left[0][0]]
        many = max(1, _AT_ONCE // max(height, width) ** 2)
        yield left[:many]
        left = left[many:]


def _middle(part: BoolArray) -> Corner:
    """Return the pixel of an object that is nearest to its centre of mass."""
    y, x = np.nonzero(part)
    middle = int(np.round(y.sum() / len(y))), int(np.round(x.sum() / len(x)))
    if part[middle]:
        return middle
    nearest = ((x - middle[1]) ** 2 + (y - middle[0]) ** 2).argmin()
    return int(y[nearest]), int(x[nearest])


def _spread(masks: BoolArray, middles: npt.NDArray[np.int64], steps: int) -> Heat:
    """Let heat come from the middles and spread: each voxel takes the mean of the nine around it that are its own."""
    share, heat, before = masks / 9.0, np.zeros(masks.shape), np.zeros(masks.shape)
    rows, total = np.zeros(masks.shape), np.zeros(masks.shape)
    at = (np.arange(len(masks)), middles[:, 0], middles[:, 1])
    for step in range(1, steps + 1):
        heat[at] += 1
        rows[:, 1:-1] = heat[:, 1:-1]
        rows[:, 1:-1] += heat[:, :-2]
        rows[:, 1:-1] += heat[:, 2:]
        total[..., 1:-1] = rows[..., 1:-1]
        total[..., 1:-1] += rows[..., :-2]
        total[..., 1:-1] += rows[..., 2:]
        np.multiply(total, share, out=heat)
        if step % _LOOK_EVERY == 0:
            if np.all(heat - before <= _STEADY * heat):
                break
            before[:] = heat
    return heat
