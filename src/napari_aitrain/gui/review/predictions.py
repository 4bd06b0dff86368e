"""The predictions of a session: which layers show them, the threshold they are seen through, and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...errors import GroundTruthError
from ...models import read_card
from .badge import Badge
from .correct import Written
from .corrections import Corrections
from .glasses import Glasses
from .hands import Hands
from .live import Live
from .locks import Locks
from .picking import Picked, pick_at
from .prediction import BINS, Prediction, has_model, model_key
from .runs import Runs

if TYPE_CHECKING:
    from ..session import Session


class Predictions:
    """What models made of the images of a session; free of widgets.

    Parameters
    ----------
    session : Session
        Whose layers are looked at and corrected.

    Attributes
    ----------
    badge : Badge
        Tells on the canvas how old the prediction is.
    live : Live
        Has a running training predict what is on screen.
    runs : Runs
        Predicts with a chosen model.

    Signals
    -------
    changed
        After a new prediction, another model, and a change of how it is shown.
    threshold_changed : float
        The new threshold, 0 … 1.
    picked_changed : Picked or None
        The object that was clicked.
    """

    changed = Signal()
    threshold_changed = Signal(float)
    picked_changed = Signal(object)

    def __init__(self, session: Session) -> None:
        self.session = session
        self._all: list[Prediction] = []
        self._model: Path | None = None
        self._glasses = Glasses()
        self._locks = Locks()
        self._closed = False
        self.picked: Picked | None = None
        self._corrections = Corrections(session)
        self.badge = Badge(session.viewer)
        self.live = Live(session)
        self.runs = Runs(session)
        self._hands = Hands(self)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self.changed.connect(self._show_badge)
        self.live.changed.connect(self._show_badge)

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
            self._set_picked(None)
            self.changed.emit()
            self.threshold_changed.emit(self.threshold)

    def show(self, prediction: Prediction) -> None:
        """Show a prediction in its layer, instead of what the layer showed before."""
        before = [one for one in self._all if one.layer is prediction.layer]
        if not self.of_model(prediction.model):
            self._model = prediction.model
        self._all = [one for one in self._all if one.layer is not prediction.layer]
        self._all.append(prediction)
        self._glasses.put_on(prediction)
        new_layer = not prediction.layer.present
        prediction.layer.show(prediction.data, prediction.placement)
        if new_layer or not before or dict(before[0].class_colours) != dict(prediction.class_colours):
            self._glasses.colour(prediction)
        if self.picked is not None and self.picked.prediction in before:
            self._set_picked(None)
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

    # Objects

    def pick(self, event: Any) -> Picked | None:
        """Take the object under the cursor as the one that is talked of."""
        found = self.object_at(event)
        self._set_picked(found)
        return found

    def object_at(self, event: Any) -> Picked | None:
        """Return the object under the cursor, of the uppermost layer that has one there."""
        layers = list(self.session.viewer.layers)
        above = sorted((one for one in self._all if one.layer.present), key=lambda one: -layers.index(one.layer.layer))
        return next((found for one in above if (found := pick_at(one, event)) is not None), None)

    def accept(self, what: Picked | None = None, *, in_box: bool = False, overwrite: bool = False) -> Written:
        """Take objects over into the ground truth; one step of its history.

        Parameters
        ----------
        what : Picked, optional
            One object; without it all that the threshold leaves.
        in_box : bool
            Whether only what lies in the selected box is meant.
        overwrite : bool
            Whether to write over what a person painted.

        Raises
        ------
        GroundTruthError
            If there is no prediction, no ground truth of its image, or no box is selected.
        """
        prediction = self.current if what is None else what.prediction
        if prediction is None:
            raise GroundTruthError(
                "there is no prediction to take objects from", "a prediction in the viewer", "train, or predict"
            )
        return self._corrections.accept(prediction, what, in_box, overwrite)

    def reject(self, what: Picked, *, overwrite: bool = False) -> Written:
        """Mark an object as background in the ground truth, and draw it no more.

        Raises
        ------
        GroundTruthError
            If there is no ground truth of its image, or background has no id there.
        """
        written = self._corrections.reject(what, overwrite)
        if what.prediction.data.instances:
            data = what.prediction.data
            self._glasses.put_on(what.prediction, data.hidden_ids | {what.identity})
            what.prediction.layer.refresh()
        self._set_picked(None)
        return written

    def lock_in(self) -> float:
        """Store the threshold in the model of the current predictions, once it is saved, and return it.

        Raises
        ------
        ModelError
            If there is no prediction, or its scores are not those of a trained model yet.
        StorageError
            If the card cannot be written.
        """
        self._locks.lock(self.current, self.threshold)
        self.changed.emit()
        return self.threshold

    @property
    def waits_for_model(self) -> bool:
        """Whether the threshold is to be stored in a model that training has not saved yet."""
        return self._locks.waits(self._model)

    def store_locked(self, model: Path) -> None:
        """Store the threshold that was locked in, if the model is there by now."""
        self._locks.store(model)
        self.changed.emit()

    def close(self) -> None:
        """Let go of the layers, which stay in the viewer; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._hands.close()
        self.live.close()
        self.runs.close()
        self.badge.close()
        self.session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._all = []

    def _show_badge(self) -> None:
        running = self.live.training
        live = self.of_model(running.job.path) if running is not None else ()
        self.badge.show(next((one for one in reversed(live) if one.step is not None), None))

    def _set_picked(self, picked: Picked | None) -> None:
        self.picked = picked
        self.picked_changed.emit(picked)

    def _refresh(self, predictions: Sequence[Prediction]) -> None:
        for one in predictions:
            self._glasses.put_on(one)
            one.layer.refresh()

    def _on_removed(self, event: Any) -> None:
        gone = [one for one in self._all if one.layer.layer is event.value]
        if gone:
            self._all = [one for one in self._all if one not in gone]
            self._set_picked(None)
            self.changed.emit()
