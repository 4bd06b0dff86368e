"""Undo and redo of classes of ground truths."""

from __future__ import annotations

from collections.abc import Callable

from .truth import GroundTruth, LabelClass

Step = tuple[str, tuple[LabelClass, ...]]


class ClassSteps:
    """Remembers the classes of ground truths before each change.

    Parameters
    ----------
    find : callable
        Returns the ground truth of a key, None if it is not there any more.
    change : callable
        Gives a ground truth other classes.
    """

    def __init__(
        self,
        find: Callable[[str], GroundTruth | None],
        change: Callable[[GroundTruth, tuple[LabelClass, ...]], object],
    ) -> None:
        self._find, self._change = find, change
        self._undo: list[Step] = []
        self._redo: list[Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to redo."""
        return bool(self._redo)

    def note(self, truth: GroundTruth) -> None:
        """Remember the classes as they are, before they change."""
        self._undo.append((truth.key, truth.classes))
        self._redo.clear()

    def undo(self) -> None:
        """Go back one change, if there is one."""
        self._step(self._undo, self._redo)

    def redo(self) -> None:
        """Go forward one change, if there is one."""
        self._step(self._redo, self._undo)

    def _step(self, back: list[Step], forth: list[Step]) -> None:
        while back:
            key, classes = back.pop()
            truth = self._find(key)
            if truth is not None:
                forth.append((key, truth.classes))
                self._change(truth, classes)
                return
