"""Flows of Cellpose from labels, and how they change when a patch is moved.

Stringer et al. 2021: heat spreads from the middle of each cell and is lost at its rim; flows are directions of its
slope. Here cells of about one size are computed side by side, each in a window of its own, in which the nine voxels
that heat is shared among are summed row by row; `cellpose.dynamics` gathers nine neighbours of every voxel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, map_coordinates

from .protocol import BoolArray, FloatArray, LabelArray

if TYPE_CHECKING:
    import torch

_AT_ONCE = 2**15
"""Voxels of windows that are computed at once, so that they stay in the processor's cache."""
_LOOK_EVERY, _STEADY = 16, 1e-5
"""How often is looked whether heat still changes, and by what share that counts as a change."""

_COMPACT, _SHORT = 0.25, 64
"""What an object fills of its window, and how long it is, where float32 will do."""
MOST = 128
"""Objects that are longer are computed at fewer pixels: in them heat changes slowly, and takes long to spread."""

Heat = npt.NDArray[np.float64]
Corner = tuple[int, int]
Window = tuple[int, tuple[slice, slice]]
"""The id of an object, and the box around it."""


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
    y, x = np.nonzero(labels)
    width = heat.shape[1]
    at, heat = (y + 1) * width + x + 1, heat.ravel()
    slope = np.stack([heat.take(at + step) - heat.take(at - step) for step in (width, 1)])
    steepest = np.abs(slope).max(axis=0)
    # In the very middle of a cell there is no slope but for rounding.
    slope *= steepest > 1e-6 * heat.take(at)
    # Far from the middle of a large cell heat is so little that its square is nothing.
    slope /= np.maximum(steepest, 1e-200)
    flows = np.zeros((2, *labels.shape), np.float32)
    flows[:, y, x] = slope / np.maximum(np.linalg.norm(slope, axis=0), 1e-30)
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
    boxes = [(number, box) for number, box in enumerate(find_objects(labels), 1) if box is not None]
    windows = []
    for number, box in boxes:
        if max(s.stop - s.start for s in box) <= MOST:
            windows.append((number, box))
            continue
        part = labels[box] == number
        heat[1:-1, 1:-1][box][part] = _coarse_heat(part)[part]
    steps = 2 * max((sum(s.stop - s.start for s in box) + 2 for _, box in windows), default=0)

    def warm(cells: list[Window]) -> None:
        shape = tuple(max(box[axis].stop - box[axis].start for _, box in cells) + 2 for axis in range(2))
        masks, middles = np.zeros((len(cells), *shape), bool), []
        for mask, (number, box) in zip(masks, cells, strict=True):
            part = labels[box] == number
            mask[1 : part.shape[0] + 1, 1 : part.shape[1] + 1] = part
            middles.append(_middle(part))
        found = _spread(masks, np.asarray(middles) + 1, steps)
        for mask, spread, (_, box) in zip(masks, found, cells, strict=True):
            height, width = (s.stop - s.start for s in box)
            inside = mask[1 : height + 1, 1 : width + 1]
            target = heat[box[0].start + 1 : box[0].stop + 1, box[1].start + 1 : box[1].stop + 1]
            target[inside] = spread[1 : height + 1, 1 : width + 1][inside]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(warm, _alike(windows)))
    return heat


def _coarse_heat(part: BoolArray) -> Heat:
    """Return the heat of a large object from that at every few pixels; its logarithm is linear between them."""
    every = -(-max(part.shape) // MOST)
    begin = [min(every // 2, n - 1) for n in part.shape]
    coarse = part[begin[0] :: every, begin[1] :: every]
    if not coarse.any():
        return np.ones(part.shape)
    masks = np.pad(coarse, 1)[None]
    heat = _spread(masks, np.asarray([_middle(coarse)]) + 1, 2 * (sum(coarse.shape) + 2))[0]
    at = [(np.arange(n) - b) / every + 1 for n, b in zip(part.shape, begin, strict=True)]
    known = np.log(np.maximum(heat, heat[heat > 0].min() * 1e-3))
    fine: Heat = np.exp(map_coordinates(known, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"))
    return fine


def _alike(windows: list[Window]) -> Iterator[list[Window]]:
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
    """Let heat come from the middles and spread: each voxel takes the mean of the nine around it that are its own.

    Windows have a frame that belongs to nobody, so that all of them can be one row of numbers.
    """
    # In slender objects heat falls below what float32 can hold.
    compact = masks.mean(axis=(1, 2)).min() > _COMPACT and max(masks.shape[1:]) <= _SHORT
    kind: type[np.floating] = np.float32 if compact else np.float64
    share = (masks / 9.0).astype(kind).ravel()
    heat, before, row, total = (np.zeros(masks.size, kind) for _ in range(4))
    width = masks.shape[2]
    at = (np.arange(len(masks)) * masks.shape[1] + middles[:, 0]) * width + middles[:, 1]
    for step in range(1, steps + 1):
        heat[at] += 1
        np.add(heat[:-2], heat[1:-1], out=row[1:-1])
        row[1:-1] += heat[2:]
        np.add(row[: -2 * width], row[width:-width], out=total[width:-width])
        total[width:-width] += row[2 * width :]
        np.multiply(total, share, out=heat)
        if step % _LOOK_EVERY == 0:
            if np.all(heat - before <= _STEADY * heat):
                break
            before[:] = heat
    return heat.reshape(masks.shape).astype(np.float64)
