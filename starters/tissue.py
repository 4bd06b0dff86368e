"""Computed images of stained tissue, whose truth is exact: dark nuclei in a ground that has a texture of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.transform import resize

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint16]
Shape = tuple[int, int]
_RADII = 6.0, 26.0
"""Pixels; those of one image are about alike."""


@dataclass(frozen=True)
class _Style:
    """What the nuclei of one image have in common.

    Parameters
    ----------
    radius : float
        In pixels.
    cover : float
        Share of the image that they fill.
    spread, longish : float
        How much radii and lengths differ.
    aligned : bool
        Whether they point in one direction.
    turn : float
        That direction, in radians.
    paleness : float
        How much weaker some are stained.
    ring : bool
        Whether they are darker at the rim.
    """

    radius: float
    cover: float
    spread: float
    longish: float
    aligned: bool
    turn: float
    paleness: float
    ring: bool

    @classmethod
    def draw(cls, random: np.random.Generator) -> _Style:
        """Return a style by chance."""
        return cls(
            radius=np.exp(random.uniform(*np.log(_RADII))),
            cover=random.uniform(0.04, 0.4),
            spread=random.uniform(0.05, 0.35),
            longish=random.uniform(0, 0.5),
            aligned=random.random() < 0.3,
            turn=random.uniform(0, np.pi),
            paleness=random.uniform(0.1, 0.8),
            ring=random.random() < 0.4,
        )


def stained_tissue(seed: int, shape: Shape = (256, 256)) -> tuple[Image, Labels]:
    """Return an image as of a stained section in grey, bright where nothing is, and its nuclei.

    Nuclei are of any size, pale and dark, with grain and nucleoli; the ground has fibres, holes, specks, and blurred
    nuclei of other depths, which nobody would outline.
    """
    random = np.random.default_rng(seed)
    style = _Style.draw(random)
    labels, stain, halo = _nuclei(random, style, shape)
    ground = random.uniform(215, 245)
    holes = noise(random, shape, (random.uniform(8, 60),) * 2) > random.uniform(-2, 0.6)
    tissue = ndimage.gaussian_filter(holes.astype(np.float32), random.uniform(0.5, 3))
    eosin = random.uniform(5, 80)
    texture = random.uniform(0.05, 0.45) * fibres(random, shape)
    texture += random.uniform(0, 0.3) * noise(random, shape, (random.uniform(2, 10),) * 2)
    absorbed = eosin * tissue * np.clip(1 + texture, 0.05, 2.5)
    absorbed *= np.where(halo, random.uniform(0.5, 1.4), 1.0)
    depth = max(random.uniform(45, 150), 1.3 * eosin)
    for _ in range(random.integers(0, 8)):
        blurred = _spot(random.uniform(0, shape), 0.7 * style.radius, shape)
        absorbed += random.uniform(0.05, 0.25) * depth * blurred * (labels == 0)
    for _ in range(random.integers(0, 12)):
        speck = _spot(random.uniform(0, shape), random.uniform(0.5, 0.22 * style.radius), shape)
        absorbed += random.uniform(0.2, 1) * depth * speck
    soft = ndimage.gaussian_filter(depth * stain, random.uniform(0.4, 0.08 * style.radius + 0.6))
    image = ground - np.where(labels > 0, random.uniform(0.2, 0.7) * absorbed, absorbed) - soft
    image = ndimage.gaussian_filter(image, random.uniform(0.3, 1.2))
    image *= 1 + 0.05 * noise(random, shape, (80, 80))
    image += random.normal(0, random.uniform(0.5, 6), shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


def noise(random: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, float]) -> Floats:
    """Return noise of unit deviation that changes over `sigma` pixels."""
    small = tuple(max(4, int(np.ceil(n / max(1.0, s / 2)))) for n, s in zip(shape, sigma, strict=True))
    scaled = [s * k / n for s, k, n in zip(sigma, small, shape, strict=True)]
    fine = resize(ndimage.gaussian_filter(random.standard_normal(small), scaled), shape, order=1)
    even: Floats = ((fine - fine.mean()) / max(fine.std(), 1e-6)).astype(np.float32)
    return even


def fibres(random: np.random.Generator, shape: Shape) -> Floats:
    """Return noise that is drawn out along a direction which changes slowly over the image."""
    width = random.uniform(1, 3)
    straight = noise(random, (2 * shape[0], 2 * shape[1]), (width, width * random.uniform(1, 12)))
    angle, bend = random.uniform(0, np.pi), random.uniform(0, 25)
    y, x = np.indices(shape, np.float32)
    y = y - shape[0] / 2 + bend * noise(random, shape, (60, 60))
    x = x - shape[1] / 2 + bend * noise(random, shape, (60, 60))
    at = (y * np.cos(angle) - x * np.sin(angle) + shape[0], y * np.sin(angle) + x * np.cos(angle) + shape[1])
    drawn: Floats = ndimage.map_coordinates(straight, at, order=1, mode="reflect")
    return drawn


def _nuclei(random: np.random.Generator, style: _Style, shape: Shape) -> tuple[Labels, Floats, npt.NDArray[np.bool_]]:
    """Return the nuclei, how strongly each pixel of them is stained, and what lies close around them."""
    labels, stain, halo = np.zeros(shape, np.uint16), np.zeros(shape, np.float32), np.zeros(shape, bool)
    wanted = max(2, int(style.cover * np.prod(shape) / (np.pi * style.radius**2)))
    number = 0
    for _ in range(6 * wanted):
        if number == wanted:
            break
        radius = style.radius * np.exp(random.normal(0, style.spread))
        stretch = np.exp(abs(random.normal(0, style.longish)))
        angle = style.turn + random.normal(0, 0.3) if style.aligned else random.uniform(0, np.pi)
        middle = random.uniform(-0.3 * radius, np.array(shape) + 0.3 * radius)
        far = int(1.5 * radius * stretch) + 2
        window = tuple(
            slice(max(0, int(m) - far), max(0, min(n, int(m) + far + 1))) for m, n in zip(middle, shape, strict=True)
        )
        if any(s.stop - s.start < 3 for s in window):
            continue
        y, x = np.meshgrid(
            *(np.arange(s.start, s.stop) - m for s, m in zip(window, middle, strict=True)), indexing="ij"
        )
        ratio = _ratio(random, (y, x), radius, stretch, angle)
        inside = (ratio < 1) & (labels[window] == 0)
        if np.count_nonzero(inside) < 0.75 * np.count_nonzero(ratio < 1):
            continue
        number += 1
        labels[window][inside] = number
        halo[window] |= ratio < random.uniform(1.1, 1.4)
        stain[window][inside] = _body(random, style, (y, x), radius, ratio)[inside]
    return labels, stain, halo


def _ratio(
    random: np.random.Generator, at: tuple[Floats, Floats], radius: float, stretch: float, angle: float
) -> Floats:
    """Return how far from the middle of a nucleus pixels are, where its uneven rim is at 1."""
    y, x = at
    along = (np.cos(angle) * y + np.sin(angle) * x) / np.sqrt(stretch)
    across = (-np.sin(angle) * y + np.cos(angle) * x) * np.sqrt(stretch)
    around = np.arctan2(across, along)
    waves = (random.normal(0, 0.12 / k**1.2) * np.cos(k * around + random.uniform(0, 6.3)) for k in range(2, 7))
    ratio: Floats = np.hypot(along, across) / np.maximum(radius * (1 + sum(waves)), 0.3 * radius)
    return ratio


def _body(
    random: np.random.Generator, style: _Style, at: tuple[Floats, Floats], radius: float, ratio: Floats
) -> Floats:
    """Return how strongly the pixels of a nucleus are stained: its grain, and nucleoli."""
    dark = np.exp(-style.paleness * abs(random.normal()))
    body = np.full(ratio.shape, dark, np.float32)
    if style.ring:
        body *= 0.55 + 0.45 * np.clip(ratio, 0, 1) ** 4
    grain = noise(random, ratio.shape, (max(0.8, random.uniform(0.06, 0.25) * radius),) * 2)
    body *= 1 + random.uniform(0.05, 0.45) * grain
    for _ in range(random.integers(0, 4)):
        y, x = random.uniform(-0.6, 0.6, 2) * radius
        body += 0.35 * dark * np.exp(-((at[0] - y) ** 2 + (at[1] - x) ** 2) / (2 * (0.12 * radius) ** 2))
    return np.clip(body, 0.08, 1.6)


def _spot(middle: npt.NDArray[np.float64], size: float, shape: Shape) -> npt.NDArray[np.float64]:
    down, right = (np.exp(-(((np.arange(n) - m) / size) ** 2)) for n, m in zip(shape, middle, strict=True))
    return np.outer(down, right)
