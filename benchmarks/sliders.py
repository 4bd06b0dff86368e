"""How soon objects follow a slider of decoding: from the mouse to labels on the canvas, beside a bare decode.

``python benchmarks/sliders.py`` opens napari on the screen, or on a virtual one (Xvfb) where there is none, with a
prediction of 512² pixels and the maps that it was made from, and drags a slider of the Review dock. In turns with each
move the same maps are decoded alone, in the same process: what the computation itself takes. Figures are the median and
the 95th percentile, of *objects* (the new objects are in the window) and *drawn* (the canvas shows them).

``--task cellpose`` measures another task, ``--size 1024`` a larger view, ``--quick`` tries it out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from figures import Report
from gui import Window, pump, sample
from screen import need_screen

COLUMNS = ("of", "value", "unit", "target", "ratio", "to")
TARGET = "≤ 100"


def maps_of(task: Any, labels: Any) -> Any:
    """Return maps as bytes that a network might give for some labels: their targets, blurred."""
    from scipy import ndimage

    targets = task.prepare(labels[None], np.ones((1, *labels.shape), bool), None, 2).values[:3]
    blurred = ndimage.gaussian_filter(targets, (0, 0, 1, 1))
    if task.name == "cellpose":
        # Flows along z, y and x, of which 0 … 1 stands for −1 … 1, and the probability of a cell.
        flows = (blurred[:2] + 1) / 2
        blurred = np.concatenate([np.full_like(flows[:1], 0.5), flows, blurred[2:]])
    return np.round(255 * np.clip(blurred, 0, 1)).astype(np.uint8)


def shown(window: Window, task: Any, maps: Any) -> None:
    """Show the prediction that is made of the maps."""
    from napari_aitrain.gui.review.maps import Maps
    from napari_aitrain.gui.review.prediction import Prediction
    from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
    from napari_aitrain.gui.review.thresholded import Thresholded

    objects = task.decode(maps, None, 2)
    kept = Maps(task, 2, None, lambda region: maps[(slice(None), *region.slices)])
    data = Thresholded(objects.labels, objects.scores, flat=True)
    layer = PredictionLayer(window.viewer, "Prediction")
    placement = Placement(window.image, (1, 1, 1), (0, 0, 0))
    window.session.predictions.show(Prediction(Path("model"), data, placement, layer, maps=kept))


class Stopwatch:
    """Notes when new objects are in the window, and when the canvas has drawn them."""

    def __init__(self, window: Window) -> None:
        from qtpy.QtCore import QEventLoop

        self.window, self.loop, self.begun = window, QEventLoop(), 0.0
        self.objects: float | None = None
        self.drawn = False
        self._before: Any = None
        window.session.predictions.changed.connect(self._on_changed)
        window.canvas.events.draw.connect(self._on_draw)

    def time(self, act: Callable[[], Any]) -> tuple[float, float]:
        """Do something and return the ms until the objects and the canvas have followed."""
        self._before, self.objects, self.drawn = self.window.session.predictions.current, None, False
        self.begun = time.perf_counter()
        act()
        if not self.drawn:
            self.loop.exec()
        assert self.objects is not None
        return 1000 * (self.objects - self.begun), 1000 * (time.perf_counter() - self.begun)

    def _on_changed(self) -> None:
        if self.objects is None and self.window.session.predictions.current is not self._before:
            self.objects = time.perf_counter()

    def _on_draw(self, _event: Any) -> None:
        if self.objects is not None:
            self.drawn = True
            # When this event is over, the canvas has been drawn.
            self.loop.quit()


def drag(window: Window, name: str, decode: Callable[[dict[str, float]], Any], rounds: int) -> dict[str, list[float]]:
    """Drag a slider to and fro, and decode in turns; return milliseconds."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    bar, watch = window.dock.view.sliders.sliders[name], Stopwatch(window)
    middle = bar.height() // 2
    # At the far end: a first move that changes nothing would be waited for without end.
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(bar.width() - 10, middle))
    found: dict[str, list[float]] = {"objects": [], "drawn": [], "decode": []}
    for number in range(rounds):
        settled = time.monotonic() + 0.02
        pump(lambda settled=settled: time.monotonic() > settled)
        at = QPoint(12 + (37 * number) % (bar.width() - 24), middle)
        objects, drawn = watch.time(lambda at=at: QTest.mouseMove(bar, at))
        found["objects"].append(objects)
        found["drawn"].append(drawn)
        QApplication.processEvents()
        values = dict(window.session.predictions.decoding.values)
        # A little beside, or it would be remembered from the window.
        values[name] += 1e-6
        begun = time.perf_counter()
        decode(values)
        found["decode"].append(1000 * (time.perf_counter() - begun))
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton)
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="instances")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    need_screen()

    from napari_aitrain.tasks import make_task
    from napari_aitrain.tasks.sliders import with_values

    task = make_task(asked.task)
    image, labels = sample("instances", asked.size)
    maps = maps_of(task, labels)
    window = Window(image)
    shown(window, task, maps)
    report = Report("sliders", COLUMNS)

    def decode(values: dict[str, float]) -> Any:
        return with_values(task, values).decode(maps, None, 2)

    for name in task.sliders:
        drag(window, name, decode, 5)
        found = drag(window, name, decode, 30 if asked.quick else asked.rounds)
        alone = found["decode"]
        report.add(of=f"{name}: decode alone, median", value=statistics.median(alone), unit="ms")
        for what in ("objects", "drawn"):
            over = statistics.median(a / b for a, b in zip(found[what], alone, strict=True))
            report.add(of=f"{name}: slider → {what}, median", value=statistics.median(found[what]), unit="ms",
                       target=TARGET, ratio=over, to="decode alone")  # fmt: skip
            p95 = float(np.percentile(found[what], 95))
            report.add(of=f"{name}: slider → {what}, p95", value=p95, unit="ms", target=TARGET,
                       ratio=p95 / float(np.percentile(alone, 95)), to="decode alone, p95")  # fmt: skip
    window.close()
    report.close()


if __name__ == "__main__":
    main()
