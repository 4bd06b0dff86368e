"""Known weights as models to predict with, whether or not they are there."""

from __future__ import annotations

from pathlib import Path

from ...models import weights as catalogue
from ...models.weights import KnownWeights


def offered() -> list[tuple[str, Path]]:
    """Return names and places of all known weights."""
    return [(f"{known.title}{_state(known)}", _place(known)) for known in catalogue.KNOWN]


def missing_at(place: Path | None) -> KnownWeights | None:
    """Return the known weights that belong at a place and are not there; None if that is not so."""
    found = next((known for known in catalogue.KNOWN if _place(known) == place), None)
    return None if found is None or catalogue.find_weights(found.name) is not None else found


def named_in(text: str) -> str:
    """Return the name of the known weights that a text speaks of; empty if of none."""
    return next((known.name for known in catalogue.KNOWN if known.name in text.split()), "")


def _place(known: KnownWeights) -> Path:
    return catalogue.weights_folder(known.kind) / known.name


def _state(known: KnownWeights) -> str:
    return "" if catalogue.find_weights(known.name) is not None else " (not here)"
