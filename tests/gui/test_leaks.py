"""What is left behind when a dock is closed, and when the window is: nothing."""

from __future__ import annotations

import gc
import inspect
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from napari.utils.events import EmitterGroup, EventEmitter
from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from qtpy.QtWidgets import QApplication

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.canvas_tool import alive
from napari_aitrain.gui.session import Session, session_of

NAMES = ("Annotate", "Train", "Jobs", "Review", "Label next")


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def share_workers() -> None:
    """Give every window a worker of its own, that has to go with it."""


def settle() -> None:
    """Have Qt delete what is to be deleted, and Python collect what nobody holds."""
    for _ in range(3):
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()


def signals_of(*holders: Any) -> Iterator[tuple[str, int]]:
    """Yield the signals of objects, napari's and psygnal's, and how many callbacks each has."""
    for holder in holders:
        name = type(holder).__name__
        events = getattr(holder, "events", None)
        if isinstance(events, EmitterGroup):
            yield from ((f"{name}.{key}", len(one.callbacks)) for key, one in events.emitters.items())
            yield f"{name}.events", len(EventEmitter.callbacks.fget(events))  # type: ignore[attr-defined]
        for key in dir(type(holder)):
            if isinstance(inspect.getattr_static(type(holder), key), Signal):
                yield f"{name}.{key}", len(getattr(holder, key))


def callbacks(session: Session) -> dict[str, int]:
    """Return how many listen to what, in a viewer and in its session."""
    viewer, jobs, predictions = session.viewer, session.jobs, session.predictions
    holders = [viewer, viewer.dims, viewer.scene.camera, viewer.cursor, viewer.canvas, viewer.layers]
    holders += [viewer.layers.selection, *viewer.layers, session.boxes, session.truths, session.saver]
    holders += [session.saver.copies, jobs, predictions, predictions.live, predictions.runs, predictions.badge]
    found = dict(signals_of(*holders))
    assert len(found) > 100
    return found | {"mouse": len(viewer.mouse_drag_callbacks) + len(viewer.mouse_move_callbacks)}


def ours_on(viewer: Any) -> list[str]:
    """Return what of this package listens to a viewer and its layers."""
    holders = [viewer, viewer.dims, viewer.scene.camera, viewer.canvas, viewer.layers, viewer.layers.selection]
    found = [*viewer.mouse_drag_callbacks, *viewer.mouse_move_callbacks, *viewer.keymap.values()]
    for holder in [*holders, *viewer.layers]:
        found += [one for emitter in holder.events.emitters.values() for one in emitter.callbacks]
    # napari keeps a method as its object, weakly, and its name.
    listeners = [one[0]() if isinstance(one, tuple) else one for one in found]
    modules = [getattr(one, "__module__", None) or type(one).__module__ for one in listeners]
    return [f"{module}: {one}" for module, one in zip(modules, found, strict=True) if "napari_aitrain" in module]


def timers() -> Counter[str]:
    """Return the timers that run, by their parents."""
    every = [one for one in gc.get_objects() if isinstance(one, QTimer)]
    # Of what other tests left, Python may still hold timers that Qt has deleted.
    return Counter(type(one.parent()).__name__ for one in every if alive(one) and one.isActive())


def widgets() -> Counter[str]:
    return Counter(type(one).__name__ for one in QApplication.allWidgets())


def our_threads() -> list[str]:
    return sorted(one.name for one in threading.enumerate() if one is not threading.main_thread())


def threads_of_docks() -> list[str]:
    """Return the threads that a dock may have begun; pools of zarr, of workers and of the saver fill when they like."""
    return [name for name in our_threads() if name.startswith("napari-aitrain") and "-saver" not in name]


def fill(viewer: Any) -> Session:
    """Give a viewer an image, a ground truth and a box."""
    session = session_of(viewer)
    viewer.add_image(np.zeros((8, 64, 64), np.uint8), name="cells")
    session.truths.create("cells")
    session.boxes.add(WorldBox(start=(0, 0, 0), stop=(4, 30, 30), image="cells"))
    return session


def open_and_close(viewer: Any, name: str, wait_for: Any) -> list[weakref.ref[Any]]:
    """Open a dock, press its ×, and return what must have gone by then."""
    frame, dock = viewer.window.add_plugin_dock_widget("napari-aitrain", name)
    viewer.window._qt_window.show()
    wait_for(dock.isVisible)
    if name == "Train":
        wait_for(lambda: dock.view.status.value().counts, 120, "readiness")
    parts = [dock, *(part for part in vars(dock).values() if type(part).__module__.startswith("napari_aitrain"))]
    gone = [weakref.ref(part) for part in parts]
    assert len(gone) > 2
    frame.title.close_button.click()
    return gone


@pytest.mark.parametrize("name", NAMES)
def test_a_dock_that_is_closed_leaves_nothing(name: str, viewer: Any, wait_for: Any) -> None:
    session = fill(viewer)
    # What is made once and stays, such as menus and icons, is made now.
    open_and_close(viewer, name, wait_for)
    settle()
    wait_for(lambda: (not session.saver.pending and session.jobs._workers._warm is not None) or name != "Train", 60)
    before = callbacks(session), timers(), widgets(), threads_of_docks()
    gone = open_and_close(viewer, name, wait_for)
    settle()
    assert [one() for one in gone if one() is not None] == []
    after = callbacks(session), timers(), widgets(), threads_of_docks()
    for was, now in zip(before, after, strict=True):
        assert now == was


def open_everything_and_close(viewer: Any, wait_for: Any) -> weakref.ref[Session]:
    """Use a window, close it, and return its session, of which nothing is to be left."""
    session = fill(viewer)
    for name in NAMES:
        viewer.window.add_plugin_dock_widget("napari-aitrain", name, tabify=True)
    session.jobs.prewarm()
    wait_for(lambda: session.jobs._workers._warm is not None, 60)
    assert len(ours_on(viewer)) > 30
    viewer.close()
    settle()
    assert ours_on(viewer) == []
    return weakref.ref(session)


def test_a_window_that_is_closed_leaves_nothing(make_napari_viewer: Any, wait_for: Any) -> None:
    before = timers(), our_threads(), {one.pid for one in psutil.Process().children()}
    gone = open_everything_and_close(make_napari_viewer(show=False), wait_for)
    settle()
    assert gone() is None
    after = timers(), our_threads(), {one.pid for one in psutil.Process().children()}
    for was, now in zip(before, after, strict=True):
        assert now == was
