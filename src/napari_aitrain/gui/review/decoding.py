"""Objects made again from stored maps while sliders move: of what is on screen, and never by the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from ...errors import ModelError
from ...geometry import Region, triple
from ...models import save_settings
from ...tasks.protocol import Objects
from ...tasks.sliders import Slider, sliders_of
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from .decode_thread import DecodeThread, Work
from .own_settings import OwnSettings
from .prediction import Prediction
from .prediction_layer import PredictionLayer
from .thresholded import Thresholded
from .viewing import Seen, moves_of, seen

if TYPE_CHECKING:
    from .predictions import Predictions

AT_ONCE = 2**19
"""Voxels up to which all of a prediction is decoded, however little of it is on screen."""

_SETTLE = 60
_LEARNING = "The model is learning. When the training has ended, predict this view below, and keep the numbers then."


class Decoding:
    """The sliders of each model, and the objects that they make of its predictions.

    A prediction with sliders elsewhere than it was made with is shown as far as it is on screen.

    Parameters
    ----------
    predictions : Predictions
        What is shown.

    Signals
    -------
    changed
        After a slider moved, and when something could not be decoded.
    """

    changed = Signal()

    def __init__(self, predictions: Predictions) -> None:
        self._predictions, self._viewer = predictions, predictions.session.viewer
        self.trouble = ""
        """Why objects could not be made, last time."""
        self._chosen: dict[Path, dict[str, float]] = {}
        self._bases: dict[PredictionLayer, Prediction] = {}
        self._asked: dict[PredictionLayer, Work] = {}
        self._own = OwnSettings()
        self._main = MainThread()
        self._thread: DecodeThread | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE)
        self._timer.timeout.connect(self._look)
        for emitter in moves_of(self._viewer):
            emitter.connect(self._on_move)

    # What sliders show

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """The sliders of the current model; none where nothing can be moved."""
        base, model = self._base, self._predictions.model
        if base is not None and base.maps is not None:
            return sliders_of(base.maps.task)
        return () if model is None else self._own.sliders(model)

    @property
    def values(self) -> dict[str, float]:
        """Where the sliders of the current model stand."""
        base, model = self._base, self._predictions.model
        made = {} if base is None or base.maps is None else base.maps.values
        return {**self.own, **made, **({} if model is None else self._chosen.get(model, {}))}

    @property
    def own(self) -> dict[str, float]:
        """Where the current model has them."""
        base, model = self._base, self._predictions.model
        stored = {} if model is None or (base is not None and base.provisional) else self._own.values(model)
        return stored or ({} if base is None or base.maps is None else base.maps.values)

    @property
    def why_not(self) -> str:
        """Why the sliders cannot be moved; empty if they can."""
        base = self._base
        if base is None:
            return "Predict this view below: objects can be made again from what the network says of it."
        if base.growing:
            return "When all blocks are there, objects can be made again from what the network said."
        if base.maps is None:
            return (
                "What the network said of this image is not kept with this prediction. Predict this view, or the "
                "volume, again below: new predictions keep it."
            )
        return ""

    @property
    def why_not_keep(self) -> str:
        """Why the numbers cannot be kept in the model; empty if they can."""
        if self._base is None or self.why_not:
            return self.why_not
        if self._base.provisional:
            return _LEARNING
        if self._base.model.is_file():
            return "This model is a file of weights, in which no numbers are kept: train a model that begins with it."
        return "These are the model's own numbers." if self.values == self.own else ""

    @property
    def partly(self) -> bool:
        """Whether the objects of the current model are those of a part of what is on screen."""
        base = self._base
        asked = None if base is None else self._asked.get(base.layer)
        if base is None or asked is None or asked.region == base.whole:
            return False
        part = self._seen(base)
        return part is not None and not asked.region.contains(part.all)

    # What is done

    def set_value(self, name: str, value: float) -> None:
        """Make the objects of the current model with another value; returns at once."""
        model = self._predictions.model
        if model is not None:
            self._chosen.setdefault(model, {})[name] = value
            self._apply(model)

    def reset(self) -> None:
        """Go back to the model's own numbers."""
        model = self._predictions.model
        if model is not None:
            self._chosen[model] = self.own
            self._apply(model)

    def keep(self) -> None:
        """Store the numbers in the current model, so that whatever it predicts is made with them.

        Raises
        ------
        ModelError
            If the model is still learning, or there is none.
        StorageError
            If the card cannot be written.
        """
        model = self._predictions.model
        if model is None or (self._base is not None and self._base.provisional):
            raise ModelError("these numbers cannot be kept yet", "a model whose training has ended", _LEARNING)
        save_settings(model, self.values)
        self.changed.emit()

    def takes(self, prediction: Prediction) -> bool:
        """Take in a new prediction; return whether its objects are made first, and then shown."""
        self._bases[prediction.layer] = prediction
        return self._ask(prediction) and prediction.layer.present

    def forget(self, layer: PredictionLayer) -> None:
        """Let go of a layer that is gone."""
        self._bases.pop(layer, None)
        self._asked.pop(layer, None)
        if self._thread is not None:
            self._thread.forget(layer)

    def close(self) -> None:
        """Let go of the thread, the timer and the connections."""
        self._timer.stop()
        for emitter in moves_of(self._viewer):
            emitter.disconnect(self._on_move)
        self._main.close()
        if self._thread is not None:
            self._thread.close()

    # How

    @property
    def _base(self) -> Prediction | None:
        """The current prediction as it was stored or sent."""
        current = self._predictions.current
        return None if current is None else self._bases.get(current.layer, current)

    def _apply(self, model: Path) -> None:
        self.trouble = ""
        for one in self._predictions.of_model(model):
            base = self._bases.get(one.layer, one)
            if not self._ask(base) and one is not base:
                self._predictions.put(base)
        self.changed.emit()

    def _ask(self, base: Prediction) -> bool:
        """Have the objects of a prediction made, if the sliders are elsewhere; return whether they will be."""
        chosen, maps = self._chosen.get(base.model, {}), base.maps
        made = {} if maps is None else maps.values
        values = {name: chosen.get(name, value) for name, value in made.items()}
        region = None if maps is None or values == made else self._region(base)
        if maps is None or region is None:
            self._asked.pop(base.layer, None)
            return False
        if self._thread is None:
            self._thread = DecodeThread(
                lambda work, objects: self._main.post(lambda: self._take(work, objects)),
                lambda work, why: self._main.post(lambda: self._fail(work, why)),
            )
        self._asked[base.layer] = work = Work(base, maps, region, values)
        self._thread.ask(work)
        return True

    def _take(self, work: Work, objects: Objects) -> None:
        # Of a slider that moves on, what comes meanwhile is shown; what is of another prediction is not.
        asked = self._asked.get(work.base.layer)
        if asked is not None and asked.base is work.base:
            self._predictions.put(_made(work, objects))

    def _fail(self, work: Work, why: str) -> None:
        if self._asked.get(work.base.layer) is work:
            self.trouble = why
            self._predictions.put(work.base)
            self.changed.emit()

    def _on_move(self, event: Any = None) -> None:
        if self._asked and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        """Make the objects of what came on screen."""
        for work in list(self._asked.values()):
            part = None if work.region == work.base.whole else self._seen(work.base)
            if part is not None and not part.served_by(work.region):
                self._ask(work.base)

    def _region(self, base: Prediction) -> Region | None:
        """Return what to decode of a prediction; None if nothing of it is on screen."""
        if base.whole.size <= AT_ONCE:
            return base.whole
        part = self._seen(base)
        return None if part is None else part.wanted

    def _seen(self, base: Prediction) -> Seen | None:
        """Return what of a prediction is on screen, in its own voxels."""
        place, maps = base.placement, base.maps
        if maps is None:
            return None
        part = seen(self._viewer, LayerFrame.of(place.image), place.magnification, maps.dims)
        return None if part is None else part.inside(Region.from_shape(base.whole.shape, place.start))


def _made(work: Work, objects: Objects) -> Prediction:
    """Return a prediction as the sliders make it."""
    base, data = work.base, work.base.data
    classes = None
    if data.classes is not None:
        classes = np.full(len(objects.scores), work.maps.task.classes[-1], np.int32)
        classes[:1] = 0
    made = Thresholded(objects.labels, objects.scores, classes=classes, leading=data.leading, flat=data.flat)
    if data.tiles:
        # The layer of a large prediction has levels, and cannot be one without.
        made.take_steps(data.tiles[0].steps)
    start = triple([a + b for a, b in zip(base.placement.start, work.region.start, strict=True)])
    placement = replace(base.placement, start=start)
    return replace(base, data=made, placement=placement, stored=None, sizes=None, bounds=None)
