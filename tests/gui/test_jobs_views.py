"""What the Jobs dock shows, alone, with a fake of the view's controller, and what it asks at close."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psygnal import Signal
from qtpy.QtCore import QPointF, Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QMessageBox, QWidget

from napari_aitrain.gui.jobs import closing, waiting
from napari_aitrain.gui.jobs.digest import Digest, LogLine
from napari_aitrain.gui.jobs.follower import News
from napari_aitrain.gui.jobs.log_view import LogView
from napari_aitrain.gui.jobs.table import JobRow, JobTable
from napari_aitrain.gui.jobs.troubles import what_is_wrong
from napari_aitrain.gui.jobs.view import JobsView
from napari_aitrain.jobs import Event, JobFolder


def event(kind: str, **data: Any) -> Event:
    return Event(1, 0.0, kind, data)


def test_digest_gathers_progress_curves_and_log() -> None:
    digest = Digest(
        [
            event("state", state="running"),
            event("progress", step=4, loss=0.5, seconds=10.0, fraction=0.25, best=None),
            event("metrics", step=4, validation={"score": 0.7}),
            event("warning", message="few labels"),
            event("rubbish", step="x"),
        ]
    )
    assert (digest.step, digest.losses, digest.scores) == (4, [(4.0, 0.5)], [(4.0, 0.7)])
    assert (digest.percent(), digest.time_left(), digest.best) == (25, "30 s", 0.7)
    assert [(line.level, line.text) for line in digest.lines] == [("info", "Training."), ("warning", "few labels")]
    digest.take(event("failed", error="StorageError", what="the disk is full", expected="", remedy="free some space"))
    assert digest.failure == "The disk is full\nFree some space"


def test_digest_of_a_prediction_counts_blocks() -> None:
    digest = Digest([event("progress", done=3, total=4, stage="network", seconds=6.0)])
    assert (digest.percent(), digest.stage, digest.losses) == (75, "network", [])


def test_table_keeps_the_selection_when_rows_come_and_go(qtbot: Any) -> None:
    table = JobTable()
    qtbot.addWidget(table)
    chosen: list[str] = []
    table.valueChanged.connect(chosen.append)
    table.set_rows([JobRow("a", "one", "running", 50), JobRow("b", "two", "done")])
    table.setValue("b")
    table.set_rows([JobRow("c", "three", "queued"), JobRow("a", "one", "running"), JobRow("b", "two", "done")])
    assert (table.value(), chosen) == ("b", ["b"])
    table.set_row(JobRow("b", "two", "failed", tooltip="why"))
    assert table.item(2, 1).text() == "failed"
    assert table.item(2, 0).toolTip() == "why"
    table.set_rows([JobRow("a", "one", "running")])
    assert (table.value(), chosen) == ("", ["b", ""])


def test_log_is_filtered_and_whole_when_saved(qtbot: Any) -> None:
    log = LogView()
    qtbot.addWidget(log)
    log.setValue([LogLine(0, "info", "Training."), LogLine(0, "warning", "Few labels")])
    qtbot.keyClicks(log.filter, "few")
    assert "Few labels" in log.text.toPlainText()
    assert "Training" not in log.text.toPlainText()
    log.append(LogLine(0, "error", "A few errors"))
    assert "A few errors" in log.text.toPlainText()
    log.level.setCurrentText("errors")
    assert "Few labels" not in log.text.toPlainText()
    assert log.value().count("\n") == 3


def test_curves_show_what_is_under_the_cursor_and_a_logarithmic_axis(qtbot: Any) -> None:
    from napari_aitrain.gui.jobs.curves import Curves

    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(380, 300)
    curves.show()
    curves.setValue([(1, 2.0), (10, 1.0), (20, 0.5)], [(10, 0.25), (20, 0.75)])
    assert curves.values.text() == "step 20   loss 0.500   validation 0.750"
    view_box = curves._loss.vb
    qtbot.waitUntil(lambda: view_box.viewRange()[0][1] > 15)
    curves._on_mouse(view_box.mapViewToScene(QPointF(9, 1.0)))
    assert "loss 1.000" in curves.values.text()
    qtbot.mouseClick(curves.log, Qt.MouseButton.LeftButton, pos=curves.log.rect().center())
    curves.log.setChecked(True)
    assert curves._loss.getAxis("left").logMode


def test_buttons_say_what_was_pressed_and_curves_load_with_the_first_points(qtbot: Any) -> None:
    view = JobsView()
    qtbot.addWidget(view)
    view.show()
    pressed: list[str] = []
    view.pressed.connect(pressed.append)
    view.set_empty(True)
    assert view.empty.isVisible() and not view.table.isVisible()
    view.set_empty(False)
    view.set_actions(frozenset({"stop"}))
    qtbot.mouseClick(view.buttons["stop"], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(view.buttons["pause"], Qt.MouseButton.LeftButton)
    assert pressed == ["stop"]
    view.set_curves([], [])
    assert view.curves is None
    view.set_curves([(1, 1.0)], [])
    qtbot.waitUntil(lambda: view.curves is not None)
    assert view.curves is not None and view.curves.value() == ([(1, 1.0)], [])
    assert all(button.toolTip() for button in view.buttons.values())


class FakeCenter:
    """One job, ``a``; told to stop, it saves its model and ends."""

    changed, removed = Signal(JobFolder), Signal(Path)

    def __init__(self, state: str = "running", ends: bool = True) -> None:
        self._job, self._state, self._ends = JobFolder(Path("a")), state, ends
        self.keep_running = True
        self.seen: list[str] = []

    def running(self) -> list[JobFolder]:
        return [self._job] if self._state != "stopped" else []

    def state(self, _job: JobFolder) -> str:
        return self._state

    def preparing(self, _job: JobFolder) -> bool:
        return self._state == "preparing"

    def stop(self, _job: JobFolder) -> None:
        if self._ends:
            QTimer.singleShot(0, lambda: self.turn("stopping"))
            QTimer.singleShot(1, lambda: self.turn("stopped"))

    def turn(self, state: str) -> None:
        self._note()
        self._state = state
        self.changed.emit(self._job)

    def _note(self) -> None:
        dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, waiting.WaitDialog)]
        self.seen += [one.text.text() for one in dialogs if one.isVisible()]


class Window(QWidget):
    """Closed as napari's is: by its menu with a request to confirm, by a script without."""

    def close(self, confirm_need: bool = False) -> bool:
        return super().close()


class Cross(QCloseEvent):
    """What the × of a window sends."""

    def spontaneous(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "keeps"), [("keep", True), ("stop", False)])
def test_closing_asks_what_becomes_of_running_jobs(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, answer: str, keeps: bool
) -> None:
    center, window = FakeCenter(), Window()
    qtbot.addWidget(window)
    window.show()
    closing.CloseQuestion(window, center)  # type: ignore[arg-type]
    answers = ["cancel", answer]
    monkeypatch.setattr(closing, "ask", lambda _window, names: answers.pop(0) if names == ["a"] else "")
    window.close(confirm_need=True)
    assert window.isVisible()
    window.close(confirm_need=True)
    assert not window.isVisible()
    assert bool(center.running()) is keeps
    assert center.seen == ([] if keeps else ["a ends its last step.", "a is saving its checkpoint and its model."])


def test_closing_waits_until_what_keeps_running_is_prepared(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    center, window = FakeCenter("preparing"), Window()
    qtbot.addWidget(window)
    window.show()
    closing.CloseQuestion(window, center)  # type: ignore[arg-type]
    monkeypatch.setattr(closing, "ask", lambda _window, _names: "keep")
    QTimer.singleShot(0, lambda: center.turn("running"))
    window.close(confirm_need=True)
    assert not window.isVisible()
    assert center.seen == ["a is being prepared: its boxes are copied."]


def test_closing_does_not_wait_for_ever_nor_longer_than_a_person(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for patience, press in ((0.01, False), (3600.0, True)):
        center, window = FakeCenter(ends=False), Window()
        qtbot.addWidget(window)
        window.show()
        closing.CloseQuestion(window, center)  # type: ignore[arg-type]
        monkeypatch.setattr(waiting, "PATIENCE", patience)
        monkeypatch.setattr(closing, "ask", lambda _window, _names: "stop")
        if press:
            QTimer.singleShot(0, lambda window=window: window.findChild(waiting.WaitDialog).close_now.click())
        window.close(confirm_need=True)
        assert not window.isVisible()
        assert center.running()


def test_a_script_that_closes_the_window_is_not_asked_and_jobs_go_on(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    center, window, asked = FakeCenter(), Window(), []
    qtbot.addWidget(window)
    closing.CloseQuestion(window, center)  # type: ignore[arg-type]
    monkeypatch.setattr(closing, "ask", lambda _window, names: asked.append(names) or "cancel")
    window.show()
    window.close()
    assert (window.isVisible(), asked) == (False, [])
    assert center.running() and center.keep_running
    window.show()
    window.close(confirm_need=True)
    assert (window.isVisible(), asked) == (True, [["a"]])
    cross = Cross()
    QApplication.sendEvent(window, cross)
    assert (cross.isAccepted(), len(asked)) == (False, 2)
    window.close()
    assert (window.isVisible(), len(asked)) == (False, 2)


def test_closing_asks_before_it_ends_what_runs_in_the_window(qtbot: Any) -> None:
    window, ending, asked = Window(), {"folder": "The folder plate is still being segmented."}, []
    qtbot.addWidget(window)
    closing.CloseQuestion(window, FakeCenter("stopped"), ending)  # type: ignore[arg-type]
    window.show()

    def answer(text: str) -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        asked.append(box.text())
        button = next(one for one in box.findChildren(QAbstractButton) if one.text().replace("&", "") == text)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, lambda: answer("Cancel"))
    window.close(confirm_need=True)
    assert window.isVisible()
    QTimer.singleShot(0, lambda: answer("Close napari"))
    window.close(confirm_need=True)
    assert not window.isVisible()
    window.show()
    ending.clear()
    window.close(confirm_need=True)
    assert (window.isVisible(), asked) == (False, ["The folder plate is still being segmented."] * 2)


def test_what_is_wrong_is_told_of_the_end_alone() -> None:
    job = JobFolder(Path("job"))
    failed = event("failed", error="DeviceError", what="no GPU", expected="a GPU", remedy="use the processor")
    assert what_is_wrong(job, News([failed], "failed")) is None
    told = what_is_wrong(job, News([failed], "failed", over=True))
    assert str(told) == "no GPU\nExpected: a GPU\nWhat to do: use the processor"
    assert what_is_wrong(job, News(state="done", over=True)) is None
