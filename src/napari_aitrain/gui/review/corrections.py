"""Predicted objects taken over into the ground truth of a session, or marked as background there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import GroundTruthError
from ..annotate.colours import shares_background_colour
from ..frames import LayerFrame
from .correct import Wanted, Written, paint
from .picking import Picked
from .prediction import Prediction

if TYPE_CHECKING:
    from ..annotate.truths import GroundTruth
    from ..session import Session


class Corrections:
    """Finds the ground truth, the box and the ids that a correction is about, and writes it.

    Parameters
    ----------
    session : Session
        Whose ground truth is corrected.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def accept(self, prediction: Prediction, wanted: Wanted, in_box: bool, overwrite: bool) -> Written:
        """Write what is wanted, perhaps only as far as it lies in the selected box."""
        truth = self._truth(prediction)
        if (truth.mode == "instances") != prediction.data.instances:
            raise GroundTruthError(
                f"{truth.layer} holds {truth.mode}, but the prediction holds "
                + ("objects" if prediction.data.instances else "classes"),
                "a ground truth of the same kind",
                "choose the ground truth that the model was trained on",
            )
        if in_box:
            wanted = replace(wanted, region=self._box_region(truth))
        first = self._session.truths.next_id(truth)
        return self._paint(
            prediction, wanted, truth, _numbers(first, truth) if truth.mode == "instances" else int, overwrite
        )

    def reject(self, what: Picked, overwrite: bool) -> Written:
        """Write background where an object is."""
        truth = self._truth(what.prediction)
        background = truth.background_id
        if background is None:
            raise GroundTruthError(
                f"{truth.layer} has no id for background",
                "an id that is painted where there is certainly nothing",
                "choose a background id in the Annotate dock; in dense boxes whatever is unpainted is background",
            )
        return self._paint(what.prediction, what.wanted, truth, lambda identity: background, overwrite)

    def _truth(self, prediction: Prediction) -> GroundTruth:
        truths = self._session.truths
        image = prediction.placement.image.name
        current = truths.current
        if current is not None and current.image == image:
            return current
        found = truths.of_image(image)
        if not found:
            raise GroundTruthError(
                f"{image} has no ground truth to write into",
                "a ground truth layer of the image that was predicted",
                "make one in the Annotate dock",
            )
        return found[-1]

    def _box_region(self, truth: GroundTruth) -> Any:
        box = self._session.boxes.selected
        if box is None or box.image != truth.image:
            raise GroundTruthError(
                "no box of this image is selected", "a box to take the objects of", "select one in the Annotate dock"
            )
        return LayerFrame.of(self._session.truths.layer(truth)).to_region(box.start, box.stop)

    def _paint(
        self, prediction: Prediction, wanted: Wanted, truth: GroundTruth, values: Callable[[int], int], overwrite: bool
    ) -> Written:
        layer = self._session.truths.layer(truth)
        frame = list(prediction.placement.frame)
        channel = LayerFrame.of(layer).channel
        if channel is not None:
            frame[channel] = 0
        return paint(prediction, wanted, layer, values, tuple(frame), overwrite)


def _numbers(first: int, truth: GroundTruth) -> Callable[[int], int]:
    """Return what gives the next number at every call, none of which looks like background."""
    numbers = (n for n in range(first, 2**31) if not shares_background_colour(n, truth))
    return lambda identity: next(numbers)
