"""A block of neuropil as an electron microscope shows it: membranes and mitochondria, with exact labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from ..annotation.boxes import Box, Role
from .sample import Sample

CLASS_NAMES = ("cytoplasm", "membrane", "mitochondrion")
_MEMBRANE_NM = 9.0
_NEURITE_NM = 330.0
_COARSE_NM = 24.0
_SMALLEST_MITOCHONDRION = 200

FloatArray = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.int32]
Triple = tuple[int, int, int]
VoxelSize = tuple[float, float, float]


def em_volume_3d(seed: int = 0, shape: Triple = (32, 256, 256), voxel_size: VoxelSize = (20.0, 8.0, 8.0)) -> Sample:
    """Return a volume of neurites with membranes and mitochondria, with exact labels.

    Everything is laid out in nanometres, so that another voxel size shows like tissue at another resolution.

    Parameters
    ----------
    seed : int
        The same seed gives the same sample.
    shape : tuple of int
        In z, y, x.
    voxel_size : tuple of float
        In nm, in z, y, x order.

    Returns
    -------
    Sample
        Image uint8, shape (1, z, y, x); labels are mitochondria; classes are those of `CLASS_NAMES`.
    """
    rng = np.random.default_rng(seed)
    wall, neurite = _neurites(rng, shape, voxel_size)
    mitochondria, rim = _mitochondria(rng, wall, neurite, voxel_size)
    membrane = (wall < _MEMBRANE_NM) & (mitochondria == 0)
    return Sample(
        name="em volume",
        image=_expose(rng, wall, neurite, rim, voxel_size)[None],
        labels=mitochondria,
        voxel_size=voxel_size,
        boxes=_boxes(shape),
        classes=np.where(mitochondria > 0, 2, membrane).astype(np.int32),
        class_names=CLASS_NAMES,
    )


def _neurites(rng: np.random.Generator, shape: Triple, voxel_size: VoxelSize) -> tuple[FloatArray, LabelArray]:
    """Fill the volume with bent cells; return the distance to the nearest wall in nm, and the ids of the cells.

    The cells are those of a power diagram (Voronoi cells of different weight), drawn out along one axis and bent.
    They are computed on a coarse grid. Interpolation lifts the distance at a wall, by about a fifth of a step.
    """
    factor = [max(1, round(_COARSE_NM / v)) for v in voxel_size]
    coarse = tuple(-(-n // f) + 1 for n, f in zip(shape, factor, strict=True))
    step = np.array(voxel_size) * factor
    grid = np.moveaxis(np.indices(coarse), 0, -1) * step
    for scale, bend in ((140.0, 40.0), (450.0, 150.0)):
        for axis in range(3):
            grid[..., axis] += bend * _noise(rng, coarse, scale / step)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    squash = (turn * [1.0, 1.0, 0.45]) @ turn.T
    low, high = grid.min((0, 1, 2)) - 2 * _NEURITE_NM, grid.max((0, 1, 2)) + 2 * _NEURITE_NM
    count = int(np.prod(high - low) / _NEURITE_NM**3)
    seeds = rng.uniform(low, high, (count, 3)) @ squash
    wall, cell = _power_cells(seeds, rng.gamma(1.0, 0.3 * _NEURITE_NM**2, count), grid.reshape(-1, 3) @ squash)
    fine = np.stack(np.meshgrid(*(np.arange(n) / f for n, f in zip(shape, factor, strict=True)), indexing="ij"))
    ids = cell.reshape(coarse)[tuple(np.rint(fine).astype(int))]
    distance = ndimage.map_coordinates(wall.reshape(coarse), fine, order=1) - step.max() / 5
    return np.clip(distance, 0, None), ids


def _power_cells(seeds: Points, weight: Points, points: Points) -> tuple[FloatArray, LabelArray]:
    """Return each point's distance to the walls of its cell, and the cell; a weight is a coordinate more."""
    lifted = np.column_stack([seeds, np.sqrt(weight.max() - weight)])
    distance, near = KDTree(lifted).query(np.column_stack([points, np.zeros(len(points))]), k=6)
    apart = np.linalg.norm(seeds[near[:, 1:]] - seeds[near[:, :1]], axis=2)
    walls = (distance[:, 1:] ** 2 - distance[:, :1] ** 2) / (2 * apart)
    return walls.min(1).astype(np.float32), near[:, 0].astype(np.int32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: npt.ArrayLike) -> FloatArray:
    """Return smooth noise of mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma, mode="wrap", truncate=3)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def _mitochondria(
    rng: np.random.Generator, wall: FloatArray, neurite: LabelArray, voxel_size: VoxelSize
) -> tuple[LabelArray, FloatArray]:
    """Lay bent tubes into the wider cells; return their ids, and the depth below their surface in nm."""
    labels = np.zeros(wall.shape, np.int32)
    rim = np.full(wall.shape, -1.0, np.float32)
    roomy = np.argwhere(wall > 70)
    number = 0
    for start in roomy[rng.choice(len(roomy), min(len(roomy), 60), replace=False)]:
        radius = rng.uniform(75, 140)
        line = _line(rng, start * voxel_size, rng.uniform(100, 900))
        low = np.clip(((line.min(0) - radius) / voxel_size).astype(int), 0, wall.shape)
        high = np.clip(((line.max(0) + radius) / voxel_size).astype(int) + 2, 0, wall.shape)
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        place = np.moveaxis(np.indices(tuple(high - low)), 0, -1) * voxel_size + low * voxel_size
        tube = radius - KDTree(line).query(place, distance_upper_bound=radius + 60)[0]
        depth = np.minimum(np.clip(tube, -60, None), wall[window] - 22).astype(np.float32)
        inside = (depth > 0) & (neurite[window] == neurite[tuple(start)])
        pieces, _ = ndimage.label(inside)
        piece = pieces == pieces[tuple(start - low)]
        crowded = ndimage.binary_dilation(piece, iterations=3) & (labels[window] > 0)
        if piece.sum() < _SMALLEST_MITOCHONDRION or not inside[tuple(start - low)] or crowded.any():
            continue
        number += 1
        labels[window][piece] = number
        rim[window][piece] = depth[piece]
    return labels, rim


def _line(rng: np.random.Generator, start: Points, length: float) -> Points:
    """Return points in nm, 15 nm apart, along a bent line that begins at `start`."""
    heading = rng.standard_normal(3)
    points = [start]
    for _ in range(int(length / 15)):
        heading = heading / np.linalg.norm(heading) + 0.18 * rng.standard_normal(3)
        points.append(points[-1] + 15 * heading / np.linalg.norm(heading))
    return np.array(points)


def _expose(
    rng: np.random.Generator, wall: FloatArray, neurite: LabelArray, rim: FloatArray, voxel_size: VoxelSize
) -> npt.NDArray[np.uint8]:
    """Stain membranes and organelles, then add the microscope's blur, noise and uneven sections."""
    size = np.array(voxel_size)
    grain = _noise(rng, wall.shape, 14 / size)
    shade = np.random.default_rng(int(neurite.max())).normal(0, 0.035, int(neurite.max()) + 1)
    grey = 0.70 + shade[neurite] + 0.045 * grain
    vesicles = (_noise(rng, wall.shape, 17 / size) > 2.1) & (wall > 35)
    grey -= 0.2 * vesicles
    cristae = np.sin(rim / 6 + 2.5 * _noise(rng, wall.shape, 30 / size))
    inner = 0.50 + 0.05 * grain - 0.15 * (cristae > 0.2)
    grey = np.where(rim > 0, np.where(rim < 12, 0.33, inner), grey)
    grey -= 0.42 * np.exp(-((wall / 10) ** 2))
    grey = ndimage.gaussian_filter(grey, (0.3, 0.8, 0.8))
    sections = rng.normal(0, 0.012, (len(grey), 1, 1)) + 0.03 * _noise(rng, wall.shape[1:], 60.0)
    grey += sections + 0.055 * rng.standard_normal(grey.shape, np.float32)
    return np.asarray(np.clip(np.rint(255 * grey), 0, 255), np.uint8)


def _boxes(shape: Triple) -> tuple[Box, ...]:
    """Place four boxes in the corners, as high as the volume, with wide gaps between them."""
    z, height, width = shape
    dy, dx = int(0.4 * height), int(0.4 * width)
    places: list[tuple[str, Role, int, int]] = [
        ("train 1", "train", 0, 0),
        ("train 2", "train", height - dy, width - dx),
        ("validation", "validation", 0, width - dx),
        ("test", "test", height - dy, 0),
    ]
    return tuple(
        Box(start=(0, y, x), stop=(z, y + dy, x + dx), name=name, role=role, status="reviewed")
        for name, role, y, x in places
    )
