"""Docks of this plugin lie in one stack of tabs: below each other they have no room, and napari outgrows the screen."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDockWidget, QLayout, QMainWindow, QTabBar, QWidget


class Tab(QObject):
    """Lays a dock over others of its kind that are in the same area, when it first comes into the window.

    napari's menu hides a dock that is open. Of one that lies behind another, that is not what somebody wants who
    chooses it: it is brought to the front.

    Parameters
    ----------
    frame : QDockWidget
        What napari puts into its window; owns this object.
    kind : type of QWidget
        Others are those that hold such a widget.
    """

    _wanted = Signal()

    def __init__(self, frame: QDockWidget, kind: type[QWidget]) -> None:
        super().__init__(frame)
        self._frame, self._kind = frame, kind
        self._coming = False
        # The title bar says whose docks these are; without it three tabs fit beside each other.
        frame.setWindowTitle(frame.windowTitle().partition(" (")[0])
        frame.dockLocationChanged.connect(self._join)
        self._wanted.connect(self._to_front, Qt.ConnectionType.QueuedConnection)
        frame.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the dock is to be shown, or is hidden where it could not be seen."""
        if watched is self._frame and event is not None:
            # Qt keeps docks behind another where no screen is. One that goes with its window is not hidden itself.
            behind = self._frame.isHidden() and self._frame.geometry().right() < 0
            if event.type() == QEvent.Type.ShowToParent or (event.type() == QEvent.Type.Hide and behind):
                self._want()
        return False

    def _join(self, area: Qt.DockWidgetArea) -> None:
        self._frame.dockLocationChanged.disconnect(self._join)
        window = self._frame.parent()
        if not isinstance(window, QMainWindow):
            return
        # A frame of napari's never becomes narrower than what it holds once was, and without style that is too wide.
        for widget in self._frame.findChildren(QWidget):
            widget.ensurePolished()
            widget.updateGeometry()
        for layout in self._frame.findChildren(QLayout):
            layout.invalidate()
        others = [
            dock
            for dock in window.findChildren(QDockWidget)
            if dock is not self._frame
            and isinstance(dock.widget(), self._kind)
            and window.dockWidgetArea(dock) == area
            and not dock.isFloating()
        ]
        if others:
            window.tabifyDockWidget(others[-1], self._frame)
            self._want()

    def _want(self) -> None:
        if not self._coming:
            self._coming = True
            self._wanted.emit()

    def _to_front(self) -> None:
        self._frame.show()
        self._coming = False
        self._frame.raise_()
        window = self._frame.parent()
        if window is not None:
            # Names that do not fit are scrolled to: cut to two letters nobody tells them apart.
            for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
                bar.setElideMode(Qt.TextElideMode.ElideNone)
