"""Marked objects to learn from: whether they go together, and whether they are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, NotReadyError
from .marks import MarkSheet, ObjectClass
from .table import FeatureTable

LEAST = 2
"""Marked objects of a class that can be learned; it takes two classes, or yes and no."""
Answers = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Marked:
    """Objects of one image, and what was said of some.

    Parameters
    ----------
    table : FeatureTable
        Of all objects.
    answers : mapping of int to tuple of int
        Classes by id of object.
    """

    table: FeatureTable
    answers: Answers


def together(tables: Sequence[FeatureTable]) -> list[FeatureTable]:
    """Return tables that can be learned from together.

    Raises
    ------
    NotReadyError
        If there is none.
    ConfigError
        If they have not the same features, or not the same unit.
    """
    if not tables:
        raise NotReadyError("nothing was measured", "an image with objects", "choose one")
    first = tables[0]
    for other in tables[1:]:
        if other.unit != first.unit:
            raise ConfigError(
                "the voxel size of some images is known, of others not", "all or none",
                "say the voxel size of each image",
            )  # fmt: skip
        alike = (other.dims, other.kind, len(other.channels), other.names, other.network)
        if alike != (first.dims, first.kind, len(first.channels), first.names, first.network):
            raise ConfigError(
                "the images have different numbers of channels or dimensions", "images of one kind",
                "choose the same channels of every image",
            )  # fmt: skip
    return list(tables)


def rows_of(marked: Sequence[Marked]) -> tuple[npt.NDArray[np.int64], list[tuple[int, ...]]]:
    """Find marked objects.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
        Theirs, in all tables after each other; marks whose objects are not there are left out.
    said : list of tuple of int
        Their classes.
    """
    rows, said, start = [], [], 0
    for one in marked:
        found = one.table.rows_of(list(one.answers))
        for row, answer in zip(found.tolist(), one.answers.values(), strict=True):
            if row >= 0:
                rows.append(start + row)
                said.append(answer)
        start += len(one.table)
    return np.array(rows, np.int64), said


def learnable(sheet: MarkSheet, said: Sequence[tuple[int, ...]]) -> tuple[list[ObjectClass], list[str]]:
    """Choose what can be learned.

    Parameters
    ----------
    sheet : MarkSheet
        Whose classes and choice count.
    said : sequence of tuple of int
        Classes of each marked object.

    Returns
    -------
    classes : list of ObjectClass
        Those of which enough was marked.
    notes : list of str
        What to tell of the others.

    Raises
    ------
    NotReadyError
        If too little was marked to learn anything.
    """
    what, many = ("box", "boxes") if sheet.kind == "boxes" else ("object", "objects")
    if not said:
        raise NotReadyError(
            f"no {what} has a class yet",
            f"a few {many} of each class",
            f"choose a class and click {many} of it, then those of another",
        )
    total, found, notes = len(said), [], []
    for one in sheet.classes:
        has = sum(one.id in answer for answer in said)
        enough = has >= LEAST and (sheet.choice == "single" or total - has >= LEAST)
        if enough:
            found.append(one)
        elif has or sheet.choice == "multi":
            lacks = "with" if has < LEAST else "without"
            notes.append(f"“{one.name}” is left out: {LEAST} {many} {lacks} it are needed at least.")
    if sheet.choice == "single" and len(found) < 2:
        counts = ", ".join(f"{sum(one.id in a for a in said)} of “{one.name}”" for one in sheet.classes)
        raise NotReadyError(
            f"there is nothing to tell apart yet: {counts}",
            f"two classes with {LEAST} marked {many} each, better 10",
            f"mark {many} of another class, too",
        )
    if not found:
        raise NotReadyError(
            "no attribute can be learned yet: " + " ".join(notes),
            f"{LEAST} {many} with an attribute and {LEAST} without, better 10",
            f"mark more {many}; one that has none of the attributes is marked, too",
        )
    return found, notes
