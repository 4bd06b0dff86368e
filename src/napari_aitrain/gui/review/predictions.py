"""The predictions of a session: which layers show them, and the threshold that they are seen through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from ..session import Session


class Predictions:
    """What models made of the images of a session; free of widgets.

    Parameters
    ----------
    session : Session
        Whose layers are looked at and corrected.

    Signals
    -------
    changed
        After a new prediction, and after a change of how it is shown.
    threshold_changed : float
        The new threshold, 0 … 1.
    """

    changed = Signal()
    threshold_changed = Signal(float)

    def __init__(self, session: Session) -> None:
        self.session = session
        self._threshold = 0.5

    @property
    def threshold(self) -> float:
        """Objects of a lower score are not shown, 0 … 1."""
        return self._threshold

    def set_threshold(self, threshold: float) -> None:
        """See every prediction of the model through another threshold."""
        if threshold != self._threshold:
            self._threshold = threshold
            self.threshold_changed.emit(threshold)

    def close(self) -> None:
        """Let go of the layers."""
