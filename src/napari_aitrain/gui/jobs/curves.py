"""Loss and validation score over the steps, as live curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

_ON_DARK, _ON_LIGHT = ("#5aa9f0", "#f0b34c"), ("#1667b5", "#a85a00")
Points = Sequence[tuple[float, float]]


class Curves(QWidget):
    """Two plots with a common step axis: drag to pan, wheel to zoom, values under the cursor below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = pg.GraphicsLayoutWidget()
        self._view.setAccessibleName("Curves of loss and validation score")
        self._loss = self._view.addPlot(row=0, col=0)
        self._score = self._view.addPlot(row=1, col=0)
        self._score.setXLink(self._loss)
        self._loss.setLabel("left", "loss")
        self._score.setLabel("left", "validation")
        self._score.setLabel("bottom", "step")
        self._curves = (self._loss.plot(), self._score.plot(symbolSize=6))
        self._lines = tuple(pg.InfiniteLine(angle=90, movable=False) for _ in self._curves)
        for plot, line in zip((self._loss, self._score), self._lines, strict=True):
            plot.addItem(line, ignoreBounds=True)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.getAxis("left").setWidth(46)
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            line.hide()
        self._data: tuple[Points, Points] = ((), ())
        self.log = QCheckBox("Log scale")
        self.log.setToolTip("Logarithmic axis for the loss: small improvements late in a training become visible.")
        self.fit = QToolButton()
        self.fit.setText("Fit")
        self.fit.setToolTip("Show the whole training again after panning or zooming.")
        self.values = QLabel()
        self.values.setToolTip(
            "Loss: how far predictions are from the ground truth on training patches; lower is better. "
            "Validation: score on boxes that are not trained on; higher is better."
        )
        self._lay_out()
        self.log.toggled.connect(self._set_log)
        self.fit.clicked.connect(self._fit)
        self._view.scene().sigMouseMoved.connect(self._on_mouse)
        self._colour()
        self.setValue((), ())

    def value(self) -> tuple[Points, Points]:
        """Return the points of both curves."""
        return self._data

    def setValue(self, losses: Points, scores: Points) -> None:
        """Show these points."""
        self._data = (losses, scores)
        for curve, points in zip(self._curves, self._data, strict=True):
            x, y = np.array(points, float).reshape(-1, 2).T
            curve.setData(x, np.maximum(y, 1e-6) if self.log.isChecked() and curve is self._curves[0] else y)
        self._say(self._data[0][-1][0] if losses else None)

    def changeEvent(self, event: Any) -> None:
        """Follow a change of the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._colour()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.log)
        row.addWidget(self.fit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self._view, 1)
        layout.addWidget(self.values)
        layout.addLayout(row)
        self._view.setMinimumHeight(170)

    def _colour(self) -> None:
        palette = self.palette()
        text, back = palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window)
        accents = [QColor(name) for name in (_ON_DARK if back.lightness() < 128 else _ON_LIGHT)]
        self._view.setBackground(back)
        for plot in (self._loss, self._score):
            plot.showGrid(x=True, y=True, alpha=0.2)
            for name in ("left", "bottom"):
                plot.getAxis(name).setPen(text)
                plot.getAxis(name).setTextPen(text)
        for curve, line, colour in zip(self._curves, self._lines, accents, strict=True):
            curve.setPen(pg.mkPen(colour, width=2))
            line.setPen(pg.mkPen(text, style=Qt.PenStyle.DotLine))
        self._curves[1].setSymbol("o")
        self._curves[1].setSymbolPen(accents[1])
        self._curves[1].setSymbolBrush(accents[1])

    def _set_log(self, on: bool) -> None:
        self._loss.setLogMode(y=on)
        self.setValue(*self._data)
        self._fit()

    def _fit(self) -> None:
        for plot in (self._loss, self._score):
            plot.enableAutoRange()

    def _on_mouse(self, position: QPointF) -> None:
        for plot in (self._loss, self._score):
            if plot.sceneBoundingRect().contains(position):
                step = plot.vb.mapSceneToView(position).x()
                self._say(step)
                for line in self._lines:
                    line.setPos(step)
                    line.show()
                return
        for line in self._lines:
            line.hide()
        self._say(self._data[0][-1][0] if self._data[0] else None)

    def _say(self, step: float | None) -> None:
        if step is None:
            self.values.setText("Curves appear with the first steps.")
            return
        parts = [f"step {max(0, round(step))}"]
        for name, points in zip(("loss", "validation"), self._data, strict=True):
            if points:
                steps = np.array([x for x, _ in points])
                parts.append(f"{name} {points[int(np.abs(steps - step).argmin())][1]:.3f}")
        self.values.setText("   ".join(parts))
