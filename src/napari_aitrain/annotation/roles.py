"""Boxes with roles, and the rule that roles must not share voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ..geometry import FINEST, Region, Triple, to_finest
from .boxes import Role
from .findings import Finding, error, warning

Profiles = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Candidate:
    """A box that is to get a role.

    Parameters
    ----------
    region : Region
        In voxels of `magnification`.
    role : {'train', 'validation', 'test'}
        The role a person gave it.
    image : str
        What identifies the image; only boxes of one image can overlap.
    name : str
        What people call it.
    magnification : tuple of int
        In z, y, x order.
    profiles : tuple of three ndarray of int, shape (k, n), optional
        Labelled voxels per class (or one row for all objects) and per plane along z, y and x; none means that
        every voxel is labelled.
    classes : tuple of int
        The classes of the rows; ``(0,)`` where they are not told apart.
    """

    region: Region
    role: Role
    image: str
    name: str = ""
    magnification: Triple = FINEST
    profiles: Profiles | None = None
    classes: tuple[int, ...] = (0,)

    @property
    def weight(self) -> int:
        """Labelled voxels."""
        return self.region.size if self.profiles is None else int(self.profiles[0].sum())

    @property
    def finest(self) -> Region:
        """The region in voxels of the finest level."""
        return to_finest(self.region, self.magnification)

    def profile(self, axis: int) -> npt.NDArray[np.int64]:
        """Labelled voxels per class and plane along an axis, shape (k, n)."""
        if self.profiles is not None:
            return self.profiles[axis]
        extent = self.region.shape[axis]
        return np.full((1, extent), self.region.size // max(1, extent), dtype=np.int64)

    @property
    def found(self) -> set[int]:
        """The classes of which something is labelled."""
        if self.profiles is None:
            return set(self.classes)
        return {label for label, row in zip(self.classes, self.profiles[0], strict=True) if row.any()}


@dataclass(frozen=True)
class Part:
    """A box, or a part of one, with its role.

    Parameters
    ----------
    of : int
        Index of the candidate it comes from.
    region : Region
        In voxels of the candidate's magnification.
    role : {'train', 'validation', 'test'}
        What its voxels are used for.
    """

    of: int
    region: Region
    role: Role


def overlap(a: Candidate, b: Candidate) -> bool:
    """Whether two boxes share voxels of one image."""
    return a.image == b.image and a.finest.overlaps(b.finest)


def check_roles(
    candidates: Sequence[Candidate], parts: Sequence[Part], receptive_field: Triple, by_choice: bool
) -> list[Finding]:
    """Check that boxes of different roles share no voxel, and better keep out of each other's sight.

    Parameters
    ----------
    candidates : sequence of Candidate
        With the roles that people gave.
    parts : sequence of Part
        With the roles they will have.
    receptive_field : tuple of int
        Half width of what the network sees, in z, y, x order, in voxels of the training magnification.
    by_choice : bool
        Whether a person chose the boxes for validation; otherwise boxes that overlap were cut apart already.
    """
    findings = []
    for a, b in combinations(parts, 2):
        first, second = candidates[a.of], candidates[b.of]
        if a.role == b.role or first.image != second.image:
            continue
        cut_by_us = not by_choice and {a.role, b.role} == {"train", "validation"} and overlap(first, second)
        if cut_by_us:
            continue
        one, other = to_finest(a.region, first.magnification), to_finest(b.region, second.magnification)
        reach = [r * m for r, m in zip(receptive_field, first.magnification, strict=True)]
        names = f"{first.name or 'A box'} ({a.role}) and {second.name or 'another box'} ({b.role})"
        if one.overlaps(other):
            findings.append(
                error(
                    "roles-overlap",
                    f"{names} share {one.intersect(other).size:,} voxels.",
                    "Move one of them, or give both the same role.",
                    first.name,
                )
            )
        elif one.grow(reach).overlaps(other):
            findings.append(
                warning(
                    "roles-near",
                    f"{names} are closer than the network sees ({max(reach)} voxels).",
                    "Leave more room between them, so that the figures are honest.",
                    first.name,
                )
            )
    return findings
