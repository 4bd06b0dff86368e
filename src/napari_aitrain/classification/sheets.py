"""Marks of several images as one: classes of one name are one class."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from .marks import MarkSheet, ObjectClass, color_of


def merged(sheets: Sequence[MarkSheet]) -> tuple[MarkSheet, list[MarkSheet]]:
    """Return a sheet with the classes of all, and each sheet with its marks in these classes.

    Ids stay where all sheets agree on them; otherwise classes are numbered anew, in the order in which they appear.

    Raises
    ------
    ConfigError
        If some are of objects and others of boxes, or of single and of several answers.
    """
    if len({(sheet.kind, sheet.choice) for sheet in sheets}) != 1:
        raise ConfigError(
            "some files say one class per object, others several attributes, or some are of boxes",
            "files of one kind",
            "train a classifier of each",
        )
    first = sheets[0]
    if len(sheets) == 1:
        return first, [first]
    names = {one.id: one.name for sheet in sheets for one in sheet.classes}
    agreed = all(names[one.id] == one.name for sheet in sheets for one in sheet.classes)
    if agreed and len(set(names.values())) == len(names):
        known = {one.id: one for sheet in reversed(sheets) for one in sheet.classes}
        classes = tuple(known[number] for number in sorted(known))
        return first.model_copy(update={"classes": classes, "marks": ()}), [
            sheet.model_copy(update={"classes": classes}) for sheet in sheets
        ]
    every = list(dict.fromkeys(one.name for sheet in sheets for one in sheet.classes))
    classes = tuple(
        ObjectClass(id=number, name=name, color=color_of(number)) for number, name in enumerate(every, start=1)
    )
    numbers = {one.name: one.id for one in classes}
    moved = []
    for sheet in sheets:
        to = {one.id: numbers[one.name] for one in sheet.classes}
        marks = tuple(
            mark.model_copy(update={"classes": tuple(to[number] for number in mark.classes)}) for mark in sheet.marks
        )
        moved.append(sheet.model_copy(update={"classes": classes, "marks": marks}))
    return first.model_copy(update={"classes": classes, "marks": ()}), moved
