"""Names and colours of classes: by them people know what a model has learned, not by ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .annotate.truth import GroundTruth


def class_names_of(truths: Iterable[GroundTruth]) -> dict[int, str]:
    """Return the names of classes as a training numbers them: background, whatever its id, is 0.

    Where ground truths name a class differently, all of its names are given.
    """
    names: dict[int, dict[str, None]] = {}
    for truth in truths:
        for entry in truth.classes if truth.mode == "classes" else ():
            number = 0 if entry.id == truth.background_id else entry.id
            names.setdefault(number, {})[entry.name] = None
    return {number: " / ".join(each) for number, each in sorted(names.items())}


def named(classes: Iterable[int], known: Mapping[int, str]) -> dict[int, str]:
    """Return a name for each class; those that are not known are told by their id."""
    return {number: known.get(number, f"class {number}") for number in classes}


def colours_of(names: Mapping[int, str], truth: GroundTruth | None) -> dict[int, str]:
    """Return the colours of those classes that a ground truth calls by the same names."""
    if truth is None or truth.mode != "classes":
        return {}
    return {entry.id: entry.color for entry in truth.classes if names.get(entry.id) == entry.name}
