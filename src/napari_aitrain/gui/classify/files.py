"""The files of the Classify dock: classifiers that are saved and applied, and tables that are exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from ...classification.classifier import SUFFIX, read_classifier
from ...classification.table import PRECISE
from ...classification.writing import columns_of
from ...errors import ConfigError
from ...inference.tables import write_table
from ..notify import reported
from .subject import Subject
from .view import ClassifyView

if TYPE_CHECKING:
    from .classifying import Classifying


class ClassifyFiles:
    """Asks for files, reads and writes them.

    Parameters
    ----------
    work : Classifying
        What is known of classes.
    view : ClassifyView
        The parent of what asks; it knows the threshold.
    subject : callable
        Gives what is classified; None where there is nothing.
    model : callable
        Gives the folder of the model that also looks at objects; empty for none.
    """

    def __init__(
        self, work: Classifying, view: ClassifyView, subject: Callable[[], Subject | None], model: Callable[[], str]
    ) -> None:
        self._work, self._view, self._subject, self._model = work, view, subject, model

    def ask_to_save(self) -> None:
        """Ask for a file, and keep the classifier of the subject there."""
        subject = self._subject()
        result = None if subject is None else self._work.result(subject)
        if subject is None or result is None:
            return
        path = self._asked_path("Save the classifier", f"{subject.name}{SUFFIX}", f"Classifier (*{SUFFIX})")
        if path is not None:
            names = {one.id: one.name for one in self._work.sheets.get(subject).classes}
            with reported():
                classifier = result.classifier.renamed(names).model_copy(update={"name": path.name.split(".")[0]})
                classifier.save(path if path.name.endswith(".json") else path.with_name(path.name + SUFFIX))

    def ask_to_apply(self) -> None:
        """Ask for a classifier, and classify by it."""
        subject = self._subject()
        if subject is None:
            return
        chosen, _ = QFileDialog.getOpenFileName(self._view, "Apply a classifier", "", "Classifier (*.json)")
        if chosen:
            self.apply(Path(chosen))

    def apply(self, path: Path) -> None:
        """Classify by a classifier that was saved; its classes are taken over where nothing is marked yet."""
        subject = self._subject()
        if subject is None:
            return
        with reported():
            classifier = read_classifier(path)
            if classifier.kind != subject.kind:
                raise ConfigError(
                    f"{path.name} was trained on {classifier.kind}", classifier.kind, f"choose {classifier.kind} above"
                )
            sheet = self._work.sheets.get(subject)
            if not sheet.marks:
                self._work.sheets.set(
                    subject, sheet.model_copy(update={"classes": classifier.classes, "choice": classifier.choice})
                )
            self._work.apply(subject, classifier, self._model())

    def ask_to_export(self) -> None:
        """Ask for a file, and write the table there."""
        subject = self._subject()
        result = None if subject is None else self._work.result(subject)
        if subject is None or result is None:
            return
        path = self._asked_path("Export the table", f"{subject.name}.csv", "Tables (*.csv *.parquet)")
        if path is not None:
            self.export(path)

    def export(self, path: Path) -> None:
        """Write classes, probabilities and features of all objects as CSV or Parquet."""
        subject = self._subject()
        result = None if subject is None else self._work.result(subject)
        if result is None:
            return
        with reported():
            if path.suffix not in (".csv", ".parquet"):
                path = path.with_name(path.name + ".csv")
            columns = columns_of(result.table, result.found, self._view.sure.value())
            write_table(path, columns, significant=PRECISE)

    def _asked_path(self, title: str, name: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(self._view, title, name, kinds)
        return Path(chosen) if chosen else None
