"""The boxes of a session: an evented list with undo, free of widgets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from psygnal import Signal

from ..annotation.choosing import day_of, now
from ..annotation.world import WorldBox

_HISTORY = 200


class BoxList:
    """Boxes in the order in which they were drawn; each change is one step of undo.

    Signals
    -------
    changed
        After any change of the boxes.
    selected_changed : str
        The id of the box that is now selected; empty for none.
    committed
        Before `changed`, when the change is a step that can be undone.
    """

    changed = Signal()
    selected_changed = Signal(str)
    committed = Signal()

    def __init__(self, boxes: Iterable[WorldBox] = ()) -> None:
        self._boxes: tuple[WorldBox, ...] = tuple(boxes)
        self._undo: list[tuple[WorldBox, ...]] = []
        self._redo: list[tuple[WorldBox, ...]] = []
        self._selected = ""

    def __len__(self) -> int:
        return len(self._boxes)

    def __iter__(self) -> Iterator[WorldBox]:
        return iter(self._boxes)

    def __getitem__(self, box_id: str) -> WorldBox:
        """Return the box of an id; KeyError if there is none."""
        for box in self._boxes:
            if box.id == box_id:
                return box
        raise KeyError(box_id)

    @property
    def selected(self) -> WorldBox | None:
        """The selected box."""
        return next((box for box in self._boxes if box.id == self._selected), None)

    def select(self, box_id: str) -> None:
        """Select a box by id; an empty text selects none."""
        if box_id != self._selected:
            self._selected = box_id
            self.selected_changed.emit(box_id)

    def add(self, *boxes: WorldBox) -> None:
        """Append boxes as one step, and select the last."""
        if boxes:
            self._commit((*self._boxes, *boxes))
            self.select(boxes[-1].id)

    def remove(self, *box_ids: str) -> None:
        """Remove boxes by id as one step."""
        left = tuple(box for box in self._boxes if box.id not in box_ids)
        if len(left) < len(self._boxes):
            self._commit(left)

    def update(self, box_id: str, **changes: Any) -> None:
        """Change fields of a box.

        Raises
        ------
        pydantic.ValidationError
            If a value is not allowed; nothing changes then.
        """
        self.replace(WorldBox.model_validate(self[box_id].model_dump() | changes))

    def replace(self, *boxes: WorldBox) -> None:
        """Put boxes in the place of those of the same ids, as one step."""
        by_id = {box.id: box for box in boxes}
        changed = tuple(by_id.get(box.id, box) for box in self._boxes)
        if changed != self._boxes:
            self._commit(changed)

    def reset(self, boxes: Iterable[WorldBox]) -> None:
        """Take over other boxes, such as those of a project that was opened; there is nothing to undo then."""
        self._undo, self._redo = [], []
        self._set(tuple(boxes))

    def rename_image(self, old: str, new: str) -> None:
        """Follow an image layer that has another name now; no step of undo, but every step follows."""

        def renamed(boxes: tuple[WorldBox, ...]) -> tuple[WorldBox, ...]:
            return tuple(box.model_copy(update={"image": new}) if box.image == old else box for box in boxes)

        self._undo, self._redo = [renamed(one) for one in self._undo], [renamed(one) for one in self._redo]
        boxes = renamed(self._boxes)
        if boxes != self._boxes:
            self._set(boxes)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._redo)

    def undo(self) -> None:
        """Go back one step, if there is one."""
        if self._undo:
            self._redo.append(self._boxes)
            self._set(self._undo.pop())

    def redo(self) -> None:
        """Go forward one step, if there is one."""
        if self._redo:
            self._undo.append(self._boxes)
            self._set(self._redo.pop())

    def touch(self, box_ids: Collection[str], when: datetime) -> None:
        """Note that what is painted in boxes was changed: no step of undo, and nothing where the day is the same."""
        day = day_of(when)
        old = {box.id for box in self._boxes if box.id in box_ids and day_of(box.changed) != day}
        if old:
            later = {"changed": when}
            self._set(tuple(box.model_copy(update=later) if box.id in old else box for box in self._boxes))

    def _commit(self, boxes: tuple[WorldBox, ...]) -> None:
        before = {box.id: box for box in self._boxes}
        later = {"changed": now()}
        # One that comes with a date, such as of a file, and is new here keeps it.
        boxes = tuple(
            box
            if box == before.get(box.id) or (box.id not in before and box.changed is not None)
            else box.model_copy(update=later)
            for box in boxes
        )
        self._undo = [*self._undo[1 - _HISTORY :], self._boxes]
        self._redo = []
        self.committed.emit()
        self._set(boxes)

    def _set(self, boxes: tuple[WorldBox, ...]) -> None:
        self._boxes = boxes
        if self.selected is None:
            self.select("")
        self.changed.emit()
