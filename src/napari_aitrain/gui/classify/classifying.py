"""What the window knows of classes: marks, classifiers, and what they say; outlives the dock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from ...classification.classified import Classified
from ...classification.classifier import CLASSIFIER, ObjectClassifier, read_classifier
from ...classification.examples import Marked
from ...classification.files import How, measure
from ...classification.fitting import fit_classifier
from ...classification.marks import MarkSheet
from ...classification.table import FeatureTable
from ...errors import AitrainError, NotReadyError
from ...jobs.looker import Looker
from ..aside import Aside
from ..jobs.main_thread import MainThread
from .sheets import Sheets
from .subject import Subject

if TYPE_CHECKING:
    from ..session import Session

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Result:
    """What a classifier says of a subject.

    Parameters
    ----------
    classifier : ObjectClassifier
        Who says it.
    table : FeatureTable
        Features of all objects.
    found : Classified
        Their classes.
    gone : int
        Marks whose objects are not there any more.
    """

    classifier: ObjectClassifier
    table: FeatureTable
    found: Classified
    gone: int = 0


@dataclass(frozen=True)
class _Known:
    stamp: tuple[object, ...]
    table: FeatureTable


class Classifying:
    """Trains and applies classifiers beside the main thread, one question at a time.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    classified : str
        Key of a subject that has another result.
    failed : AitrainError
        Why there is none.
    progress : int, int, str
        What is done, of how much, and what it is.
    ended
        Nothing is worked on any more.

    Attributes
    ----------
    sheets : Sheets
        What was marked.
    """

    classified = Signal(str)
    failed = Signal(object)
    progress = Signal(int, int, str)
    ended = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.sheets = Sheets(session)
        self._aside: Aside[Result | None] = Aside()
        self._main = MainThread()
        self._looker = Looker()
        self._known: dict[tuple[object, ...], _Known] = {}
        self._results: dict[str, Result] = {}
        self._cancel = threading.Event()
        self._asked = 0
        self.busy = False

    def result(self, subject: Subject) -> Result | None:
        """Return what a classifier said last of a subject."""
        return self._results.get(subject.key)

    def train(self, subject: Subject, model: str = "") -> None:
        """Learn from the marks of a subject, and classify all its objects; `classified` tells when that is done.

        Parameters
        ----------
        subject : Subject
            What is classified.
        model : str
            Whose network also looks at objects; empty for none.
        """
        sheet = self.sheets.get(subject)
        answers, gone = sheet.resolved(subject.id_of)
        name = "" if not model else Path(model).name

        def work(progress: Progress) -> Result | None:
            table = self._table(subject, model, progress)
            if table is None:
                return None
            classifier = fit_classifier([Marked(table, answers)], sheet, name=subject.name, model_name=name)
            return Result(classifier, table, classifier.classify(table), len(gone))

        self._begin(subject, work, lambda: _check(sheet, answers))

    def apply(self, subject: Subject, classifier: ObjectClassifier, model: str = "") -> None:
        """Classify the objects of a subject by a classifier that was trained before."""

        def work(progress: Progress) -> Result | None:
            seeing = model if classifier.embedding is not None else ""
            table = self._table(subject, seeing, progress, 2 if classifier.dims == 2 else 3)
            return None if table is None else Result(classifier, table, classifier.classify(table))

        self._begin(subject, work, lambda: None)

    def apply_own(self, subject: Subject) -> bool:
        """Classify the objects of a prediction by the classifier that was trained with its model, if there is one."""
        model = None if subject.prediction is None else subject.prediction.model
        folder = next((f for f in (model, model / "model") if (f / CLASSIFIER).is_file()), None) if model else None
        sheet = self.sheets.get(subject)
        if folder is None or self.busy or sheet.marks or self.result(subject) is not None:
            return False
        classifier = read_classifier(folder)
        self.sheets.set(
            subject, sheet.model_copy(update={"classes": classifier.classes, "choice": classifier.choice}), step=False
        )
        self.apply(subject, classifier, str(folder))
        return True

    def cancel(self) -> None:
        """Leave what is being worked on."""
        self._cancel.set()
        self._asked += 1
        self._end()

    def close(self) -> None:
        """Write marks that are not written yet, and end what is worked on."""
        self._cancel.set()
        self._asked += 1
        self._aside.close()
        self._main.close()
        self._looker.close()
        self.sheets.close()

    def _begin(self, subject: Subject, work: Callable[[Progress], Result | None], check: Callable[[], None]) -> None:
        try:
            check()
        except AitrainError as error:
            self.failed.emit(error)
            return
        self._cancel.set()
        self._cancel = threading.Event()
        self._asked += 1
        asked, self.busy = self._asked, True

        def progress(done: int, total: int, what: str) -> None:
            self._main.post(lambda: self.progress.emit(done, total, what) if asked == self._asked else None)

        progress(0, 0, "measuring")
        self._aside.run(
            lambda: work(progress),
            lambda result: self._on_done(asked, subject, result),
            lambda error: self._on_failed(asked, error),
        )

    def _table(
        self, subject: Subject, model: str, progress: Progress, dims: Literal[2, 3] | None = None
    ) -> FeatureTable | None:
        """Measure; in the thread that works."""
        image = subject.image_volume()
        which = (subject.key, "" if image is None else subject.image.name, model, dims)
        stamp, known = subject.stamp(), self._known.get(which)
        if known is not None and known.stamp == stamp:
            return known.table
        cancel = self._cancel
        labels = subject.labels_volume() if subject.kind == "objects" else None
        boxes = subject.regions() if subject.kind == "boxes" else None
        if not model:
            table = measure(labels, boxes, image, How(dims=dims), progress, cancel.is_set)
        else:
            if image is None:
                raise NotReadyError("a model looks at an image, and none is chosen", "an image", "choose the image")
            found = self._looker.table(labels, boxes, image, model, dims, cancel.is_set, progress)
            if found is None:
                return None
            table = found
        self._known[which] = _Known(stamp, table)
        return table

    def _on_done(self, asked: int, subject: Subject, result: Result | None) -> None:
        if asked != self._asked:
            return
        self._end()
        if result is not None:
            self._results[subject.key] = result
            self.classified.emit(subject.key)

    def _on_failed(self, asked: int, error: AitrainError) -> None:
        if asked == self._asked:
            self._end()
            self.failed.emit(error)

    def _end(self) -> None:
        self.busy = False
        self.ended.emit()


def _check(sheet: MarkSheet, answers: dict[int, tuple[int, ...]]) -> None:
    """Raise before anything is measured where that would be for nothing."""
    if not sheet.marks:
        raise NotReadyError(
            "nothing is marked yet",
            "a few marks of each class",
            "press Click objects, choose a class with its number key, and click objects of it; then those of another",
        )
    if not answers:
        raise NotReadyError(
            "the objects that were marked have gone", "marks of objects that are there", "mark some objects anew"
        )
