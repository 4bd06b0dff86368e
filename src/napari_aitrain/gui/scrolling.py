"""What a dock holds, where that is higher than the window."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget


class UpDownScroll(QScrollArea):
    """Scrolls up and down, and is as wide as what it holds."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(widget)

    def minimumSizeHint(self) -> QSize:
        """Return the width of what it holds, and little height."""
        widget, bar = self.widget(), self.verticalScrollBar()
        if widget is None or bar is None:
            return super().minimumSizeHint()
        return QSize(widget.minimumSizeHint().width() + bar.sizeHint().width(), 100)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that what it holds became wider, by its style or by a text."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
