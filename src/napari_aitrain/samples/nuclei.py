"""Fluorescence nuclei in 2-D: varied, clustered, blurred, noisy and unevenly lit, with exact labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..annotation.boxes import Box, Role
from .sample import Sample

_PIXEL_NM = 325.0
_PSF_SIGMA = 1.2
_HAZE_SIGMA = 14.0
_CAMERA_OFFSET = 100.0
_READ_NOISE = 4.0
_MARGIN = 48
_SMALLEST_VISIBLE = 12

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int32]


def nuclei_2d(seed: int = 0, size: int = 768, count: int = 640) -> Sample:
    """Return an image of fluorescent nuclei with exact labels.

    Parameters
    ----------
    seed : int
        The same seed gives the same sample.
    size : int
        Extent in y and x, in pixels of 325 nm; at least 256.
    count : int
        How many nuclei to try to place; those that find no room are left out.

    Returns
    -------
    Sample
        Image uint16, shape (1, 1, size, size); three boxes to train on, one for validation, three for the test.
    """
    rng = np.random.default_rng(seed)
    labels, light = _draw_nuclei(rng, size + 2 * _MARGIN, count)
    image = _expose(rng, light)
    inner = slice(_MARGIN, _MARGIN + size)
    return Sample(
        name="nuclei",
        image=image[None, None, inner, inner],
        labels=_whole_pieces(labels[inner, inner])[None],
        voxel_size=(_PIXEL_NM, _PIXEL_NM, _PIXEL_NM),
        boxes=_boxes(size),
    )


def _draw_nuclei(rng: np.random.Generator, size: int, count: int) -> tuple[LabelArray, FloatArray]:
    """Draw one nucleus after the other; a pixel of two belongs to the one that it lies deeper in."""
    labels = np.zeros((size, size), np.int32)
    depth = np.ones((size, size), np.float32)
    light = np.zeros((size, size), np.float32)
    chromatin = _chromatin(rng, size)
    for number, (y, x, radius) in enumerate(_places(rng, size, count), start=1):
        reach = int(1.7 * radius)
        top, left = int(y) - reach, int(x) - reach
        window = np.s_[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
        rows, columns = np.mgrid[window]
        ratio = _outline_ratio(rng, rows - y, columns - x, radius)
        deeper = ratio < depth[window]
        depth[window][deeper] = ratio[deeper]
        labels[window][deeper] = number
        thickness = np.sqrt(np.clip(1 - ratio**2, 0, None))
        light[window] += rng.lognormal(0, 0.42) * (ratio < 1) * (0.4 + 0.6 * thickness) * chromatin[window]
    return labels, light


def _places(rng: np.random.Generator, size: int, count: int) -> list[tuple[float, float, float]]:
    """Scatter y, x and radius: a part alone, a part in clusters whose nuclei touch."""
    low, high = _MARGIN * 0.7, size - _MARGIN * 0.7
    alone = rng.uniform(low, high, (count // 3, 2))
    hubs = rng.uniform(low, high, (count // 16, 2))
    near = hubs[rng.integers(len(hubs), size=count - len(alone))]
    clustered = np.clip(near + rng.normal(0, 30, near.shape), low, high)
    kept: list[tuple[float, float, float]] = []
    for y, x in np.concatenate([alone, clustered]):
        radius = float(np.clip(rng.lognormal(np.log(11.5), 0.23), 6.5, 19))
        if all(np.hypot(y - b, x - a) > 0.8 * (radius + r) for b, a, r in kept):
            kept.append((float(y), float(x), radius))
    return kept


def _outline_ratio(rng: np.random.Generator, rows: FloatArray, columns: FloatArray, radius: float) -> FloatArray:
    """Return the distance from the centre over that of a bumpy ellipse: below 1 inside."""
    angle = np.arctan2(rows, columns)
    turn = rng.uniform(0, np.pi)
    stretch = rng.uniform(1.0, 1.45)
    outline = radius / np.sqrt(stretch * np.cos(angle - turn) ** 2 + np.sin(angle - turn) ** 2 / stretch)
    for wave in (3, 4, 5):
        outline *= 1 + rng.normal(0, 0.024) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(rows, columns) / outline, np.float32)


def _chromatin(rng: np.random.Generator, size: int) -> FloatArray:
    """Return texture around 1: fine grains, and nucleoli that are darker."""
    fine, coarse = (_smooth_noise(rng, size, sigma) for sigma in (1.3, 3.2))
    return np.asarray(np.clip(1 + 0.16 * fine + 0.14 * coarse - 0.3 * (coarse < -1.7), 0.2, None), np.float32)


def _smooth_noise(rng: np.random.Generator, size: int, sigma: float) -> FloatArray:
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), np.float32), sigma, mode="wrap")
    return np.asarray(noise / noise.std(), np.float32)


def _expose(rng: np.random.Generator, light: FloatArray) -> npt.NDArray[np.uint16]:
    """Blur, add haze, background and debris, light unevenly and add the camera's noise."""
    size = len(light)
    debris = np.zeros_like(light)
    spots = rng.integers(0, size, (size // 14, 2))
    debris[tuple(spots.T)] = rng.lognormal(1.6, 0.7, len(spots))
    sharp = ndimage.gaussian_filter(light, _PSF_SIGMA) + ndimage.gaussian_filter(debris, 0.8)
    haze = 0.22 * ndimage.gaussian_filter(light, _HAZE_SIGMA) + 0.16 + 0.05 * _smooth_noise(rng, size, 60)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j] - rng.uniform(-0.3, 0.3, (2, 1, 1))
    vignette = 1 - 0.28 * (x**2 + y**2) / 1.7
    electrons = rng.poisson(np.clip(180 * (sharp + haze) * vignette, 0, None))
    counts = electrons + rng.normal(_CAMERA_OFFSET, _READ_NOISE, light.shape)
    return np.asarray(np.clip(counts, 0, 65535), np.uint16)


def _whole_pieces(labels: LabelArray) -> LabelArray:
    """Drop slivers that the border of the image left over, and number the rest from 1."""
    visible = np.bincount(labels.ravel()) >= _SMALLEST_VISIBLE
    visible[0] = False
    number = np.where(visible, np.cumsum(visible), 0)
    return np.asarray(number[labels], np.int32)


def _boxes(size: int) -> tuple[Box, ...]:
    """Place seven boxes on a 3 by 3 grid with wide gaps between them."""
    side, step = size // 4, size // 3
    offset = (step - side) // 2
    places: list[tuple[str, Role, int, int]] = [
        ("train 1", "train", 0, 0),
        ("train 2", "train", 1, 1),
        ("train 3", "train", 2, 0),
        ("validation", "validation", 1, 0),
        ("test 1", "test", 2, 2),
        ("test 2", "test", 0, 2),
        ("test 3", "test", 0, 1),
    ]
    boxes = []
    for name, role, row, column in places:
        y, x = offset + row * step, offset + column * step
        boxes.append(Box(start=(0, y, x), stop=(1, y + side, x + side), name=name, role=role, status="reviewed"))
    return tuple(boxes)
