"""The predictions of a session: what is shown, which object is talked of, and corrections with it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...errors import GroundTruthError
from .badge import Badge
from .correct import Wanted, Written
from .corrections import Corrections
from .decoding import Decoding
from .hands import Hands
from .live import Live
from .locks import Locks
from .picking import Picked, pick_at, pick_fragment
from .prediction import Prediction, model_key
from .prediction_list import PredictionList
from .proof_tool import ProofTool
from .proofreading import Proofreading
from .runs import Runs

if TYPE_CHECKING:
    from ..session import Session


class Predictions(PredictionList):
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
    decoding : Decoding
        Makes objects again from what the network said.
    proof : Proofreading
        Merges and splits of segments.
    tool : ProofTool
        Does that with the mouse.

    Signals
    -------
    picked_changed : Picked or None
        The object that was clicked.
    """

    picked_changed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._locks = Locks()
        self._closed = False
        self.picked: Picked | None = None
        self._corrections = Corrections(session)
        self.badge = Badge(session.viewer)
        self.live = Live(session)
        self.runs = Runs(session)
        self.decoding = Decoding(self)
        self._hands = Hands(self)
        self.proof, self.tool = Proofreading(self), ProofTool(self)
        self.proof.changed.connect(self._on_corrected)
        self.threshold_changed.connect(self._pick_again)
        self.changed.connect(self._put_tool_back)
        session.viewer.layers.events.removed.connect(self._on_removed)
        self.changed.connect(self._show_badge)
        self.live.changed.connect(self._show_badge)

    def set_model(self, model: Path | None) -> None:
        """Turn to the predictions of another model; a job and its model are one."""
        model = None if model is None else model_key(model)
        if model != self.model:
            self._set_picked(None)
        super().set_model(model)

    def show(self, prediction: Prediction) -> None:
        """Show a prediction in its layer, instead of what the layer showed before; perhaps as sliders make it."""
        if not self.decoding.takes(prediction):
            self.put(prediction)

    def put(self, prediction: Prediction) -> None:
        """Show a prediction as it is."""
        if self.picked is not None and self.picked.prediction.layer is prediction.layer:
            self._set_picked(None)
        super().show(prediction)

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

    def accept(
        self,
        what: Picked | None = None,
        *,
        ids: Collection[int] | None = None,
        in_box: bool = False,
        overwrite: bool = False,
    ) -> Written:
        """Take objects over into the ground truth; one step of its history.

        Parameters
        ----------
        what : Picked, optional
            One object; without it all that the threshold leaves.
        ids : collection of int, optional
            Only these objects of the current prediction.
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
        wanted = Wanted(ids=ids) if what is None else what.wanted
        return self._corrections.accept(prediction, wanted, in_box, overwrite)

    def reject(self, what: Picked, *, overwrite: bool = False) -> Written:
        """Mark an object as background in the ground truth, and draw it no more.

        Raises
        ------
        GroundTruthError
            If there is no ground truth of its image, or background has no id there.
        """
        written = self._corrections.reject(what, overwrite)
        if what.prediction.data.instances:
            hidden = what.prediction.data.hidden_ids | set(what.prediction.members(what.identity).tolist())
            self._glasses.put_on(what.prediction, hidden)
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
        self.tool.stop()
        self._hands.close()
        self.decoding.close()
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

    def _pick_again(self, _threshold: float = 0.0) -> None:
        """Follow the object that is talked of: it has other fragments now."""
        if self.picked is not None and self.picked.prediction.joins:
            self._set_picked(pick_fragment(self.picked.prediction, self.picked.fragment))

    def _on_corrected(self, _prediction: Prediction) -> None:
        self._pick_again()
        self.changed.emit()

    def _put_tool_back(self) -> None:
        if self.proof.why_not:
            self.tool.stop()

    def _on_removed(self, event: Any) -> None:
        gone = [one for one in self._all if one.layer.layer is event.value]
        for one in gone:
            self.decoding.forget(one.layer)
        if gone:
            self._all = [one for one in self._all if one not in gone]
            self._set_picked(None)
            self.changed.emit()
