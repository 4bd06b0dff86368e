"""Which layers show predictions, and how they are looked at: threshold, outlines, colours, classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...models import read_card
from .glasses import Glasses
from .prediction import BINS, Prediction, has_model, model_key


class PredictionList:
    """The predictions that layers show, all of one model seen through one threshold.

    Signals
    -------
    changed
        After a new prediction, another model, and a change of how it is shown.
    threshold_changed : float
        The new threshold, 0 … 1.
    """

    changed = Signal()
    threshold_changed = Signal(float)

    def __init__(self) -> None:
        self._all: list[Prediction] = []
        self._model: Path | None = None
        self._glasses = Glasses()

    # What there is

    def all(self) -> tuple[Prediction, ...]:
        """Return every prediction that a layer shows, the newest last."""
        return tuple(self._all)

    def of_model(self, model: Path | None = None) -> tuple[Prediction, ...]:
        """Return the predictions of a model, of the current one if none is given."""
        model = self._model if model is None else model
        return tuple(one for one in self._all if one.model == model)

    @property
    def current(self) -> Prediction | None:
        """The newest prediction of the current model."""
        return next(reversed(self.of_model()), None)

    @property
    def model(self) -> Path | None:
        """The job or model folder whose predictions the threshold is for."""
        return self._model

    def set_model(self, model: Path | None) -> None:
        """Turn to the predictions of another model; a job and its model are one."""
        model = None if model is None else model_key(model)
        if model != self._model:
            self._model = model
            self.changed.emit()
            self.threshold_changed.emit(self.threshold)

    def show(self, prediction: Prediction) -> None:
        """Show a prediction in its layer, instead of what the layer showed before."""
        before = [one for one in self._all if one.layer is prediction.layer]
        if not self.of_model(prediction.model):
            self._model = prediction.model
        self._all = [one for one in self._all if one.layer is not prediction.layer]
        self._all.append(prediction)
        self._glasses.expect(prediction)
        self._glasses.put_on(prediction)
        new_layer = not prediction.layer.present
        prediction.layer.show(prediction.data, prediction.placement)
        if new_layer or not before or dict(before[0].class_colours) != dict(prediction.class_colours):
            self._glasses.colour(prediction)
        self.changed.emit()

    def histogram(self) -> npt.NDArray[np.int64]:
        """Return how many objects of the current model have which score, from 0 to 1."""
        return sum((one.histogram() for one in self.of_model()), np.zeros(BINS, np.int64))

    # How it is looked at

    @property
    def threshold(self) -> float:
        """Objects of a lower score are not shown, 0 … 1."""
        return self._glasses.threshold(self._model)

    def set_threshold(self, threshold: float) -> None:
        """See every prediction of the current model through another threshold."""
        threshold = min(1.0, max(0.0, float(threshold)))
        if threshold == self.threshold:
            return
        if self._model is not None:
            self._glasses.set_threshold(self._model, threshold)
            self._refresh(self.of_model())
        self.threshold_changed.emit(threshold)

    def propose_threshold(self, model: Path, threshold: float) -> None:
        """Take a model's own threshold, unless a person has chosen another."""
        model = model_key(model)
        if self._glasses.chosen(model):
            return
        self._glasses.set_threshold(model, threshold)
        self._refresh(self.of_model(model))
        if model == self._model:
            self.threshold_changed.emit(threshold)

    def take_own_threshold(self, model: Path) -> None:
        """Take the threshold of a model's card, unless a person has chosen another.

        Raises
        ------
        ModelError
            If the card cannot be read.
        """
        if not self._glasses.chosen(model_key(model)) and has_model(model):
            self.propose_threshold(model, read_card(model).threshold)

    @property
    def outlines(self) -> bool:
        """Whether only the rims of objects are drawn."""
        return self._glasses.outlines

    def set_outlines(self, outlines: bool) -> None:
        """Draw the rims of objects, or whole objects."""
        self._glasses.outlines = outlines
        for one in self._all:
            self._glasses.colour(one)
        self.changed.emit()

    @property
    def colour_by_score(self) -> bool:
        """Whether colours tell scores instead of objects."""
        return self._glasses.by_score

    def set_colour_by_score(self, by_score: bool) -> None:
        """Let colours tell scores, or tell objects apart."""
        self._glasses.by_score = by_score
        for one in self._all:
            self._glasses.put_on(one)
            self._glasses.colour(one)
        self._refresh(self._all)
        self.changed.emit()

    @property
    def hidden_classes(self) -> frozenset[int]:
        """Classes of the current model that are not drawn."""
        return self._glasses.hidden(self._model)

    def set_class_shown(self, class_id: int, shown: bool) -> None:
        """Draw a class of the current model, or leave it out."""
        if self._model is not None:
            self._glasses.set_shown(self._model, class_id, shown)
            self._refresh(self.of_model())
            self.changed.emit()

    def _refresh(self, predictions: Sequence[Prediction]) -> None:
        for one in predictions:
            self._glasses.put_on(one)
            one.layer.refresh()
