"""Segments that a person merges and splits: corrections over the merge tree of a stored prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...errors import ConfigError
from ...tasks.merge_tree import Correction
from .prediction import Prediction

if TYPE_CHECKING:
    from .predictions import Predictions

LIVE = (
    "A live preview is made anew every few seconds, and corrections would be lost with it. When the training has "
    "ended, predict this view or the volume below, and correct that."
)


class Proofreading:
    """Merges and splits of the current prediction, kept in its store, with undo and redo; free of widgets.

    Parameters
    ----------
    predictions : Predictions
        Of the session.

    Signals
    -------
    changed : Prediction
        After a correction, undo and redo.
    """

    changed = Signal(object)

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions
        self._undone: dict[int, list[Correction]] = {}

    @property
    def prediction(self) -> Prediction | None:
        """The current prediction, if a threshold joins its fragments."""
        current = self._predictions.current
        return current if current is not None and current.joins else None

    @property
    def why_not(self) -> str:
        """Why nothing can be corrected; empty if it can be."""
        one = self.prediction
        if one is None:
            return "The current prediction has no fragments to merge or split."
        return "" if one.stored is not None else LIVE

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What was corrected, the first one first."""
        one = self.prediction
        return () if one is None or one.stored is None else one.stored.corrections

    @property
    def can_redo(self) -> bool:
        """Whether something was undone that can be done again."""
        one = self.prediction
        return one is not None and bool(self._undone.get(id(one)))

    def merge(self, first: int, second: int) -> None:
        """Make one segment of those of two fragments, at every threshold.

        Raises
        ------
        ConfigError
            If they are of one segment already.
        """
        if self._same(first, second):
            raise ConfigError(
                "these two places are of one object already", "two objects", "click an object, then another one"
            )
        self._do(Correction("merge", first, second))

    def split(self, first: int, second: int) -> None:
        """Cut the least sure merge between two fragments, at every threshold.

        Raises
        ------
        ConfigError
            If they are of two segments, or are one fragment.
        """
        if first == second:
            raise ConfigError(
                "both places are of one fragment, the smallest part there is",
                "two places of an object that belong to different neurons",
                "click farther apart; to divide a fragment, take the object over and paint the border",
            )
        if not self._same(first, second):
            raise ConfigError(
                "these two places are of two objects already", "two places of one object", "click one object twice"
            )
        self._do(Correction("split", first, second))

    def undo(self) -> None:
        """Take the last correction back, if there is one."""
        one = self.prediction
        if one is not None and self.corrections:
            self._undone.setdefault(id(one), []).append(self.corrections[-1])
            self._store(one, self.corrections[:-1])

    def redo(self) -> None:
        """Do again what was undone last, if there is something."""
        one = self.prediction
        if one is not None and self.can_redo:
            self._store(one, (*self.corrections, self._undone[id(one)].pop()))

    def corrected_ids(self) -> npt.NDArray[np.int32]:
        """Return the segments at the threshold that corrections are about."""
        one = self.prediction
        if one is None or one.data.segments is None:
            return np.zeros(0, np.int32)
        named = [fragment for each in self.corrections for fragment in (each.first, each.second)]
        return np.unique(one.data.segments[named]) if named else np.zeros(0, np.int32)

    def _same(self, first: int, second: int) -> bool:
        one = self.prediction
        if one is None or one.data.segments is None or one.stored is None:
            raise ConfigError(self.why_not, "a stored prediction of neurons", "predict this view first")
        return bool(one.data.segments[first] == one.data.segments[second])

    def _do(self, correction: Correction) -> None:
        one = self.prediction
        assert one is not None
        self._undone.pop(id(one), None)
        self._store(one, (*self.corrections, correction))

    def _store(self, one: Prediction, corrections: Sequence[Correction]) -> None:
        assert one.stored is not None
        one.stored.correct(corrections)
        assert one.stored.merges is not None
        one.data.take_merges(one.stored.merges)
        one.layer.refresh()
        self.changed.emit(one)
