"""Which classes are learned: ticks with the names and colours of the ground truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from ..annotate.truth import GroundTruth, LabelClass

BACKGROUND_ALONE = (0,)
MOST_SHOWN = 6
MOST_SEEN = 32
"""Labels with more ids than this are taken for those of objects."""


class ClassChoice:
    """The widget of the setting `classes`, as `FormField` wants it; everything ticked is no choice.

    Parameters
    ----------
    name, label, tooltip : str
        As for widgets of magicgui.

    Signals
    -------
    changed : tuple of int
        After a tick of a person's, or a new value.
    """

    changed = Signal(tuple)

    def __init__(self, name: str, label: str, tooltip: str) -> None:
        self.name, self.label, self.tooltip = name, label, tooltip
        self.native = QListWidget()
        self.native.setToolTip(tooltip)
        self.native.setAccessibleName(label)
        self._options: tuple[LabelClass, ...] = ()
        self._background: frozenset[int] = frozenset((0,))
        self._chosen: tuple[int, ...] = ()
        self.native.itemChanged.connect(self._on_tick)

    @property
    def value(self) -> tuple[int, ...]:
        """The chosen ids; none means all."""
        return self._chosen

    @value.setter
    def value(self, chosen: Iterable[int]) -> None:
        before, self._chosen = self._chosen, tuple(chosen)
        self._show()
        if before != self._chosen:
            self.changed.emit(self._chosen)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to choose from."""
        return not self.native.count()

    def set_options(self, options: Sequence[LabelClass], background: Collection[int]) -> None:
        """Offer these classes; ids of the background are always kept, and so not offered."""
        offered = tuple(options), frozenset((0, *background))
        if offered != (self._options, self._background):
            self._options, self._background = offered
            self._show()

    def _show(self) -> None:
        shown = {one.id: one for one in self._options if one.id not in self._background}
        for number in self._chosen:
            if number not in self._background:
                shown.setdefault(number, LabelClass(number, f"class {number}", ""))
        blocked = self.native.blockSignals(True)
        self.native.clear()
        for one in shown.values():
            self.native.addItem(self._item(one))
        self.native.blockSignals(blocked)
        line = self.native.sizeHintForRow(0) if shown else 0
        self.native.setFixedHeight(line * min(len(shown), MOST_SHOWN) + 6)

    def _item(self, one: LabelClass) -> QListWidgetItem:
        item = QListWidgetItem(one.name)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
        ticked = not self._chosen or one.id in self._chosen
        item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        item.setData(Qt.ItemDataRole.UserRole, one.id)
        item.setToolTip(f"Label {one.id}. Without the tick its voxels count as background.")
        if one.color:
            picture = QPixmap(12, 12)
            picture.fill(QColor(one.color))
            item.setIcon(QIcon(picture))
        return item

    def _on_tick(self, _item: QListWidgetItem) -> None:
        items = [item for row in range(self.native.count()) if (item := self.native.item(row)) is not None]
        ticked = [item for item in items if item.checkState() == Qt.CheckState.Checked]
        ids = tuple(int(item.data(Qt.ItemDataRole.UserRole)) for item in ticked)
        self._chosen = () if len(ids) == len(items) else ids or BACKGROUND_ALONE
        self.changed.emit(self._chosen)


def classes_of(truths: Iterable[GroundTruth], seen: Collection[int] = ()) -> tuple[list[LabelClass], set[int]]:
    """Return the classes that can be chosen, and the ids that are background.

    Parameters
    ----------
    truths : iterable of GroundTruth
        Of the training set; those of objects have no classes.
    seen : collection of int
        Ids that were found in the labels, files included.
    """
    names: dict[int, dict[str, str]] = {}
    background: set[int] = set()
    for truth in truths:
        if truth.mode == "classes":
            background |= set() if truth.background_id is None else {truth.background_id}
            for entry in truth.classes:
                names.setdefault(entry.id, {}).setdefault(entry.name, entry.color)
    for number in seen if len(seen) <= MOST_SEEN else ():
        names.setdefault(number, {f"class {number}": ""})
    options = [LabelClass(n, " / ".join(each), next(iter(each.values()))) for n, each in sorted(names.items())]
    return options, background
