"""Make the pictures of the tutorial from the real program, with real mouse and key events.

``python docs/tutorial_pictures.py`` needs a display (``xvfb-run -a -s "-screen 0 1366x768x24"`` gives one) and about
four minutes. It writes ``docs/images/tutorial-*.png`` and the animation ``docs/images/learning.gif``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PICTURES = Path(__file__).parent / "images"
WINDOW = (1366, 768)
GIF_WIDTH, GIF_EVERY = 760, 2.5
CORNER, SECOND, EXTENT = (250, 250), (480, 120), 190
"""Where the two boxes of the tutorial begin, and their extent, in pixels of the sample."""
LEARN = 45
"""Seconds from the first prediction until the person is satisfied."""


class Person:
    """Somebody at the window: looks, waits, clicks, paints."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_aitrain.gui.session import session_of

        self.viewer = napari.Viewer(title="napari")
        self.window: Any = self.viewer.window._qt_window
        self.window.resize(*WINDOW)
        self.app = QApplication.instance()
        self.session = session_of(self.viewer)
        self.docks: dict[str, Any] = {}
        self.frames: list[Image.Image] = []

    def open(self, name: str) -> Any:
        """Open a dock, in front of the others."""
        from napari_aitrain.gui.jobs.use import open_dock

        if name not in self.docks:
            inner = open_dock(self.session, name)
            self.docks[name] = inner.parent(), inner
        dock, inner = self.docks[name]
        dock.show()
        dock.raise_()
        self.wait(lambda: inner.isVisible())
        return inner

    def wait(self, until: Callable[[], Any], seconds: float = 60, meanwhile: Callable[[], None] | None = None) -> None:
        """Let the program run until something is so."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise SystemExit(f"waited {seconds} s in vain; see {self.picture('trouble')}")
            self.app.processEvents()
            if meanwhile is not None:
                meanwhile()
            time.sleep(0.005)

    def pause(self, seconds: float) -> None:
        """Let the program run for a moment."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, seconds + 5)

    def picture(self, name: str, widget: Any = None) -> Path:
        """Save what the window shows, or a widget."""
        path = PICTURES / f"{name}.png"
        (self.window if widget is None else widget).grab().save(str(path))
        return path

    def click(self, button: Any) -> None:
        """Press a button with the mouse."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.app.processEvents()

    def drag(self, *points: Sequence[float]) -> None:
        """Drag over the image with the left button, through points in y, x world units."""
        from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtTest import QTest

        canvas = self.window._qt_viewer.canvas
        native, left, none = canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        mapped = [canvas.view.scene.transform.map([x, y, 0, 1])[:2] for y, x in points]
        path = [QPoint(round(float(x)), round(float(y))) for x, y in mapped]
        QTest.mousePress(native, left, none, path[0])
        for point in path[1:]:
            where, globally = QPointF(point), QPointF(native.mapToGlobal(point))
            self.app.sendEvent(native, QMouseEvent(QEvent.Type.MouseMove, where, globally, left, left, none))
            self.app.processEvents()
        QTest.mouseRelease(native, left, none, path[-1])
        self.app.processEvents()

    def film(self) -> None:
        """Keep a frame of the animation every few seconds."""
        now = time.monotonic()
        if now - getattr(self, "_filmed", 0.0) < GIF_EVERY:
            return
        self._filmed = now
        grabbed = self.window.grab().toImage()
        grabbed.save(str(PICTURES / "frame.png"))
        with Image.open(PICTURES / "frame.png") as frame:
            small = frame.convert("RGB").resize((GIF_WIDTH, round(GIF_WIDTH * WINDOW[1] / WINDOW[0])))
        self.frames.append(small.quantize(128))

    def save_film(self) -> None:
        """Write the animation."""
        (PICTURES / "frame.png").unlink()
        first, *others = self.frames
        lengths = [600] * len(others) + [3000]
        first.save(PICTURES / "learning.gif", save_all=True, append_images=others, duration=lengths, loop=0)


@contextmanager
def somebody(pictures: Path) -> Iterator[Person]:
    """Seat somebody at a window with nothing of earlier days in it; pictures go into a folder."""
    global PICTURES
    PICTURES = pictures.absolute()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["AITRAIN_HOME"] = home
        os.environ["NAPARI_CONFIG"] = ""
        person = Person()
        yield person
        person.session.close()
        person.viewer.close()


def annotate(person: Person) -> None:
    """Make a ground truth, draw a box, and paint the nuclei in it."""
    viewer, annotate = person.viewer, person.open("Annotate")
    image = viewer.layers["nuclei"]
    scale = float(image.scale[-1])
    truth = np.asarray(viewer.layers["nuclei labels"].data)
    for name in ("nuclei labels", "nuclei boxes"):
        viewer.layers[name].visible = False
    viewer.layers.selection.active = image
    person.pause(0.5)
    person.picture("tutorial-1-open")
    person.click(annotate.truth_view.new)
    viewer.reset_view()
    person.pause(0.5)
    person.click(annotate.box_view.draw)
    first = [v * scale for v in CORNER]
    person.drag(first, [v + EXTENT * scale / 2 for v in first], [v + EXTENT * scale for v in first])
    ground_truth = person.session.truths.layer(person.session.truths.current)
    ground_truth.mode = "paint"
    inside = truth[CORNER[0] : CORNER[0] + EXTENT, CORNER[1] : CORNER[1] + EXTENT]
    for identity in np.unique(inside[inside > 0]):
        person.click(annotate.class_view.next)
        paint_like(person, ground_truth, inside == identity, scale)
    person.pause(1)
    person.picture("tutorial-2-paint")


def paint_like(person: Person, layer: Any, mask: Any, scale: float, corner: Sequence[float] = CORNER) -> None:
    """Paint a nucleus with strokes along its long axis, with a brush about as wide; its mask begins at a corner."""
    points = np.argwhere(mask)
    middle = points.mean(0)
    spread, axes = np.linalg.eigh(np.cov((points - middle).T) + np.eye(2) * 1e-3)
    width, length = 4 * np.sqrt(spread)
    layer.brush_size = max(1, round(float(width)))
    reach = axes[:, 1] * max(0.0, (length - width) / 2)
    ends = [(np.array(corner) + middle + sign * reach) * scale for sign in (-1, 0, 1)]
    person.drag(*ends)


def train(person: Person) -> None:
    """Start, watch, and stop when it looks right."""
    train, jobs = person.open("Train"), person.session.jobs
    train.view.form.setValue({"name": "nuclei"})
    person.wait(lambda: train.view.start.isEnabled())
    person.pause(6)
    person.picture("tutorial-3-train")
    person.open("Review")
    person.film()
    person.click(train.view.start)
    person.wait(lambda: person.session.predictions.current is not None, 90, person.film)
    person.pause(1)
    person.picture("tutorial-4-first")
    end = time.monotonic() + LEARN
    person.wait(lambda: time.monotonic() > end, LEARN + 10, person.film)
    person.save_film()
    dock = person.open("Jobs")
    person.pause(2)
    person.picture("tutorial-5-jobs")
    person.click(dock.view.buttons["stop"])
    person.wait(lambda: not jobs.running(), 60)


def correct(person: Person) -> None:
    """Accept what is right in another box, and train again from the model."""
    annotate, review = person.open("Annotate"), person.open("Review")
    person.pause(2)
    person.picture("tutorial-6-review")
    scale = float(person.viewer.layers["nuclei"].scale[-1])
    first = [v * scale for v in SECOND]
    person.open("Annotate")
    person.click(annotate.box_view.draw)
    person.drag(first, [v + EXTENT * scale / 2 for v in first], [v + EXTENT * scale for v in first])
    person.open("Review")
    person.click(review.view.object.buttons["box"])
    person.pause(1)
    person.click(review.view.again)
    person.wait(lambda: person.session.jobs.newest_running() is not None, 60)
    person.pause(15)
    person.picture("tutorial-7-again")


def main() -> None:
    """Go through the tutorial once."""
    with somebody(PICTURES) as person:
        person.session.jobs.prewarm()
        person.viewer.open_sample("napari-aitrain", "nuclei")
        annotate(person)
        train(person)
        correct(person)
        for job in person.session.jobs.running():
            person.session.jobs.stop(job)
        person.wait(lambda: not person.session.jobs.running(), 60)


if __name__ == "__main__":
    main()
