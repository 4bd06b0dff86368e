"""Which boxes are trained on: by status, tags and the date of their last change, and how many each leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol, TypeVar

from .boxes import Status


class Chosen(Protocol):
    """What a choice asks of a box; those of files and those of a window have it."""

    @property
    def status(self) -> Status:
        """Its status."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        ...

    @property
    def changed(self) -> datetime | None:
        """When it was changed last, if that is known."""
        ...


B = TypeVar("B", bound=Chosen)


@dataclass(frozen=True)
class Left:
    """How many boxes one filter leaves of those that the filters before it left.

    Parameters
    ----------
    name : {'statuses', 'tags', 'dates'}
        The filter.
    boxes : int
        Boxes that are left.
    undated : int
        Boxes that were left out because nobody knows when they were changed.
    """

    name: str
    boxes: int
    undated: int = 0


@dataclass(frozen=True)
class Choice:
    """The filters of a training; rejected boxes pass none.

    Parameters
    ----------
    statuses : collection of str
        Statuses that are used.
    tags : collection of str
        Boxes with any of these are used; none means all.
    since, until : date, optional
        First and last day of a box's last change, in the time zone of this machine. With either, boxes without a
        date are not used: nobody can say whether they are meant.

    Examples
    --------
    >>> from .boxes import Box
    >>> boxes = [Box(start=(0, 0, 0), stop=(1, 9, 9), status=s) for s in ("done", "reviewed", "rejected")]
    >>> [left.boxes for left in Choice(("done", "reviewed", "rejected"), since=date(2026, 1, 1)).left(boxes)]
    [2, 0]
    """

    statuses: Collection[Status]
    tags: Collection[str] = ()
    since: date | None = None
    until: date | None = None

    @property
    def dated(self) -> bool:
        """Whether the date counts."""
        return self.since is not None or self.until is not None

    def has_status(self, box: Chosen) -> bool:
        """Whether the status of a box is one that is used."""
        return box.status in self.statuses and box.status != "rejected"

    def has_tag(self, box: Chosen) -> bool:
        """Whether a box has one of the tags."""
        return not self.tags or not set(self.tags).isdisjoint(box.tags)

    def has_date(self, box: Chosen) -> bool:
        """Whether a box was changed in these days."""
        if not self.dated:
            return True
        day = day_of(box.changed)
        return day is not None and (self.since or day) <= day <= (self.until or day)

    def keep(self, boxes: Iterable[B]) -> tuple[B, ...]:
        """Return the boxes that pass every filter, in their order."""
        return tuple(box for box in boxes if self.has_status(box) and self.has_tag(box) and self.has_date(box))

    def left(self, boxes: Iterable[Chosen]) -> list[Left]:
        """Return what each filter leaves, in their order; those of tags and dates only where they are set."""
        rest = [box for box in boxes if self.has_status(box)]
        found = [Left("statuses", len(rest))]
        if self.tags:
            rest = [box for box in rest if self.has_tag(box)]
            found.append(Left("tags", len(rest)))
        if self.dated:
            found.append(Left("dates", sum(map(self.has_date, rest)), sum(box.changed is None for box in rest)))
        return found


def day_of(changed: datetime | None) -> date | None:
    """Return the day of a time in the time zone of this machine."""
    return None if changed is None else changed.astimezone().date()


def now() -> datetime:
    """Return the time that a box which is changed now is given: whole seconds, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
