"""Draw, list and change boxes: a view without knowledge."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ...geometry import Region
from ..buttons import push_button
from .box_keys import FIRST_KEY, LAST_KEY
from .box_table import BoxTable

_MOST = 2**24
_HINT = (
    "A box says: here I vouch for what is painted. Press Draw box and drag on the image, around something that you "
    "painted; one or two small boxes are enough for a first training."
)
_ON_SELECTED = (
    ("go_to", "&Go to", "Bring the selected box into view."),
    ("duplicate", "D&uplicate", "Add a box of the same size and kind beside the selected one."),
    ("snap", "&Snap", "Shrink the selected box to whole voxels of the magnification of the ground truth."),
    ("delete", "Delete", "Delete the selected box; what is painted stays. Key: Delete, in the table."),
    (
        "first_here",
        f"First slice here ({FIRST_KEY})",
        "Let the selected box begin at the slice on screen, along the axis that is not on screen. "
        f"Key: {FIRST_KEY}, in the table, or on the image while boxes are edited.",
    ),
    (
        "last_here",
        f"Last slice here ({LAST_KEY})",
        f"Let the selected box end with the slice on screen. Key: {LAST_KEY}, as for the first slice.",
    ),
)
_EDITING = "Drag an edge, a corner or the inside."
_EDIT = (
    "Move and resize boxes with the mouse: drag a corner or an edge of the selected box, or its inside to move it; "
    "elsewhere a drag moves the view. What you drag keeps to whole voxels of the ground truth's magnification. Escape "
    "gives up a drag, then the tool. Painting rests meanwhile; take up the brush, and editing ends. Without this tool, "
    "a click on the edge of a box selects it while napari's hand (move camera) is chosen."
)


class BoxView(QWidget):
    """The table of boxes, with what makes and changes them.

    Signals
    -------
    draw_toggled : bool
        Whether the next drag on the image is to draw a box.
    edit_toggled : bool
        Whether drags on the image are to move and resize boxes.
    depth_changed : int
        Voxels along the axis that is not on screen.
    asked : str
        ``add``, ``undo``, ``redo``, or one of the actions on the selected box.
    generate_asked : int, int
        How many boxes, and how many voxels wide.
    region_changed : object
        The Region that was typed for the selected box.
    """

    draw_toggled = Signal(bool)
    edit_toggled = Signal(bool)
    depth_changed = Signal(int)
    asked = Signal(str)
    generate_asked = Signal(int, int)
    region_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.hint = QLabel(_HINT)
        self.hint.setWordWrap(True)
        self.table = BoxTable()
        self.draw = self._toggle("&Draw box", _DRAW)
        self.edit = self._toggle("&Edit boxes", _EDIT)
        self.draw.toggled.connect(self.draw_toggled)
        self.edit.toggled.connect(self.edit_toggled)
        self.deep = _spin(1, "Voxels of a new box along the axis that is not on screen, around this slice.")
        self.deep.setValue(32)
        self.deep.valueChanged.connect(self.depth_changed)
        self.many = _spin(1, "How many boxes to place at random, none over another.")
        self.many.setMaximum(999)
        self.many.setValue(4)
        self.wide = _spin(1, "Extent of each of these boxes in voxels, along every axis.")
        self.wide.setValue(64)
        self.on_selected = {name: self._tool(name, text, tip) for name, text, tip in _ON_SELECTED}
        self.add = self._tool("add", "&Add at view", "Add a box in the middle of what is on screen.")
        self.undo = self._tool("undo", "Undo", "Undo the last change of boxes or classes. Key: Ctrl+Z, in this dock.")
        self.redo = self._tool("redo", "Redo", "Do it again. Key: Ctrl+Shift+Z, in this dock.")
        self.generate = push_button(
            "Pla&ce",
            "Place boxes at random over the image, so that they are a fair sample of it.",
            lambda: self.generate_asked.emit(self.many.value(), self.wide.value()),
        )
        self._numbers = [[_spin(low, tip) for _ in range(3)] for low, tip in ((0, _START), (1, _SIZE))]
        for number in (*self._numbers[0], *self._numbers[1]):
            # Six pairs of buttons would leave room for no more than four digits.
            number.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
            number.setKeyboardTracking(False)
            number.valueChanged.connect(self._on_number)
        # While boxes are edited none is new, and the hint is wanted where nothing jumps for it.
        self._pages = QStackedWidget()
        for row in (_row("Depth of new boxes", self.deep, "voxels"), _row(_EDITING)):
            page = QWidget()
            row.setContentsMargins(0, 0, 0, 0)
            page.setLayout(row)
            self._pages.addWidget(page)
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._lay_out()
        self.set_region(None)
        self.set_enabled(False)

    def set_enabled(self, image: bool, boxes: bool = False) -> None:
        """Whether there is an image to draw on, and a box to edit."""
        self.edit.setEnabled(boxes)
        for widget in (self.draw, self.add, self.generate):
            widget.setEnabled(image)

    def set_history(self, undo: bool, redo: bool) -> None:
        """Whether there is something to undo, and to redo."""
        self.undo.setEnabled(undo)
        self.redo.setEnabled(redo)

    def set_drawing(self, on: bool) -> None:
        """Show whether boxes are drawn."""
        _check(self.draw, on)

    def set_editing(self, on: bool) -> None:
        """Show whether boxes are edited."""
        _check(self.edit, on)
        self._pages.setCurrentIndex(int(on))

    def set_region(self, region: Region | None, flat: bool = False) -> None:
        """Show where the selected box lies, in voxels of its image; None for no box."""
        values = ((0, 0, 0), (1, 1, 1)) if region is None else (region.start, region.shape)
        for row, three in zip(self._numbers, values, strict=True):
            for number, value in zip(row, reversed(three), strict=True):
                number.blockSignals(True)
                number.setValue(value)
                number.setEnabled(region is not None)
                number.blockSignals(False)
            row[2].setEnabled(region is not None and not flat)
        for action in self.on_selected.values():
            action.setEnabled(region is not None)
        for name in ("first_here", "last_here"):
            self.on_selected[name].setEnabled(region is not None and not flat)

    def _on_number(self) -> None:
        start, size = ([number.value() for number in reversed(row)] for row in self._numbers)
        self.region_changed.emit(Region.from_shape(size, start))

    def _tool(self, name: str, text: str, tip: str) -> QPushButton:
        return push_button(text, tip, lambda: self.asked.emit(name))

    def _toggle(self, text: str, tip: str) -> QPushButton:
        button = push_button(text, tip)
        button.setCheckable(True)
        return button

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.hint)
        layout.addLayout(_row(self.draw, self.edit, self.add))
        layout.addWidget(self._pages)
        layout.addLayout(_row(self.generate, self.many, "boxes of", self.wide, "voxels"))
        layout.addWidget(self.table, 1)
        actions = list(self.on_selected.values())
        layout.addLayout(_row(*actions[:4], None, self.undo, self.redo))
        layout.addLayout(_row(*actions[4:]))
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        for place, text in enumerate(("x", "y", "z")):
            grid.addWidget(QLabel(text), 0, place + 1, Qt.AlignmentFlag.AlignHCenter)
        for line, (text, row) in enumerate(zip(("First voxel", "Size (voxels)"), self._numbers, strict=True), 1):
            grid.addWidget(QLabel(text), line, 0)
            grid.setColumnStretch(0, 1)
            for place, number in enumerate(row):
                grid.addWidget(number, line, place + 1)
        layout.addLayout(grid)


_DRAW = "Drag on the image, in any of its three views, to draw a box. Escape stops."
_START = "Where the selected box begins, in voxels of its image. The arrow keys change it by one."
_SIZE = "How large the selected box is, in voxels of its image. Fewer than 32 are too few to learn from well."


def _spin(low: int, tip: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, _MOST)
    spin.setToolTip(tip)
    # napari's style makes them wider than any number in them.
    spin.setStyleSheet("min-width: 0; padding: 1px 2px")
    spin.setFixedWidth(72)
    return spin


def _check(button: QPushButton, on: bool) -> None:
    button.blockSignals(True)
    button.setChecked(on)
    button.blockSignals(False)


def _row(*parts: QWidget | str | None) -> QHBoxLayout:
    """Return widgets and texts in a line; None is a gap that grows."""
    row = QHBoxLayout()
    row.setSpacing(4)
    for part in parts:
        if part is None:
            row.addStretch()
        else:
            row.addWidget(QLabel(part) if isinstance(part, str) else part)
    row.addStretch()
    return row
