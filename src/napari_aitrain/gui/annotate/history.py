"""Undo and redo over boxes and classes, in the order in which a person changed them."""

from __future__ import annotations

from typing import Protocol

from ..box_list import BoxList
from .truths import GroundTruths


class _Undoable(Protocol):
    @property
    def can_undo(self) -> bool: ...
    @property
    def can_redo(self) -> bool: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...


class History:
    """Remembers what was changed last; strokes have napari's own undo.

    Parameters
    ----------
    boxes : BoxList
        Keeps its own steps.
    truths : GroundTruths
        Keeps the steps of its classes.
    """

    def __init__(self, boxes: BoxList, truths: GroundTruths) -> None:
        self._done: list[_Undoable] = []
        self._undone: list[_Undoable] = []
        boxes.committed.connect(lambda: self._note(boxes))
        truths.classes_set.connect(lambda: self._note(truths.class_steps))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return any(part.can_undo for part in self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return any(part.can_redo for part in self._undone)

    def undo(self) -> None:
        """Go back one step, if there is one."""
        while self._done:
            part = self._done.pop()
            if part.can_undo:
                self._undone.append(part)
                part.undo()
                return

    def redo(self) -> None:
        """Go forward one step, if there is one."""
        while self._undone:
            part = self._undone.pop()
            if part.can_redo:
                self._done.append(part)
                part.redo()
                return

    def _note(self, part: _Undoable) -> None:
        self._done.append(part)
        self._undone.clear()
