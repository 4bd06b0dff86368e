"""The predictions of a session: which layers show them, the threshold they are seen through, and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...errors import GroundTruthError, ModelError
from ...models import read_card, save_threshold
from .badge import Badge
from .correct import Written
from .corrections import Corrections
from .hands import Hands
from .live import Live
from .picking import Picked, pick_at
from .prediction import BINS, Prediction, has_model, model_key
from .runs import Runs

if TYPE_CHECKING:
    from ..session import Session

THRESHOLD = 0.5


class Predictions:
    """What models made of the images of a session; free of widgets.

    Parameters
    ----------
    session : Session
        Whose layers are looked at and corrected.

    Attributes
    ----------
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
        self._thresholds: dict[Path, float] = {}
        self._hidden: dict[Path, frozenset[int]] = {}
        self._locked: dict[Path, float] = {}
        self._closed = False
        self._outlines = False
        self._by_score = False
        self.picked: Picked | None = None
        self._corrections = Corrections(session)
        self._badge = Badge(session.viewer)
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
        self._all = [one for one in self._all if one.layer is not prediction.layer]
        self._all.append(prediction)
        if self._model is None or not self.of_model() or prediction.step is not None:
            self._model = prediction.model
        self._look(prediction)
        new_layer = not prediction.layer.present
        prediction.layer.show(prediction.data, prediction.placement)
        if new_layer or not before or dict(before[0].class_colours) != dict(prediction.class_colours):
            self._colour(prediction)
        if self.picked is not None and self.picked.prediction in before:
            self._set_picked(None)
        self.changed.emit()

    def forget(self, prediction: Prediction) -> None:
        """Take a prediction out of the viewer."""
        self._all = [one for one in self._all if one is not prediction]
        prediction.layer.remove()
        self.changed.emit()

    def histogram(self) -> npt.NDArray[np.int64]:
        """Return how many objects of the current model have which score, from 0 to 1."""
        return sum((one.histogram() for one in self.of_model()), np.zeros(BINS, np.int64))

    # How it is looked at

    @property
    def threshold(self) -> float:
        """Objects of a lower score are not shown, 0 … 1."""
        return THRESHOLD if self._model is None else self._thresholds.get(self._model, THRESHOLD)

    def set_threshold(self, threshold: float) -> None:
        """See every prediction of the current model through another threshold."""
        threshold = min(1.0, max(0.0, float(threshold)))
        if threshold == self.threshold:
            return
        if self._model is not None:
            self._thresholds[self._model] = threshold
            self._refresh(self.of_model())
        self.threshold_changed.emit(threshold)

    def propose_threshold(self, model: Path, threshold: float) -> None:
        """Take a model's own threshold, unless a person has chosen another."""
        model = model_key(model)
        if self._thresholds.setdefault(model, threshold) == threshold and model == self._model:
            self._refresh(self.of_model())
            self.threshold_changed.emit(threshold)

    def take_own_threshold(self, model: Path) -> None:
        """Take the threshold of a model's card, unless a person has chosen another.

        Raises
        ------
        ModelError
            If the card cannot be read.
        """
        if model_key(model) not in self._thresholds and has_model(model):
            self.propose_threshold(model, read_card(model).threshold)

    @property
    def outlines(self) -> bool:
        """Whether only the rims of objects are drawn."""
        return self._outlines

    def set_outlines(self, outlines: bool) -> None:
        """Draw the rims of objects, or whole objects."""
        self._outlines = outlines
        for one in self._all:
            self._colour(one)
        self.changed.emit()

    @property
    def colour_by_score(self) -> bool:
        """Whether colours tell scores instead of objects."""
        return self._by_score

    def set_colour_by_score(self, by_score: bool) -> None:
        """Let colours tell scores, or tell objects apart."""
        self._by_score = by_score
        for one in self._all:
            self._look(one)
            self._colour(one)
        self._refresh(self._all)
        self.changed.emit()

    @property
    def hidden_classes(self) -> frozenset[int]:
        """Classes of the current model that are not drawn."""
        return frozenset() if self._model is None else self._hidden.get(self._model, frozenset())

    def set_class_shown(self, class_id: int, shown: bool) -> None:
        """Draw a class of the current model, or leave it out."""
        if self._model is not None:
            self._hidden[self._model] = self.hidden_classes - {class_id} if shown else self.hidden_classes | {class_id}
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
            self._look(what.prediction, data.hidden_ids | {what.identity})
            what.prediction.layer.refresh()
        self._set_picked(None)
        return written

    def lock_in(self) -> float:
        """Store the threshold in the model of the current predictions, once it is saved.

        Returns
        -------
        float
            The threshold.

        Raises
        ------
        ModelError
            If there is nothing to store it in.
        """
        if self._model is None:
            raise ModelError("there is no prediction yet", "a prediction to choose a threshold for", "train or predict")
        self._locked[self._model] = self.threshold
        self.store_locked(self._model)
        return self.threshold

    @property
    def waits_for_model(self) -> bool:
        """Whether the threshold is to be stored in a model that training has not saved yet."""
        return self._model in self._locked

    def store_locked(self, model: Path) -> None:
        """Store the threshold that was locked in, if the model is there by now."""
        if model in self._locked and has_model(model):
            save_threshold(model, self._locked.pop(model))
            self.changed.emit()

    def close(self) -> None:
        """Let go of the layers, which stay in the viewer; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._hands.close()
        self.live.close()
        self.runs.close()
        self._badge.close()
        self.session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._all = []

    def _show_badge(self) -> None:
        running = self.live.training
        live = self.of_model(running.job.path) if running is not None else ()
        self._badge.show(next((one for one in reversed(live) if one.step is not None), None))

    def _set_picked(self, picked: Picked | None) -> None:
        self.picked = picked
        self.picked_changed.emit(picked)

    def _refresh(self, predictions: Sequence[Prediction]) -> None:
        for one in predictions:
            self._look(one)
            one.layer.refresh()

    def _look(self, one: Prediction, hidden_ids: frozenset[int] | None = None) -> None:
        one.data.look(
            self._thresholds.get(one.model, THRESHOLD),
            by_score=self._by_score,
            hidden_classes=self._hidden.get(one.model, frozenset()),
            hidden_ids=one.data.hidden_ids if hidden_ids is None else hidden_ids,
        )

    def _colour(self, one: Prediction) -> None:
        one.layer.colour(self._by_score, dict(one.class_colours), contour=int(self._outlines))

    def _on_removed(self, event: Any) -> None:
        gone = [one for one in self._all if one.layer.layer is event.value]
        if gone:
            self._all = [one for one in self._all if one not in gone]
            self._set_picked(None)
            self.changed.emit()
