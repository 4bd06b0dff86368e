"""What a person said of objects or boxes: one class each, or any number of attributes; kept as a JSON file."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigError, GroundTruthError
from ..geometry import Triple
from ..volumes.atomic import atomic_write_text

MARKS_VERSION = 1
CLASSES = "classes"
"""Folder of a project, with a file per labels layer, or per image whose boxes have classes."""
Kind = Literal["objects", "boxes"]
Choice = Literal["single", "multi"]
SEPARATOR = ";"
"""Between attributes of one object in a CSV."""
FIRST_TRY, ENOUGH = 10, 40
"""Marks per class: from the first a training is worth a look, from the second its figures are worth trusting."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectClass(_Strict):
    """A class, or an attribute that objects have or have not.

    Parameters
    ----------
    id : int
        Stays the same when the class is renamed.
    name : str
        What people call it.
    color : str
        As ``#rrggbb``.
    """

    id: Annotated[int, Field(ge=1)]
    name: Annotated[str, Field(min_length=1)]
    color: str = "#e69f00"


class Mark(_Strict):
    """What was said of one object or box.

    Parameters
    ----------
    id : int
        Of the object when it was marked; of a box its number.
    at : tuple of int, optional
        A voxel of the labels in the object, z, y, x: ids change when labels are made anew, places do not.
    frame : tuple of int
        Index along the axes before z, y and x, such as time.
    box : str
        Identifier of the box, for boxes.
    classes : tuple of int
        Ids of its class, or of all its attributes; no attribute at all is an answer, too.
    """

    id: Annotated[int, Field(ge=0)] = 0
    at: Triple | None = None
    frame: tuple[int, ...] = ()
    box: str = ""
    classes: tuple[int, ...] = ()


class MarkSheet(_Strict):
    """Classes and marks of the objects of one labels layer, or of the boxes of an image.

    Parameters
    ----------
    kind : {'objects', 'boxes'}
        What is marked.
    choice : {'single', 'multi'}
        One class each, or any number of attributes.
    image, labels : str
        Names of the layers.
    classes, marks
        In the order in which they were made.
    """

    format_version: int = MARKS_VERSION
    kind: Kind = "objects"
    choice: Choice = "single"
    image: str = ""
    labels: str = ""
    classes: tuple[ObjectClass, ...] = ()
    marks: tuple[Mark, ...] = ()

    @model_validator(mode="after")
    def _known_classes(self) -> Self:
        known = {one.id for one in self.classes}
        if len(known) != len(self.classes):
            raise ValueError("two classes have the same id")
        if unknown := {number for mark in self.marks for number in mark.classes} - known:
            raise ValueError(f"there is no class {min(unknown)}")
        return self

    def counts(self) -> dict[int, int]:
        """Return how many objects were given each class or attribute."""
        found = Counter(number for mark in self.marks for number in mark.classes)
        return {one.id: found[one.id] for one in self.classes}

    def name_of(self, number: int) -> str:
        """Return the name of a class."""
        return next((one.name for one in self.classes if one.id == number), f"class {number}")

    def resolved(self, id_at: Callable[[Mark], int]) -> tuple[dict[int, tuple[int, ...]], tuple[Mark, ...]]:
        """Return the answer of each object that is there, and the marks whose objects have gone.

        Of several marks of one object the last counts.

        Parameters
        ----------
        id_at : callable
            Returns the id of the object of a mark now; 0 where there is none any more.
        """
        answers: dict[int, tuple[int, ...]] = {}
        gone = []
        for mark in self.marks:
            identity = id_at(mark)
            if identity:
                answers.pop(identity, None)
                answers[identity] = mark.classes
            else:
                gone.append(mark)
        return answers, tuple(gone)

    def save(self, path: Path) -> None:
        """Write the sheet in one step: a kill leaves the old one or the new.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        atomic_write_text(path, self.model_dump_json(indent=1) + "\n")


def read_sheet(path: Path) -> MarkSheet:
    """Read what `MarkSheet.save` wrote.

    Raises
    ------
    ConfigError
        If it is not there, damaged, or was written by a newer version.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(data, dict) and int(data.get("format_version", 0)) > MARKS_VERSION:
            raise ConfigError(
                f"{path} was written by a newer version", f"format {MARKS_VERSION} or older", "update napari-aitrain"
            )
        return MarkSheet.model_validate(data)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", "a file of classified objects", "check the path") from None
    except (OSError, UnicodeDecodeError, ValueError, TypeError, ValidationError) as error:
        raise ConfigError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            "the file of classified objects that napari-aitrain wrote, or a CSV with the columns id and class",
            "restore it from a backup",
        ) from error


def read_marks(path: Path, choice: Choice = "single", kind: Kind = "objects") -> MarkSheet:
    """Read a sheet, or a CSV with the columns ``id`` and ``class``.

    In a CSV attributes of one object are separated by semicolons, or in rows of their own; nothing in the column
    ``class`` says that an object has none of them. Classes are numbered in the order of the alphabet.

    Raises
    ------
    ConfigError
        If it cannot be read, a column is missing, or an id is not a whole number above 0.
    GroundTruthError
        If an object has two classes, and one is allowed.
    """
    if Path(path).suffix.lower() == ".json":
        return read_sheet(path)
    rows = _csv_rows(path)
    named: dict[int, list[str]] = {}
    for identity, names in rows:
        found = named.setdefault(identity, [])
        found += [name for name in names if name not in found]
        if choice == "single" and len(found) != 1:
            raise GroundTruthError(
                f"object {identity} in {path} has {len(found) or 'no'} classes",
                "one class per object",
                "correct that row, or classify by attributes (--multi), of which an object may have any number",
            )
    known = sorted({name for names in named.values() for name in names})
    classes = tuple(
        ObjectClass(id=number, name=name, color=color_of(number)) for number, name in enumerate(known, start=1)
    )
    numbers = {one.name: one.id for one in classes}
    marks = tuple(Mark(id=one, classes=tuple(numbers[name] for name in names)) for one, names in named.items())
    return MarkSheet(kind=kind, choice=choice, classes=classes, marks=marks)


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", "a CSV with the columns id and class", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a CSV with the columns id and class", _SEE) from error
    # Spreadsheets of many countries write semicolons; then attributes stand in rows of their own.
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    columns = {name.strip().casefold(): name for name in reader.fieldnames or () if name}
    if "id" not in columns or "class" not in columns:
        raise ConfigError(
            f"{path} has the columns {', '.join(columns) or 'of no name'}", "columns named id and class", _SEE
        )
    rows = []
    for number, row in enumerate(reader, start=2):
        written = (row[columns["id"]] or "").strip()
        if not written.isdecimal() or int(written) < 1:
            raise ConfigError(f"line {number} of {path}: the id is {written!r}", "a whole number above 0", _SEE)
        names = (row[columns["class"]] or "").split(SEPARATOR)
        rows.append((int(written), [name.strip() for name in names if name.strip()]))
    return rows


def hint(counts: Iterable[tuple[str, int]], choice: Choice = "single") -> str:
    """Return what to click next, as a sentence."""
    found = list(counts)
    if not found:
        return "Add two classes or more." if choice == "single" else "Add an attribute."
    least = min(found, key=lambda one: one[1])
    if least[1] < FIRST_TRY:
        return f"Mark {FIRST_TRY - least[1]} more of “{least[0]}” for a first try; {ENOUGH}–50 of each are good."
    if least[1] < ENOUGH:
        return f"Enough for a try. {ENOUGH}–50 of each are good: {ENOUGH - least[1]} more of “{least[0]}”."
    return "Enough of each. More help most where the classifier is unsure or wrong."


def color_of(number: int) -> str:
    """Return the colour of the `number`-th class, told apart by people with any kind of colour vision."""
    return COLOURS[(number - 1) % len(COLOURS)]


# Okabe and Ito 2008.
COLOURS: Sequence[str] = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


def ids_at(labels: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> Callable[[Mark], int]:
    """Return what finds the id of a mark in labels in memory, shape (z, y, x): by its place, else by its id."""
    known = None

    def found(mark: Mark) -> int:
        nonlocal known
        if mark.at is not None:
            inside = all(0 <= i < n for i, n in zip(mark.at, labels.shape, strict=True))
            return max(0, int(labels[mark.at])) if inside else 0
        if known is None:
            known = set(np.unique(labels).tolist())
        return mark.id if mark.id in known else 0

    return found


_SEE = "write for example:\nid,class\n17,round\n23,long"
