"""Augmentation of batches in torch: parameters are sampled once and applied to image and targets alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from .intensity import blur, coarsen, noise, sections, tone
from .part import Part
from .warp import centre_crop, resample, sampling_grid, turn


@dataclass(frozen=True)
class Ranges:
    """How often and how far patches are varied.

    `warp`, `tone`, `blur`, `coarsen`, `noise` and `section` are shares of the samples (of the sections for the
    last); the others are the largest change. Costly transforms have small shares: a batch sees a few of each.
    """

    warp: float
    zoom: float
    stretch: float
    bend: float
    tone: float
    gamma: float
    contrast: float
    offset: float
    blur: float
    sigma: float
    coarsen: float
    noise: float
    noise_sigma: float
    section: float


LIGHT = Ranges(
    warp=0.3, zoom=1.25, stretch=1.05, bend=0.05, tone=0.5, gamma=1.3, contrast=1.2, offset=0.05,
    blur=0.1, sigma=1.0, coarsen=0.0, noise=0.2, noise_sigma=0.05, section=0.01,
)  # fmt: skip
FULL = Ranges(
    warp=0.5, zoom=1.4, stretch=1.15, bend=0.1, tone=0.7, gamma=1.7, contrast=1.5, offset=0.12,
    blur=0.2, sigma=1.8, coarsen=0.1, noise=0.4, noise_sigma=0.12, section=0.03,
)  # fmt: skip
STRENGTHS: dict[str, Ranges | None] = {"none": None, "light": LIGHT, "full": FULL}


class Augmenter:
    """Vary batches of patches; every random choice comes from one generator.

    Flips, and 90° turns among axes of equal spacing and extent, are applied to every sample; rotation, scaling and
    elastic bending to a share of them through one batched sampling pass; intensity changes to the image alone. With
    `em`, 3-D stacks also get lost, unsharp, displaced and unevenly stained sections.

    Parameters
    ----------
    strength : {'none', 'light', 'full'}
        How much to vary; with 'none' patches are only cropped.
    dims : {2, 3}
        Spatial axes of the patches: (y, x) or (z, y, x).
    voxel_size : tuple of float or None
        In nm, z, y, x order. When unknown, y and x are taken as equal and z as different.
    em : bool
        Whether the stacks are electron micrographs of sections.
    generator : torch.Generator
        On the CPU; its state alone decides what is done, on every device.
    """

    def __init__(
        self,
        strength: Literal["none", "light", "full"],
        dims: int,
        voxel_size: tuple[float, float, float] | None,
        em: bool,
        generator: torch.Generator,
    ) -> None:
        self._ranges = STRENGTHS[strength]
        self._dims = dims
        spacing = (voxel_size or (math.inf, 1.0, 1.0))[3 - dims :]
        self._sections = em and dims == 3
        self._generator = generator
        self._equal = [a for a in range(dims) if math.isclose(spacing[a], spacing[-1], rel_tol=0.01)]
        self._plane = (dims - 2, dims - 1)
        self._scaled = sorted({*self._equal, *self._plane})
        self._units = torch.tensor([spacing[a] if a in self._scaled else 1.0 for a in range(dims)])

    def input_shape(self, out_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the extents of an input patch from which transformed samples are mostly filled."""
        if self._ranges is None:
            return tuple(out_shape)
        return tuple(math.ceil(0.65 * n) * 2 if axis in self._plane else n for axis, n in enumerate(out_shape))

    @torch.no_grad()
    def __call__(
        self,
        image: Tensor,
        values: Tensor,
        weight: Tensor,
        nearest: Sequence[bool],
        out_shape: Sequence[int] | None = None,
        everywhere: int = 0,
        part: Part | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return a varied copy of a batch.

        Parameters
        ----------
        image, values, weight : Tensor of float32, shapes (b, c, *space), (b, k, *space), (b, 1, *space)
            Weight is 0 where a voxel is unlabelled.
        nearest : sequence of bool, length k
            Maps of `values` that hold class numbers.
        out_shape : sequence of int, optional
            Extents to return, at most those of the patches; the rest is margin for rotated and scaled samples.
        everywhere : int
            How many of the last maps are soft and hold in unlabelled voxels, too, such as a teacher's probabilities.
            They become 0 where a voxel comes from outside the patch.
        part : Part, optional
            Which samples of a joint batch these are; all of it if not given.

        Returns
        -------
        tuple of Tensor
            The same three, of `out_shape`. Voxels from outside the patch have weight 0.
        """
        in_shape = image.shape[2:]
        shape = tuple(out_shape or in_shape)
        ranges = self._ranges
        cropped = [centre_crop(x, shape) for x in (image, values, weight)]
        if ranges is None:
            return cropped[0], cropped[1], cropped[2]
        part = part or Part(range(len(image)), len(image))
        chosen = self._pick(part.total, ranges.warp)
        bent = part.local(chosen)
        each = [[x[i] for i in range(len(image))] for x in cropped]
        if chosen:
            matrix, coarse, slips = self._motion(len(chosen), ranges, shape, part.rows(chosen))
            if bent:
                grid = self._grid(matrix, coarse, slips, in_shape, shape).to(image.device)
                warped = resample(image[bent], values[bent], weight[bent], nearest, grid, everywhere)
                for samples, moved in zip(each, warped, strict=True):
                    for place, index in enumerate(bent):
                        samples[index] = moved[place]
        turns = [self._turn(shape) for _ in range(part.total)][part.here.start : part.here.stop]
        new_image, new_values, new_weight = (
            torch.stack([turn(x, *how) for x, how in zip(samples, turns, strict=True)]) for samples in each
        )
        return self._vary(new_image, ranges, part), new_values, new_weight

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self._generator) * (high - low) + low

    def _ratio(self, most: float, *shape: int) -> Tensor:
        return self._uniform(-math.log(most), math.log(most), *shape).exp()

    def _pick(self, count: int, share: float) -> list[int]:
        return [i for i, value in enumerate(self._uniform(0, 1, count).tolist()) if value < share]

    def _turn(self, shape: Sequence[int]) -> tuple[list[int], list[bool]]:
        order = list(range(self._dims))
        places = [a for a in self._equal if shape[a] == shape[-1]]
        shuffled = torch.randperm(len(places), generator=self._generator).tolist()
        for place, source in zip(places, shuffled, strict=True):
            order[place] = places[source]
        return order, [value < 0.5 for value in self._uniform(0, 1, self._dims).tolist()]

    def _motion(
        self, n: int, ranges: Ranges, shape: Sequence[int], rows: list[int]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Choose how `n` samples are moved; return it for `rows`: matrices, displacements, and slips of sections."""
        dims, scaled = self._dims, self._scaled
        matrix = torch.diag(self._units).repeat(n, 1, 1)
        for pair in sorted({*combinations(self._equal, 2), self._plane}):
            # Out of the plane a slab soon leaves its patch; the lattice turns cover large angles there.
            most = math.pi if pair == self._plane else math.pi / 16
            matrix = _rotation(self._uniform(-most, most, n), pair, dims) @ matrix
        matrix = matrix / self._units.view(-1, 1)
        zoom = self._ratio(ranges.zoom, n, 1) * self._ratio(ranges.stretch, n, len(scaled))
        matrix[:, :, scaled] *= zoom.unsqueeze(1)
        # Control points stand at least 32 voxels apart; less than a third of that in displacement cannot fold.
        points = [min(6, max(2, size // 32 + 1)) if a in scaled else 2 for a, size in enumerate(shape)]
        coarse = torch.randn((n, dims, *points), generator=self._generator).clamp_(-2, 2)
        spacing = min(shape[a] / (points[a] - 1) for a in scaled)
        coarse *= self._uniform(0, ranges.bend * spacing, n).view(n, *([1] * (dims + 1)))
        for axis in set(range(dims)) - set(scaled):
            coarse[:, axis] = 0
        slips = self._slips(n, ranges, shape[0])[rows] if self._sections else None
        return matrix[rows], coarse[rows], slips

    def _grid(
        self, matrix: Tensor, coarse: Tensor, slips: Tensor | None, in_shape: Sequence[int], shape: Sequence[int]
    ) -> Tensor:
        mode = "bilinear" if self._dims == 2 else "trilinear"
        bend = functional.interpolate(coarse, tuple(shape), mode=mode, align_corners=True)
        return sampling_grid(matrix, bend if slips is None else bend + slips, in_shape, shape)

    def _slips(self, n: int, ranges: Ranges, depth: int) -> Tensor:
        """Displace single sections, or all from one section on, within their plane by a few voxels."""
        single = self._uniform(0, 1, n, 1, depth) < ranges.section
        onwards = self._uniform(0, 1, n, 1, depth) < ranges.section / 4
        slips = torch.zeros((n, 3, depth, 1, 1))
        for chosen, cumulative in ((single, False), (onwards, True)):
            moved = chosen * self._uniform(-8, 8, n, 2, depth)
            slips[:, 1:, :, 0, 0] += moved.cumsum(2) if cumulative else moved
        return slips

    def _vary(self, image: Tensor, ranges: Ranges, part: Part) -> Tensor:
        n, device, axes = part.total, image.device, self._scaled
        if chosen := self._pick(n, ranges.blur):
            sigma = self._uniform(0.3, ranges.sigma, len(chosen))
            if here := part.local(chosen):
                image[here] = blur(image[here], sigma[part.rows(chosen)].to(device), axes, float(sigma.max()))
        if here := part.local(self._pick(n, ranges.coarsen)):
            image[here] = coarsen(image[here], 2, axes)
        if chosen := self._pick(n, ranges.tone):
            m = len(chosen)
            gamma, contrast = self._ratio(ranges.gamma, m), self._ratio(ranges.contrast, m)
            gain = self._ratio(ranges.contrast, m)
            offset = self._uniform(-ranges.offset, ranges.offset, m)
            if here := part.local(chosen):
                how = (x[part.rows(chosen)].to(device) for x in (gamma, contrast, gain, offset))
                image[here] = tone(image[here], *how)
        if self._sections:
            image = self._vary_sections(image, ranges, part)
        if chosen := self._pick(n, ranges.noise):
            m, rows = len(chosen), part.rows(chosen)
            sigma = self._uniform(0, ranges.noise_sigma, m)
            shot = self._uniform(0, 1, m) < 0.5
            normal = self._normal((m, *image.shape[1:]), device)
            if here := part.local(chosen):
                image[here] = noise(image[here], sigma[rows].to(device), shot[rows].to(device), normal[rows])
        return image

    def _vary_sections(self, image: Tensor, ranges: Ranges, part: Part) -> Tensor:
        """Blur, stain and lose single sections, in place where they are blurred."""
        size, device = (part.total, image.shape[2]), image.device
        sample, section = (self._uniform(0, 1, *size) < ranges.section).nonzero(as_tuple=True)
        if len(sample):
            sigma = self._uniform(0.5, 2 * ranges.sigma, len(sample))
            chosen = sample.tolist()
            if here := part.local(chosen):
                rows, stack = part.rows(chosen), image.movedim(2, 1)
                unsharp = torch.tensor(here), section[rows]
                stack[unsharp] = blur(stack[unsharp], sigma[rows].to(device), (0, 1), float(sigma.max()))
        gain = self._ratio(1 + 0.3 * (ranges.contrast - 1), *size)
        offset = self._uniform(-0.3, 0.3, *size) * ranges.offset
        missing = self._uniform(0, 1, *size) < ranges.section
        own = slice(part.here.start, part.here.stop)
        return sections(image, *(x[own].to(device) for x in (gain, offset, missing)))

    def _normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        if device.type == "cpu":
            return torch.randn(shape, generator=self._generator)
        seed = int(torch.randint(2**31, (), generator=self._generator))
        return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def _rotation(angle: Tensor, pair: tuple[int, int], dims: int) -> Tensor:
    matrix = torch.eye(dims).repeat(len(angle), 1, 1)
    first, second = pair
    matrix[:, first, first] = matrix[:, second, second] = angle.cos()
    matrix[:, first, second], matrix[:, second, first] = angle.sin(), -angle.sin()
    return matrix
