"""The loop that the program is for, with real mouse events and real trainings; and nothing is left behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import psutil
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAbstractButton, QApplication, QMessageBox

from napari_aitrain.gui.jobs import center as center_module
from napari_aitrain.gui.jobs.waiting import WaitDialog
from napari_aitrain.gui.jobs.workers import Workers
from napari_aitrain.gui.session import session_of
from napari_aitrain.jobs.lock import living_owner

pytestmark = pytest.mark.timeout(900)
PLUGIN = "napari-aitrain"
QUICK = {"name": "discs", "batch_size": 2, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small",
         "threads": 1, "device": "cpu", "preview_interval": 0.5}  # fmt: skip
CENTRES = [(y, x) for y in (20, 48, 76) for x in (20, 48, 76, 130)]
RADIUS = 9


def discs() -> np.ndarray:
    """Bright discs on a dark ground."""
    image = np.random.default_rng(0).normal(40, 6, (96, 152))
    y, x = np.indices(image.shape)
    for cy, cx in CENTRES:
        image[np.hypot(y - cy, x - cx) <= RADIUS] += 120
    return image.clip(0, 255).astype(np.uint8)


class Ours:
    """What of this package is alive now."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = set(threading.enumerate())
        self.children = {child.pid for child in psutil.Process().children(recursive=True)}
        self.windows = {id(widget) for widget in QApplication.topLevelWidgets()}
        self.timers = {id(each) for each in gc.get_objects() if isinstance(each, QTimer)}

    def left(self) -> list[Any]:
        """Return what came to be since, and is still there."""
        gc.collect()
        QApplication.processEvents()
        # zarr keeps a pool of its own.
        threads = [one for one in threading.enumerate() if one not in self.threads]
        threads = [one for one in threads if not one.name.startswith(("zarr", "asyncio"))]
        children = [one for one in psutil.Process().children(recursive=True) if one.pid not in self.children]
        windows = [one for one in QApplication.topLevelWidgets() if id(one) not in self.windows and _is_ours(one)]
        timers = [one for one in gc.get_objects() if isinstance(one, QTimer) and id(one) not in self.timers]
        return [*threads, *children, *windows, *(one for one in timers if _ticks(one))]


def _is_ours(widget: Any) -> bool:
    try:
        inner = [widget, *widget.findChildren(object)]
    except RuntimeError:  # its C++ half is gone
        return False
    return any(type(one).__module__.startswith("napari_aitrain") for one in inner)


def _ticks(timer: QTimer) -> bool:
    try:
        return timer.isActive()
    except RuntimeError:
        return False


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people are told of jobs."""
    messages: list[str] = []
    monkeypatch.setattr(center_module, "report", lambda error: messages.append(str(error)))
    # No process is to be left, not even one for the next test.
    monkeypatch.setattr(center_module, "Workers", Workers)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return messages


@pytest.fixture
def before(make_napari_viewer: Any) -> Ours:
    """What was there before the window; napari itself keeps a few threads and timers."""
    return Ours()


def press_stop_in_the_question() -> None:
    """Answer what is asked at closing, with the mouse."""
    question = QApplication.activeModalWidget()
    if not isinstance(question, QMessageBox):
        assert question is None or isinstance(question, WaitDialog)
        return
    next(one for one in question.findChildren(QAbstractButton) if one.text() == "Stop them").click()


def test_paint_train_look_correct_and_train_again(
    before: Ours, viewer: Any, hand: Any, wait_for: Any, told: Any
) -> None:
    session = session_of(viewer)
    docks = {
        name: viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        for name in ("Annotate", "Train", "Jobs", "Review")
    }

    def turn_to(name: str) -> Any:
        bar, inner = docks[name]
        bar.raise_()
        wait_for(inner.isVisible)
        return inner

    viewer.add_image(discs(), name="discs")
    viewer.reset_view()

    # Paint what lies in a box.
    annotate = turn_to("Annotate")
    hand.click(annotate.truth_view.new)
    hand.click(annotate.box_view.draw)
    hand.drag((2, 2), (50, 50), (93, 93))
    assert len(session.boxes) == 1
    labels = session.truths.layer(session.truths.current)
    labels.brush_size = 2 * RADIUS
    for y, x in CENTRES:
        if x < 93:
            hand.click(annotate.class_view.next)
            hand.drag((y - 1, x), (y, x), (y + 1, x))
    painted = labels.data.copy()
    assert len(np.unique(painted)) == 1 + 9

    # Train, and see what comes of it.
    train = turn_to("Train")
    train.view.form.setValue(QUICK | {"steps": 1_000_000})
    wait_for(train.view.start.isEnabled, 300, "readiness")
    hand.click(train.view.start)
    review = turn_to("Review")
    predictions, jobs = session.predictions, session.jobs

    def something_is_found() -> bool:
        assert told == []
        shown = predictions.current
        # Step 0 is what strokes alone tell, before the network has learned.
        return shown is not None and (shown.step or 0) > 0 and predictions.histogram().sum() >= 6

    wait_for(something_is_found, 300, "a prediction")
    (job,) = jobs.all()
    assert predictions.current.model == job.path
    assert "Prediction" in viewer.layers

    # The threshold is a look-up: what is on screen changes with the drag.
    hand.click(review.view.live)
    slider = review.view.threshold.slider
    shown = predictions.current
    hand.drag_on(slider, (slider.width() // 2, 60), (8, 60))
    everything = hand.pixels()
    assert len(np.unique(np.asarray(shown.data))) > 6
    hand.drag_on(slider, (8, 60), (slider.width() // 2, 60), (slider.width() - 8, 60))
    assert predictions.threshold == 1
    nothing = hand.pixels()
    assert predictions.current is shown
    changed = (everything != nothing).any(axis=-1)
    assert changed.mean() > 0.02
    hand.drag_on(slider, (slider.width() - 8, 60), (8, 60))
    assert np.array_equal(hand.pixels(), everything)

    # Stop, go on, and be killed.
    view = turn_to("Jobs").view
    worker = living_owner(job.path).pid
    hand.click(view.buttons["stop"])
    wait_for(lambda: not jobs.running(), 200, "the end")
    assert jobs.state(job) == "stopped"
    step = jobs.digest(job).step
    hand.click(view.buttons["resume"])
    wait_for(lambda: jobs.digest(job).step > step, 300, "more steps")
    # The warm worker goes on, instead of another that has to start first.
    assert living_owner(job.path).pid == worker
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not jobs.running(), 200, "the death")
    assert view.table.item(0, 1).text() == "interrupted"
    assert "Resume" in view.trouble.text()
    assert view.buttons["resume"].isEnabled()
    assert len(told) == 1

    # Take over what is right in another box, think again, and train on.
    turn_to("Annotate")
    hand.click(annotate.box_view.draw)
    hand.drag((2, 112), (50, 130), (93, 149))
    turn_to("Review")
    hand.click(review.view.object.buttons["box"])
    accepted = labels.data.copy()
    assert len(np.unique(accepted)) > len(np.unique(painted))
    assert np.array_equal(accepted[:, :93], painted[:, :93])
    labels.undo()
    assert np.array_equal(labels.data, painted)
    labels.redo()
    hand.click(review.view.again)
    wait_for(lambda: len(jobs.all()) == 2, 200, "another job")
    second = jobs.all()[0]
    wait_for(lambda: jobs.digest(second).step > 0, 300, "its steps")
    assert second.config().start_from == str(job.path)
    assert len(second.config().sources[0].boxes) == 2
    assert len(told) == 1

    # The window is closed, and asks what becomes of the training.
    asked = QTimer()
    asked.timeout.connect(press_stop_in_the_question)
    asked.start(20)
    get_settings().application.confirm_close_window = False
    # As napari's menu does; a script is not asked.
    viewer.window._qt_window.close(confirm_need=True)
    asked.stop()
    wait_for(lambda: second.state() == "stopped", 200, "the end of the training")
    end = time.monotonic() + 20
    while before.left() and time.monotonic() < end:
        QApplication.processEvents()
    assert before.left() == []
    # As napari does when it closes a window itself: the fixture closes it no second time.
    del viewer.window._qt_window
