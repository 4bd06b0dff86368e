"""What the Classify dock says of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...classification.marks import MarkSheet

if TYPE_CHECKING:
    from .classifying import Result


def counts_of(result: Result, threshold: float) -> dict[int, int]:
    """Return how many objects are of each class, or have each attribute, by its id; unsure ones do not count."""
    counts = result.found.counts(threshold)
    return {one.id: counts[one.name] for one in result.found.classes}


def told_of(result: Result, sheet: MarkSheet) -> str:
    """Return how good a classifier is, and what is not as it was in its training."""
    classifier = result.classifier
    lines = []
    if classifier.measured is not None:
        marked = sum(classifier.measured.marked.values()) if classifier.choice == "single" else len(sheet.marks)
        lines.append(
            f"{classifier.measured.accuracy:.0%} right, measured on the {marked} marked ones, each left out in turn."
        )
    if result.gone:
        lines.append(f"{result.gone} marks are left out: their objects have gone.")
    lines += classifier.warnings
    now = {one.id: one.name for one in sheet.classes}
    renamed = [
        f"“{one.name}” is “{now[one.id]}” now" for one in classifier.classes if now.get(one.id, one.name) != one.name
    ]
    missing = [one.name for one in classifier.classes if one.id not in now]
    if renamed:
        lines.append("Since the training " + ", ".join(renamed) + ".")
    if missing:
        lines.append(f"Since the training {', '.join(missing)} was removed: train again.")
    return " ".join(lines)
