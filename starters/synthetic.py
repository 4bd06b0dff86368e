"""Computed images of nuclei whose truth is exact: variety that the real data sets lack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.transform import resize

from napari_aitrain.samples import nuclei_2d

Image = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.uint16]
_RADII = 5.0, 20.0
"""Voxels; those of one volume are about alike."""
_MOST = 150
"""Nuclei in a volume."""
_PHOTONS = 4.0, 200.0


def slice_of_nuclei(seed: int) -> tuple[Image, Labels]:
    """Return an image of 256² with nuclei of any density and size, some of them dark on a bright ground."""
    random = np.random.default_rng(seed)
    zoom = np.exp(random.uniform(np.log(0.6), np.log(1.8)))
    side = max(256, round(256 / zoom))
    sample = nuclei_2d(seed, side, int(random.integers(40, 200) * (side / 256) ** 2))
    shape = (max(256, round(side * zoom)),) * 2
    image = resize(sample.image[0, 0], shape, preserve_range=True, anti_aliasing=zoom < 1)[:256, :256]
    labels = resize(sample.labels[0], shape, order=0, preserve_range=True, anti_aliasing=False)[:256, :256]
    return inverted(image.astype(np.uint16)) if random.random() < 0.3 else image.astype(np.uint16), numbered(labels)


def volume_of_nuclei(seed: int, shape: tuple[int, int, int] = (48, 128, 128)) -> tuple[Image, Labels]:
    """Return a volume of ellipsoids of one size that touch, blurred more along z than across, with camera noise."""
    random = np.random.default_rng(seed)
    labels, depth = np.zeros(shape, np.uint16), np.ones(shape, np.float32)
    light = np.zeros(shape, np.float32)
    radius, flat = np.exp(random.uniform(*np.log(_RADII))), random.uniform(0.4, 1.0)
    wanted = int(random.uniform(0.15, 0.6) * np.prod(shape) / (4.2 * flat * radius**3)) + 3
    number = 0
    for _ in range(4 * min(wanted, _MOST)):
        middle = random.uniform(0, shape)
        radii = radius * np.exp(random.normal(0, 0.15, 3)) * np.array([flat, 1.0, 1.0])
        turn = np.linalg.qr(random.normal(size=(3, 3)) * [0.3, 1, 1] + np.diag([1.0, 0, 0]))[0]
        if labels[tuple(middle.astype(int))] or number == min(wanted, _MOST):
            continue
        window = tuple(
            slice(max(0, int(m - radii.max())), min(n, int(m + radii.max()) + 2))
            for m, n in zip(middle, shape, strict=True)
        )
        grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in window), indexing="ij"))
        at = np.tensordot(turn, grid - middle[:, None, None, None], 1)
        ratio = np.sqrt(((at / radii[:, None, None, None]) ** 2).sum(0)).astype(np.float32)
        deeper = (ratio < depth[window]) & (ratio < 1)
        number += 1
        labels[window][deeper], depth[window][deeper] = number, ratio[deeper]
        light[window] += (ratio < 1) * random.lognormal(0, 0.3) * (0.6 + 0.4 * np.sqrt(np.clip(1 - ratio, 0, None)))
    texture = ndimage.gaussian_filter(random.standard_normal(shape, np.float32), random.uniform(0.1, 0.3) * radius)
    light *= np.clip(1 + random.uniform(0, 0.5) * texture / texture.std(), 0.1, None)
    blurred = ndimage.gaussian_filter(light, (random.uniform(1, 2.5), 1.0, 1.0))
    haze = ndimage.gaussian_filter(light, (6, 8, 8)) * random.uniform(0.1, 0.5)
    photons = np.exp(random.uniform(*np.log(_PHOTONS)))
    image = random.poisson(photons * (blurred + haze + 0.1)) + random.normal(100, 3, shape)
    return np.clip(image, 0, 65535).astype(np.uint16), numbered(labels)


def zoomed(image: npt.NDArray[np.unsignedinteger], labels: Labels, factor: float) -> tuple[Image, Labels]:
    """Return an image or a volume and its labels magnified, of which the first 512 voxels along each axis are kept."""
    shape = tuple(max(16, round(n * factor)) for n in image.shape)
    kept = (slice(512),) * image.ndim
    larger = resize(image, shape, preserve_range=True, anti_aliasing=factor < 1)[kept]
    ids = resize(labels, shape, order=0, preserve_range=True, anti_aliasing=False)[kept]
    return np.round(larger).astype(np.uint16), numbered(ids)


def inverted(image: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
    """Return the image with dark and bright exchanged."""
    return np.asarray(image.max() - image)


def numbered(labels: npt.NDArray[np.generic], smallest: int = 12) -> Labels:
    """Return labels as ``1 … n`` without slivers."""
    sizes = np.bincount(labels.astype(np.int64).ravel())
    keep = sizes >= smallest
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)[labels.astype(np.int64)].astype(np.uint16)
