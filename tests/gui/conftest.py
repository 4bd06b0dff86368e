"""A real napari window for every test of the GUI; an X server is started where none is running."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from napari_aitrain.jobs import Worker
from napari_aitrain.jobs.lock import living_owner
from napari_aitrain.jobs.registry import known_folders

# napari comes with the extra 'all', pytest-qt with 'test'. A skip raised here would skip every other test as well.
collect_ignore_glob = [] if find_spec("napari") and find_spec("pytestqt") else ["test_*.py"]

_NO_DISPLAY = "no display: set DISPLAY, or install Xvfb (and Mesa for OpenGL)"
_SIZE = (1366, 768)


def _end_with_parent() -> None:
    """Have the kernel end this process when the tests have ended: Qt aborts if its X server goes first."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _start_xvfb() -> None:
    """Start a virtual X server if this machine needs one and has it, and set DISPLAY.

    Workers of pytest-xdist need one each: there is one pointer on a screen.
    """
    shared = "PYTEST_XDIST_WORKER" in os.environ
    there = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not sys.platform.startswith("linux") or (there and not shared):
        return
    if not (program := shutil.which("Xvfb")):
        return
    end, other = os.pipe()
    screen = ["-screen", "0", f"{_SIZE[0]}x{_SIZE[1]}x24", "-nolisten", "tcp"]
    subprocess.Popen(
        [program, "-displayfd", str(other), *screen],
        pass_fds=[other],
        stderr=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,
    )
    os.close(other)
    with os.fdopen(end) as answer:
        number = answer.readline().strip()
    if number:
        os.environ["DISPLAY"] = f":{number}"
        os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")


# Before any import of Qt or of napari's settings.
os.environ["NAPARI_CONFIG"] = ""
_start_xvfb()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    headless = sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    for item in items:
        if headless and "viewer" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=_NO_DISPLAY))


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("window") / "home"


@pytest.fixture(autouse=True)
def home(_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Jobs, models and projects lie in a folder that is empty before each test: always the same, for the workers."""
    monkeypatch.setenv("AITRAIN_HOME", str(_home))
    yield _home
    # A test that failed may have left a training that has nobody to stop it.
    for folder in known_folders():
        owner = living_owner(folder)
        process = None if owner is None else owner.process()
        if process is not None and process.pid != os.getpid():
            process.kill()
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _spare_workers() -> Iterator[list[Any]]:
    """Warm workers that a window has left, for the next: to start one costs seconds."""
    spare: list[Any] = []
    yield spare
    for process in spare:
        Worker.discard(process)


@pytest.fixture(autouse=True)
def share_workers(_spare_workers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a window take over the idle worker of the window before, unless a test gives it other workers."""
    from napari_aitrain.gui.jobs import center
    from napari_aitrain.gui.jobs.workers import Workers

    class Shared(Worker):
        def __init__(self, job: Any = None, **options: Any) -> None:
            kept = _spare_workers.pop() if job is None and _spare_workers else None
            if kept is not None and kept.alive:
                self.__dict__.update(kept.__dict__, job=None)
            else:
                super().__init__(job, **options)

        def discard(self) -> None:
            if _spare_workers or not self.alive:
                super().discard()
                return
            # Tests look for threads that windows have left.
            self._ear._thread.name = "spare"  # type: ignore[union-attr]
            _spare_workers.append(self)

    monkeypatch.setattr(center, "Workers", lambda make: Workers(Shared if make is Worker else make))


@pytest.fixture
def shown() -> bool:
    """Whether `viewer` is on screen; tests that look at no pixel are faster without."""
    return True


@pytest.fixture
def viewer(make_napari_viewer: Any, shown: bool) -> Iterator[Any]:
    """A napari viewer of 1366×768; its session, if a test made one, is closed first."""
    # Each window leaves some 5,000 objects of napari's menus behind; collecting garbage looks at all of them each time.
    gc.freeze()
    viewer = make_napari_viewer(show=shown)
    viewer.window._qt_window.resize(*_SIZE)
    yield viewer
    from napari_aitrain.gui import session as sessions

    made = sessions._sessions.pop(viewer, None)
    if made is not None:
        made.jobs.keep_running = False
        made.close()


@pytest.fixture
def session(viewer: Any) -> Any:
    """The session of `viewer`."""
    from napari_aitrain.gui.session import session_of

    return session_of(viewer)


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Return a function that runs the event loop until a predicate gives something true, and returns that."""
    from qtpy.QtWidgets import QApplication

    def wait(predicate: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
        end = time.monotonic() + timeout
        while not (result := predicate()):
            if time.monotonic() > end:
                pytest.fail(f"waited {timeout} s for {what or predicate}")
            QApplication.processEvents()
            time.sleep(0.002)
        return result

    return wait


class Hand:
    """A person's hand at the mouse: real events of Qt, as the window gets them."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    @property
    def canvas(self) -> Any:
        """The widget that shows the layers."""
        return self._viewer.window._qt_window._qt_viewer.canvas.native

    def click(self, widget: Any) -> None:
        """Press a button that can be pressed."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QApplication

        assert widget.isEnabled(), widget
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def drag(self, *points: Any) -> None:
        """Drag over the canvas through points of the displayed axes, in world units."""
        scene = self._viewer.window._qt_window._qt_viewer.canvas.view.scene
        self.drag_on(self.canvas, *(scene.transform.map([x, y, 0, 1])[:2] for y, x in points))

    def drag_on(self, widget: Any, *places: Any) -> None:
        """Drag over a widget through places in its pixels, x before y."""
        from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QApplication

        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        path = [QPoint(round(float(x)), round(float(y))) for x, y in places]
        QTest.mousePress(widget, left, none, path[0])
        for point in path[1:]:
            where, globally = QPointF(point), QPointF(widget.mapToGlobal(point))
            QApplication.sendEvent(widget, QMouseEvent(QEvent.Type.MouseMove, where, globally, left, left, none))
            QApplication.processEvents()
        QTest.mouseRelease(widget, left, none, path[-1])
        QApplication.processEvents()

    def pixels(self) -> Any:
        """Return the pixels that the canvas shows now, height × width × 4."""
        return self._viewer.screenshot(canvas_only=True, flash=False)


@pytest.fixture
def hand(viewer: Any) -> Hand:
    """Return the hand at the mouse of `viewer`."""
    return Hand(viewer)
