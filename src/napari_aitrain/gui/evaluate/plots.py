"""Plots of the Evaluate dock: figures over the threshold, and how often predictions of each score are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

# Okabe and Ito 2008.
_HEIGHT = 220
_COLOURS = ("#009e73", "#56b4e9", "#e69f00", "#cc79a7")
Line = npt.NDArray[np.floating[Any]]


class UnitPlot(QWidget):
    """Lines from 0 to 1, in the colours of the theme; values under the cursor stand below."""

    def __init__(self, across: str, up: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = pg.PlotWidget()
        self._view.setToolTip(tip)
        self._view.setAccessibleName(f"{up} over {across}")
        self._plot = self._view.getPlotItem()
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setLabel("bottom", across)
        self._plot.setLabel("left", up)
        self._plot.setXRange(0, 1, padding=0.02)
        for name in ("left", "bottom"):
            self._plot.getAxis(name).enableAutoSIPrefix(False)
        self._legend = self._plot.addLegend(offset=(4, -4), labelTextSize="8pt")
        self.values = QLabel()
        self.values.setWordWrap(True)
        self._across = across
        self._lines: dict[str, tuple[Line, Line]] = {}
        self._marks: dict[str, float] = {}
        self._sizes: Sequence[float] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view, 1)
        layout.addWidget(self.values)
        self._view.setFixedHeight(_HEIGHT)
        self._view.scene().sigMouseMoved.connect(self._on_mouse)
        self._colour()

    def set_lines(
        self,
        lines: Mapping[str, tuple[Line, Line]],
        marks: Mapping[str, float] | None = None,
        sizes: Sequence[float] | None = None,
        highest: float = 1.0,
    ) -> None:
        """Show lines by their names, and marks of the x axis.

        Parameters
        ----------
        lines : mapping of str to (x, y)
            In the order in which they are drawn.
        marks : mapping of str to float, optional
            Upright lines.
        sizes : sequence of float, optional
            Of dots on the last line.
        highest : float
            End of the y axis.
        """
        self._lines, self._marks, self._sizes = dict(lines), dict(marks or {}), sizes
        self._plot.setYRange(0, highest, padding=0.03)
        self._draw()
        self._say(None)

    def changeEvent(self, event: Any) -> None:
        """Follow a change of the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._colour()

    def _draw(self) -> None:
        self._plot.clear()
        self._legend.clear()
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        for number, (name, (x, y)) in enumerate(self._lines.items()):
            last = number == len(self._lines) - 1
            colour = QColor(_COLOURS[number % len(_COLOURS)])
            dots = {"symbol": "o", "symbolSize": self._sizes, "symbolBrush": colour, "symbolPen": None}
            more: dict[str, Any] = dots if last and self._sizes is not None else {}
            self._plot.plot(x, y, name=name, pen=pg.mkPen(colour, width=2), **more)
        for number, (name, at) in enumerate(self._marks.items()):
            style = Qt.PenStyle.SolidLine if number == 0 else Qt.PenStyle.DashLine
            self._plot.addItem(pg.InfiniteLine(at, angle=90, pen=pg.mkPen(ink, width=1.5, style=style)))
            sample = pg.PlotDataItem([], [], pen=pg.mkPen(ink, width=1.5, style=style))
            self._legend.addItem(sample, f"{name}: {at:.3f}")
        self._legend.setLabelTextColor(ink)

    def _colour(self) -> None:
        palette = self.palette()
        text, back = palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window)
        self._view.setBackground(back)
        self._plot.showGrid(x=True, y=True, alpha=0.2)
        for name in ("left", "bottom"):
            self._plot.getAxis(name).setPen(text)
            self._plot.getAxis(name).setTextPen(text)
        self._draw()

    def _on_mouse(self, position: Any) -> None:
        inside = self._plot.sceneBoundingRect().contains(position)
        self._say(self._plot.vb.mapSceneToView(position).x() if inside else None)

    def _say(self, at: float | None) -> None:
        if at is None:
            self.values.setText(" ")
            return
        parts = [f"{self._across} {at:.2f}"]
        for name, (x, y) in self._lines.items():
            if len(x):
                parts.append(f"{name} {float(y[int(np.abs(x - at).argmin())]):.3f}")
        self.values.setText("   ".join(parts))
