"""Marks of everything that is classified in a viewer, with undo, kept in the project folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from ...classification.marks import CLASSES, Choice, Mark, MarkSheet, ObjectClass, color_of, read_sheet
from ...errors import AitrainError, ConfigError, StorageError
from ..jobs.main_thread import MainThread
from ..notify import report
from .subject import Subject
from .writer import SheetWriter

if TYPE_CHECKING:
    from ..session import Session

_STEPS = 500


class Sheets:
    """What was marked, free of widgets.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed : str
        The key of the subject whose classes or marks changed.
    """

    changed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._main = MainThread()
        self._sheets: dict[tuple[Path | None, str], MarkSheet] = {}
        self._steps: dict[str, list[MarkSheet]] = {}
        self._told = False
        self._writer = SheetWriter(lambda error: self._main.post(lambda: self._on_failed(error)))

    def get(self, subject: Subject) -> MarkSheet:
        """Return the marks of a subject, those of the project if it has some."""
        where = self._where(subject.key)
        if where not in self._sheets:
            # What was marked before there was a project belongs to it.
            kept = self._sheets.pop((None, subject.key), None)
            self._sheets[where] = kept or self._read(subject) or _empty(subject)
        return self._sheets[where]

    def set(self, subject: Subject, sheet: MarkSheet, *, step: bool = True) -> None:
        """Change the marks of a subject; they are saved within moments."""
        before = self.get(subject)
        if sheet == before:
            return
        if step:
            steps = self._steps.setdefault(subject.key, [])
            steps.append(before)
            del steps[:-_STEPS]
        image = "" if subject.image is None else subject.image.name
        labels = subject.labels.name if subject.labels is not None else ""
        sheet = sheet.model_copy(update={"kind": subject.kind, "image": image, "labels": labels})
        try:
            project = self._session.saver.ensure_project()
        except AitrainError as error:
            self._on_failed(error)
        else:
            self._writer.put(project.folder / CLASSES / f"{subject.key}.json", sheet)
        self._sheets[self._where(subject.key)] = sheet
        self.changed.emit(subject.key)

    def can_undo(self, subject: Subject) -> bool:
        """Whether there is a step to go back."""
        return bool(self._steps.get(subject.key))

    def undo(self, subject: Subject) -> None:
        """Go back one step."""
        if steps := self._steps.get(subject.key):
            self.set(subject, steps.pop(), step=False)

    def mark(self, subject: Subject, mark: Mark, answer: int | None) -> None:
        """Say something of an object.

        Parameters
        ----------
        subject : Subject
            Where it is.
        mark : Mark
            Of the object.
        answer : int or None
            Its class, or an attribute that it has; if that was said before it is taken back. Of attributes 0 says that
            it has none of them. None forgets what was said.
        """
        sheet = self.get(subject)
        identity = subject.id_of(mark)
        same = [one for one in sheet.marks if subject.id_of(one) == identity]
        before = same[-1].classes if same else None
        others = tuple(one for one in sheet.marks if one not in same)
        classes = _answered(before, answer, sheet.choice)
        marks = others if classes is None else (*others, mark.model_copy(update={"classes": classes}))
        self.set(subject, sheet.model_copy(update={"marks": marks}))

    def add_class(self, subject: Subject, name: str = "") -> ObjectClass:
        """Add a class with the next number that none had."""
        sheet = self.get(subject)
        number = max((one.id for one in sheet.classes), default=0) + 1
        what = "class" if sheet.choice == "single" else "attribute"
        added = ObjectClass(id=number, name=name or f"{what} {number}", color=color_of(number))
        self.set(subject, sheet.model_copy(update={"classes": (*sheet.classes, added)}))
        return added

    def change_class(self, subject: Subject, number: int, **changes: str) -> None:
        """Rename or recolour a class."""
        sheet = self.get(subject)
        classes = tuple(one.model_copy(update=changes) if one.id == number else one for one in sheet.classes)
        self.set(subject, sheet.model_copy(update={"classes": classes}))

    def remove_class(self, subject: Subject, number: int) -> None:
        """Remove a class, and what was said of it."""
        sheet = self.get(subject)
        kept = tuple(one for one in sheet.classes if one.id != number)
        marks = [
            one.model_copy(update={"classes": tuple(n for n in one.classes if n != number)})
            for one in sheet.marks
            if sheet.choice == "multi" or number not in one.classes
        ]
        self.set(subject, sheet.model_copy(update={"classes": kept, "marks": tuple(marks)}))

    def set_choice(self, subject: Subject, choice: Choice) -> None:
        """Ask for one class each, or for any number of attributes; marks with several keep the first alone."""
        sheet = self.get(subject)
        marks = sheet.marks
        if choice == "single":
            marks = tuple(one.model_copy(update={"classes": one.classes[:1]}) for one in marks if one.classes)
        self.set(subject, sheet.model_copy(update={"choice": choice, "marks": marks}))

    def flush(self) -> None:
        """Wait until all is on disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is not written yet."""
        self._writer.close()
        self._main.close()

    def _where(self, key: str) -> tuple[Path | None, str]:
        project = self._session.saver.project
        return (None if project is None else project.folder), key

    def _read(self, subject: Subject) -> MarkSheet | None:
        project = self._session.saver.project
        path = None if project is None else project.folder / CLASSES / f"{subject.key}.json"
        if path is None or not path.is_file():
            return None
        try:
            return read_sheet(path)
        except ConfigError as error:
            # Marks made now must not be written over what somebody may still mend.
            kept = path.with_name(f"{path.stem}.damaged.json")
            path.replace(kept)
            report(ConfigError(error.what, error.expected, f"it is kept as {kept.name}; marks begin anew"))
            return None

    def _on_failed(self, error: AitrainError | StorageError) -> None:
        if not self._told:
            self._told = True
            report(error)


def _answered(before: tuple[int, ...] | None, answer: int | None, choice: Choice) -> tuple[int, ...] | None:
    """Return the classes of an object after an answer; None if nothing is said of it any more."""
    if answer is None:
        return None
    if choice == "single":
        return None if answer == 0 or before == (answer,) else (answer,)
    if answer == 0:
        return None if before == () else ()
    had = before or ()
    return tuple(n for n in had if n != answer) if answer in had else (*had, answer)


def _empty(subject: Subject) -> MarkSheet:
    first = tuple(ObjectClass(id=n, name=f"class {n}", color=color_of(n)) for n in (1, 2))
    return MarkSheet(kind=subject.kind, classes=first)
