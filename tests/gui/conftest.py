"""A real napari window for every test of the GUI; an X server is started where none is running."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

# napari comes with the extra 'all', pytest-qt with 'test'. A skip raised here would skip every other test as well.
collect_ignore_glob = [] if find_spec("napari") and find_spec("pytestqt") else ["test_*.py"]

_NO_DISPLAY = "no display: set DISPLAY, or install Xvfb (and Mesa for OpenGL)"
_SIZE = (1366, 768)


def _end_with_parent() -> None:
    """Have the kernel end this process when the tests have ended: Qt aborts if its X server goes first."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _start_xvfb() -> None:
    """Start a virtual X server if this machine needs one and has it, and set DISPLAY."""
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
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


@pytest.fixture(autouse=True)
def home(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Jobs, models and projects of a test lie in its own folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("AITRAIN_HOME", str(folder))
    return folder


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Iterator[Any]:
    """A shown napari viewer of 1366×768; its session, if a test made one, is closed first."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(*_SIZE)
    yield viewer
    from napari_aitrain.gui import session as sessions

    made = sessions._sessions.pop(viewer, None)
    if made is not None:
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
