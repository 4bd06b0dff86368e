"""Which tags boxes must have: ticks, with how many boxes have each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem

MOST_SHOWN = 5


class TagChoice:
    """The widget of the setting `tags`, as `FormField` wants it; nothing ticked means all boxes.

    Parameters
    ----------
    name, label, tooltip : str
        As for widgets of magicgui.

    Signals
    -------
    changed : tuple of str
        After a tick of a person's, or a new value.
    """

    changed = Signal(tuple)

    def __init__(self, name: str, label: str, tooltip: str) -> None:
        self.name, self.label, self.tooltip = name, label, tooltip
        self.native = QListWidget()
        self.native.setToolTip(tooltip)
        self.native.setAccessibleName(label)
        self._offered: dict[str, int] = {}
        self._chosen: tuple[str, ...] = ()
        self.native.itemChanged.connect(self._on_tick)

    @property
    def value(self) -> tuple[str, ...]:
        """The chosen tags; none means all boxes."""
        return self._chosen

    @value.setter
    def value(self, chosen: Iterable[str]) -> None:
        before, self._chosen = self._chosen, tuple(chosen)
        self._show()
        if before != self._chosen:
            self.changed.emit(self._chosen)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to choose from."""
        return not self.native.count()

    def set_options(self, offered: Mapping[str, int]) -> None:
        """Offer these tags, with the number of boxes that have each."""
        if dict(offered) != self._offered:
            self._offered = dict(offered)
            self._show()

    def _show(self) -> None:
        shown = {**dict.fromkeys(self._chosen, 0), **self._offered}
        blocked = self.native.blockSignals(True)
        self.native.clear()
        for tag, boxes in sorted(shown.items()):
            item = QListWidgetItem(f"{tag} ({boxes})")
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if tag in self._chosen else Qt.CheckState.Unchecked)
            item.setData(Qt.ItemDataRole.UserRole, tag)
            item.setToolTip(
                f"{boxes} boxes have the tag {tag}. With no tick at all, boxes are used whatever their tags."
            )
            self.native.addItem(item)
        self.native.blockSignals(blocked)
        line = self.native.sizeHintForRow(0) if shown else 0
        self.native.setFixedHeight(line * min(len(shown), MOST_SHOWN) + 6)

    def _on_tick(self, _item: QListWidgetItem) -> None:
        items = [item for row in range(self.native.count()) if (item := self.native.item(row)) is not None]
        ticked = [item for item in items if item.checkState() == Qt.CheckState.Checked]
        self._chosen = tuple(str(item.data(Qt.ItemDataRole.UserRole)) for item in ticked)
        self.changed.emit(self._chosen)
