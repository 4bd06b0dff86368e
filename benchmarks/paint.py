"""How quick a stroke is on a slide of 100,000² pixels, and what it costs on the disk.

``python benchmarks/paint.py`` opens napari on the screen, or on a virtual one (Xvfb) where there is none, shows a
slide that is computed when it is looked at, and measures

* *stroke*: from a mouse move with the brush down to the canvas drawn again, while strokes are saved every few seconds,
  in turns with a redraw for which nothing changed: the second is what the machine needs to draw at all;
* *whole layer*: the same on napari's own labels layer of 1024² pixels, beside which nothing is saved;
* *here*: from the press of *Paint here* to the first frame of the other place;
* *save*: what the saver's thread needs for one stroke, journal, labels and pyramid;
* *disk*: bytes on the disk per stroke.

``--quick`` tries it out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from figures import Report
from screen import need_screen

COLUMNS = ("figure", "of", "value", "unit", "target", "ratio", "to")
SIDE, STEPS = 100_000, (1, 4, 16, 64)
PLACES = ((50_000, 60_000), (20_000, 30_000))


class Level:
    """One level of a slide of round cells; `step` pixels of the finest level are one of this."""

    def __init__(self, step: int) -> None:
        self.shape, self.ndim, self.dtype, self._step = (-(-SIDE // step),) * 2, 2, np.dtype(np.uint8), step
        self.size = self.shape[0] ** 2

    def __getitem__(self, key: Any) -> Any:
        y, x = (np.arange(n)[part] * self._step % 80 - 40.0 for n, part in zip(self.shape, key, strict=True))
        distance = np.add.outer(y**2, x**2)
        return np.where(distance < 30**2, 190 - distance / 12, 30).astype(np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self[:, :]


class Window:
    """A napari window of 1366×768 with the Annotate dock, and a hand at the mouse."""

    def __init__(self) -> None:
        import napari

        from napari_aitrain.gui.annotate.dock import AnnotateDock
        from napari_aitrain.gui.session import session_of

        self.viewer = napari.Viewer()
        self.viewer.window._qt_window.resize(1366, 768)
        self.session = session_of(self.viewer)
        self.dock = AnnotateDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Annotate", area="right")
        self.canvas = self.viewer.window._qt_viewer.canvas
        self.drawn = 0
        self.canvas._scene_canvas.events.draw.connect(self._count)
        self.wait(1)

    def wait(self, seconds: float) -> None:
        """Let the program run."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.002)

    def look(self, place: tuple[int, int], zoom: float = 1.0) -> None:
        """Move the view with the pixel at a place in its middle."""
        from napari_aitrain.gui.review.viewing import camera_of

        camera_of(self.viewer).center, camera_of(self.viewer).zoom = (0, *place), zoom
        self.wait(1)

    def until_drawn(self, act: Callable[[], Any]) -> tuple[float, float]:
        """Return the ms from an action until the canvas is drawn, and those of processors, all threads together."""
        from qtpy.QtWidgets import QApplication

        QApplication.processEvents()
        before, begun, used = self.drawn, time.perf_counter(), time.process_time()
        act()
        while self.drawn == before:
            QApplication.processEvents()
        return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - used)

    def stroke(self, middle: tuple[int, int], rounds: int) -> tuple[Any, Any]:
        """Drag the brush around; return what each move took until it was drawn, and redraws without a change."""
        from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QApplication

        native, left, none = self.canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        centre = np.array(self.canvas.view.scene.transform.map([middle[1], middle[0], 0, 1])[:2])
        moved, redrawn = [], []
        for number in range(rounds):
            angle = 0.35 * number
            at = centre + (20 + 1.5 * number % 150) * np.array([np.cos(angle), np.sin(angle)])
            point = QPoint(*(round(float(v)) for v in at))
            if number % 40 == 0:
                QTest.mousePress(native, left, none, point)
                continue
            where, globally = QPointF(point), QPointF(native.mapToGlobal(point))
            event = QMouseEvent(QEvent.Type.MouseMove, where, globally, left, left, none)
            moved.append(self.until_drawn(lambda event=event: QApplication.sendEvent(native, event)))
            redrawn.append(self.until_drawn(self.canvas._scene_canvas.update))
            if number % 40 == 39:
                QTest.mouseRelease(native, left, none, point)
        return np.array(moved), np.array(redrawn)

    def close(self) -> None:
        """Close the window."""
        self.session.close()
        self.viewer.close()

    def _count(self, _event: Any) -> None:
        self.drawn += 1


def add_strokes(report: Report, figure: str, moved: Any, redrawn: Any) -> None:
    """Report the ms of strokes, beside those of redraws; of processors where other programs run on the machine."""
    for column, clock in enumerate(("", ", processors")):
        move, redraw = moved[:, column], redrawn[:, column]
        over = float(np.median(move / redraw))
        report.add(figure=figure, of=f"move → drawn{clock}", value=float(np.median(move)), unit="ms",
                   target="" if column else "≤ 30", ratio=over, to="a redraw without a change")  # fmt: skip
        report.add(figure=figure, of=f"95 % of moves{clock}", value=float(np.percentile(move, 95)), unit="ms")
        report.add(figure=figure, of=f"redraw alone{clock}", value=float(np.median(redraw)), unit="ms")


def measure(report: Report, quick: bool) -> None:
    """Paint on the slide, go elsewhere, paint there; then on a layer of napari's own."""
    window, rounds = Window(), 60 if quick else 400
    window.viewer.add_image([Level(step) for step in STEPS], multiscale=True, name="slide", contrast_limits=(0, 255))
    window.look(PLACES[0])
    window.dock.truth_view.new.click()
    layer = window.session.truths.layer(window.session.truths.current)
    layer.brush_size = 20
    window.wait(2)
    add_strokes(report, "stroke", *window.stroke(PLACES[0], rounds))
    saves(report, window, layer, 5 if quick else 20)
    here = []
    for number in range(4 if quick else 10):
        window.look(PLACES[(number + 1) % 2])
        here.append(window.until_drawn(window.dock.truth_view.here.click)[0])
    report.add(figure="here", of="Paint here → drawn", value=statistics.median(here), unit="ms")
    # A layer of napari's own, in the same window, where the saver knows nothing of it.
    window.viewer.layers.clear()
    window.viewer.add_image(Level(1)[slice(0, 1024), slice(0, 1024)], name="image", contrast_limits=(0, 255))
    plain = window.viewer.add_labels(np.zeros((1024, 1024), np.int32))
    plain.brush_size, plain.mode = 20, "paint"
    window.viewer.layers.selection.active = plain
    window.look((512, 512))
    add_strokes(report, "whole layer", *window.stroke((512, 512), rounds))
    window.close()


def saves(report: Report, window: Window, layer: Any, rounds: int) -> None:
    """Save single strokes, and look at what is on the disk."""
    saver = window.session.saver
    saver._timer.stop()
    saver.flush()
    labels = saver.project.folder / "labels"
    taken, before = [], sum(file.stat().st_size for file in labels.rglob("*") if file.is_file())
    for number in range(rounds):
        for step in range(20):
            layer.paint((100 + 30 * (number % 20) + step, 200 + 25 * step), 10 + number)
        begun = time.perf_counter()
        saver.flush()
        taken.append(1000 * (time.perf_counter() - begun))
    after = sum(file.stat().st_size for file in labels.rglob("*") if file.is_file())
    saver._timer.start()
    report.add(figure="save", of="one stroke of 500 pixels", value=statistics.median(taken), unit="ms")
    report.add(figure="disk", of="one stroke, journal included", value=(after - before) / rounds / 1024, unit="KiB")


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few strokes: to see that it runs")
    arguments = parser.parse_args()
    need_screen()
    os.environ["NAPARI_CONFIG"] = ""
    report = Report("paint", COLUMNS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["AITRAIN_HOME"] = folder
        measure(report, arguments.quick)
    report.close()


if __name__ == "__main__":
    main()
