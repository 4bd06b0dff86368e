"""What the Label next dock says of suggestions."""

from __future__ import annotations

from dataclasses import dataclass

from ...suggestions.queue import Suggestion

_STATES = {"open": "", "done": "done", "skipped": "skipped"}


@dataclass(frozen=True)
class PlaceRow:
    """A row of the list of places.

    Parameters
    ----------
    key : str
        Of the suggestion.
    number : int
        From 1.
    place : str
        Where it is.
    by : str
        Who has chosen it.
    state : str
        What became of it.
    """

    key: str
    number: int
    place: str
    by: str
    state: str


def row_of(one: Suggestion, number: int, current: bool) -> PlaceRow:
    """Return what is said of a suggestion."""
    z, y, x = ((a + b) // 2 for a, b in zip(one.start, one.stop, strict=True))
    flat = one.stop[0] - one.start[0] == 1 and one.start[0] == 0
    place = f"x {x}, y {y}" + ("" if flat else f", z {z}")
    by = f"unsure, {_percent(one)}" if one.kind == "uncertain" else "chance"
    state = "here" if current else _STATES[one.state]
    if one.state == "done" and one.error is not None:
        state = f"{100 * one.error:.0f} %"
    return PlaceRow(one.id, number, place, by, state)


def _percent(one: Suggestion) -> str:
    return f"{min(99, int(100 * one.rank))} %"


def told(one: Suggestion | None, number: int, left: int, settled: int) -> str:
    """Return what a person is to do now."""
    if one is None and left:
        return f"{left} places wait. Press Next place."
    if one is None:
        return "No place is left. Train again, then find places with the new model." if settled else ""
    if one.kind == "random":
        why = "Chance has chosen it, to compare suggestions with"
    else:
        why = f"The model is less sure here than at {_percent(one)} of all places"
    return f"Place {number}: {why}. Paint what is in the box, then press Done."
