"""Connects layers, marks and classifiers of a session to the Classify dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...classification.marks import Kind, MarkSheet, hint
from ...errors import AitrainError
from ...models import starter_folder, starter_names
from ..notify import inform, report, reported
from ..review.prediction import BINS
from ..train.models import known_models
from .class_table import ClassRow
from .files import ClassifyFiles
from .shown import ClassLayer, give_features, numbers_of
from .subject import Subject, subject_of
from .telling import counts_of, told_of
from .tool import ClassTool
from .view import ClassifyView

if TYPE_CHECKING:
    from ..session import Session
    from .classifying import Result


class ClassifyController:
    """What the dock does.

    Parameters
    ----------
    session : Session
        Of the window.
    view : ClassifyView
        What it is shown in.
    """

    def __init__(self, session: Session, view: ClassifyView) -> None:
        self._session, self._view, self._viewer = session, view, session.viewer
        self._work = session.classifying
        self._names = ("", "")
        self._model = ""
        self._class = 0
        self._closed = False
        self.shown = ClassLayer(self._viewer)
        self.tool = ClassTool(session, self._on_click, self._on_key)
        self.files = ClassifyFiles(self._work, view, lambda: self.subject, lambda: self._model)
        self._connect_view()
        layers = self._viewer.layers.events
        self._events = [(layers.inserted, self.refresh), (layers.removed, self.refresh), (layers.renamed, self.refresh)]
        for event, slot in self._events:
            event.connect(slot)
        session.boxes.changed.connect(self._on_boxes)
        self._work.sheets.changed.connect(self._on_sheet)
        self._work.classified.connect(self._on_classified)
        self._work.failed.connect(self._on_failed)
        self._work.progress.connect(self._on_progress)
        self._work.ended.connect(self._on_ended)
        self.tool.active_changed.connect(lambda on: view.set_tool(on, view.kind))
        starters = [(name, str(starter_folder(name))) for name in starter_names()]
        view.set_models([(name, str(folder)) for name, folder in known_models(session.jobs)] + starters, "")
        self.refresh()

    def _connect_view(self) -> None:
        view = self._view
        view.kind_chosen.connect(lambda _: self._choose())
        view.labels_chosen.connect(lambda name: self._choose(labels=name))
        view.image_chosen.connect(lambda name: self._choose(image=name))
        view.model_chosen.connect(lambda folder: setattr(self, "_model", folder))
        view.choice_chosen.connect(
            self._with_subject(lambda subject, choice: self._work.sheets.set_choice(subject, choice))
        )
        view.tool_toggled.connect(lambda on: self.tool.start() if on else self.tool.stop())
        view.undo_pressed.connect(self._with_subject(lambda subject: self._work.sheets.undo(subject)))
        view.train_pressed.connect(self._with_subject(lambda subject: self._work.train(subject, self._model)))
        view.cancel_pressed.connect(self._work.cancel)
        view.save_pressed.connect(self.files.ask_to_save)
        view.apply_pressed.connect(self.files.ask_to_apply)
        view.export_pressed.connect(self.files.ask_to_export)
        view.sure.valueChanged.connect(lambda _: self._show())
        table = view.table
        table.chosen.connect(self._on_chosen)
        table.add_pressed.connect(self._with_subject(self._add))
        table.remove_pressed.connect(self._with_subject(lambda s, number: self._work.sheets.remove_class(s, number)))
        table.renamed.connect(
            self._with_subject(lambda s, number, name: self._work.sheets.change_class(s, number, name=name))
        )
        table.recoloured.connect(
            self._with_subject(lambda s, number, color: self._work.sheets.change_class(s, number, color=color))
        )

    @property
    def subject(self) -> Subject | None:
        """What is classified; None where there is nothing."""
        kind: Kind = "objects" if self._view.kind == "objects" else "boxes"
        return subject_of(self._session, kind, *self._names)

    def refresh(self, *_: object) -> None:
        """Offer the layers there are."""
        layers = [layer for layer in self._viewer.layers if layer is not self.shown.layer]
        labels = [layer.name for layer in layers if layer._type_string == "labels"]
        images = [layer.name for layer in layers if layer._type_string == "image"]
        own, image = self._names
        active = self._viewer.layers.selection.active
        if own not in labels:
            own = active.name if active in layers and active.name in labels else (labels[-1] if labels else "")
        if image not in images:
            image = images[-1] if images else ""
        before, self._names = self._names, (own, image)
        self._view.set_layers(labels, images, self._names)
        if before != self._names:
            self._choose()

    def close(self) -> None:
        """Follow the session no longer, and take the classes away."""
        if not self._closed:
            self.let_go()
            self.shown.remove()

    def let_go(self) -> None:
        """Follow the session no longer; for when the window has gone."""
        if self._closed:
            return
        self._closed = True
        self.tool.stop()
        for event, slot in self._events:
            event.disconnect(slot)
        self._session.boxes.changed.disconnect(self._on_boxes)
        followed: tuple[tuple[Any, Any], ...] = (
            (self._work.sheets.changed, self._on_sheet), (self._work.classified, self._on_classified),
            (self._work.failed, self._on_failed), (self._work.ended, self._on_ended),
            (self._work.progress, self._on_progress),
        )  # fmt: skip
        for signal, slot in followed:
            signal.disconnect(slot)

    def _with_subject(self, do: Any) -> Any:
        """Return a slot that does something with the subject, and tells expected trouble."""

        def slot(*arguments: Any) -> None:
            subject = self.subject
            if subject is not None:
                with reported():
                    do(subject, *arguments)

        return slot

    def _choose(self, labels: str | None = None, image: str | None = None) -> None:
        self._names = (labels or self._names[0], image or self._names[1])
        self._view.set_tool(self.tool.active, self._view.kind)
        layers = self._viewer.layers
        names = {kind: [one.name for one in layers if one._type_string == kind and one is not self.shown.layer]
                 for kind in ("labels", "image")}  # fmt: skip
        self._view.set_layers(names["labels"], names["image"], self._names)
        subject = self.subject
        self.shown.remove()
        if subject is not None:
            with reported():
                self._show_sheet(subject)
                self._work.apply_own(subject)
                self._show_result(subject, self._work.result(subject))

    def _add(self, subject: Subject) -> None:
        self._class = self._work.sheets.add_class(subject).id
        self._show_sheet(subject)

    def _on_chosen(self, number: int) -> None:
        self._class = number
        subject = self.subject
        if subject is not None and self._work.sheets.get(subject).choice == "multi":
            self._show()

    def _on_click(self, event: Any, forget: bool) -> None:
        subject = self.subject
        if subject is None:
            return
        with reported():
            mark = subject.at(event)
            if mark is None:
                inform("There is no box under the cursor." if subject.kind == "boxes" else "There is no object there.")
            elif forget:
                self._work.sheets.mark(subject, mark, None)
            elif not self._class:
                inform("Choose a class first: its number is its key.")
            else:
                self._work.sheets.mark(subject, mark, self._class)

    def _on_key(self, number: int) -> None:
        subject = self.subject
        if subject is None:
            return
        if number < 0:
            self._work.sheets.undo(subject)
            return
        sheet = self._work.sheets.get(subject)
        if number == 0:
            self._none_at_cursor(subject, sheet)
        elif number <= len(sheet.classes):
            self._class = sheet.classes[number - 1].id
            self._show_sheet(subject)
            self._show()

    def _none_at_cursor(self, subject: Subject, sheet: MarkSheet) -> None:
        """Say that what is under the cursor has no attribute; with classes forget it."""
        with reported():
            mark = subject.at(_At(self._viewer.cursor.position))
            if mark is not None:
                self._work.sheets.mark(subject, mark, 0 if sheet.choice == "multi" else None)

    def _on_boxes(self, *_: object) -> None:
        if self._view.kind == "boxes":
            self._show()

    def _on_sheet(self, key: str) -> None:
        subject = self.subject
        if subject is not None and subject.key == key:
            self._tell(subject)
            self._show_sheet(subject)
            self._show()

    def _on_classified(self, key: str) -> None:
        subject = self.subject
        if subject is not None and subject.key == key:
            self._show_result(subject, self._work.result(subject))

    def _on_failed(self, error: AitrainError) -> None:
        report(error)

    def _on_progress(self, done: int, total: int, _what: str) -> None:
        self._view.set_busy(True, done, total)

    def _on_ended(self) -> None:
        self._view.set_busy(False)

    def _show_sheet(self, subject: Subject) -> None:
        sheet, result = self._work.sheets.get(subject), self._work.result(subject)
        known = [one.id for one in sheet.classes]
        if self._class not in known:
            self._class = known[0] if known else 0
        marked = sheet.counts()
        found = {} if result is None else counts_of(result, self._view.sure.value())
        rows = [
            ClassRow(one.id, one.name, one.color, marked[one.id], f"{found[one.id]:,}" if one.id in found else "")
            for one in sheet.classes
        ]
        self._view.set_choice(sheet.choice)
        self._view.table.set_rows(rows, self._class)
        self._view.undo.setEnabled(self._work.sheets.can_undo(subject))
        self._view.hint.setText(hint([(row.name, row.marked) for row in rows], sheet.choice))

    def _show_result(self, subject: Subject, result: Result | None) -> None:
        self._tell(subject)
        if result is not None:
            give_features(subject, result)
        self._show_sheet(subject)
        self._show()

    def _tell(self, subject: Subject) -> None:
        result = self._work.result(subject)
        self._view.set_result(
            "" if result is None else told_of(result, self._work.sheets.get(subject)), result is not None
        )

    def _show(self) -> None:
        """Show classes as marks, classifier and threshold say."""
        subject = self.subject
        if subject is None:
            self.shown.remove()
            return
        with reported():
            sheet, result = self._work.sheets.get(subject), self._work.result(subject)
            answers, _ = sheet.resolved(subject.id_of)
            attribute = self._class if sheet.choice == "multi" else None
            found = None if result is None else result.found
            if found is not None and (
                found.choice != sheet.choice or (attribute and attribute not in [one.id for one in found.classes])
            ):
                found = None
            if found is None and not answers:
                self.shown.remove()
                return
            colours = {one.id: one.color for one in (*(found.classes if found else ()), *sheet.classes)}
            unsure = max(colours, default=0) + 1
            threshold = self._view.sure.value()
            self.shown.show(subject, numbers_of(found, answers, threshold, attribute, unsure), colours, unsure)
            if found is not None:
                _, sure = found.best(attribute)
                self._view.sure.set_histogram(np.histogram(sure, BINS, (0, 1))[0].tolist())
                self._show_sheet(subject)


class _At:
    """A place that is asked for as that of an event."""

    def __init__(self, position: Any) -> None:
        self.position = position
