"""The rules of a lab for training sets, to be looked at and changed: for one person, or for one project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...annotation.policy import POLICY, Policy, parse_policy, read_policy, user_policy, write_policy
from ...annotation.rule_list import RULES
from .fields import FormField, make_field

if TYPE_CHECKING:
    from ...annotation.project import Project

_LABELS = {
    "minimum_extent": "Smallest extent (voxels)",
    "enough_annotations": "More objects than",
    "enough_per_class": "Of each class",
}
_LEVELS = {"error": "blocks the start", "warning": "only warns", "off": "is not shown"}
_ABOUT = (
    "What is enough for a training, and what blocks it. Rules of a project go before your own; what is left as usual "
    "in a project follows yours."
)


class PolicyDialog(QDialog):
    """Shows one policy file at a time, and writes it.

    Parameters
    ----------
    places : dict of str to Path
        Policy files by what people call them.
    parent : QWidget, optional
        Over which it opens.

    Raises
    ------
    ConfigError
        If the first cannot be read.
    """

    def __init__(self, places: dict[str, Path], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Rules for training sets")
        about = QLabel(_ABOUT)
        about.setWordWrap(True)
        self.whose = QComboBox()
        self.whose.setToolTip("Whose rules are shown and changed.")
        for name, path in places.items():
            self.whose.addItem(name, path)
        form = QFormLayout()
        form.addRow("Rules &of", self.whose)
        self.fields: dict[str, FormField] = {}
        for name, label in _LABELS.items():
            self.fields[name] = make_field(name, Policy.model_fields[name], label, "does not matter")
            text = QLabel(label)
            text.setToolTip(Policy.model_fields[name].description or "")
            form.addRow(text, self.fields[name].widget.native)
        self.levels: dict[str, QComboBox] = {}
        self.table = self._levels_table()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(self.table, 1)
        layout.addWidget(buttons)
        self.resize(560, 480)
        self._show(read_policy(self.path))
        self.whose.activated.connect(self._on_whose)

    @property
    def path(self) -> Path:
        """The file that is shown."""
        path: Path = self.whose.currentData()
        return path

    def value(self) -> Policy:
        """Return the policy as it is shown: what is as usual is left unsaid.

        Raises
        ------
        ConfigError
            If a value is not allowed.
        """
        usual = Policy.model_fields
        said: dict[str, Any] = {n: f.value for n, f in self.fields.items() if f.value != usual[n].default}
        chosen = {code: box.currentData() for code, box in self.levels.items()}
        levels = {code: level for code, level in chosen.items() if level != RULES[code].level}
        return parse_policy({**said, **({"levels": levels} if levels else {})}, "the rules")

    def _show(self, policy: Policy) -> None:
        for name, field in self.fields.items():
            field.value = getattr(policy, name)
        for code, box in self.levels.items():
            box.setCurrentIndex(box.findData(policy.levels.get(code, RULES[code].level)))

    def _on_whose(self, _number: int) -> None:
        from ..notify import reported

        with reported():
            self._show(read_policy(self.path))

    def _levels_table(self) -> QTableWidget:
        free = {code: rule for code, rule in RULES.items() if len(rule.may_be) > 1}
        table = QTableWidget(len(free), 2)
        table.setHorizontalHeaderLabels(["If…", "it"])
        table.setAccessibleName("What findings do")
        rows: Any = table.verticalHeader()
        rows.setVisible(False)
        header: Any = table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(1, 204)
        for number, (code, rule) in enumerate(free.items()):
            item = QTableWidgetItem(rule.what)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            item.setToolTip(code)
            table.setItem(number, 0, item)
            box = QComboBox()
            for level in rule.may_be:
                usual = " (usual)" if level == rule.level else ""
                box.addItem(_LEVELS[level] + usual, level)
            box.setAccessibleName(rule.what)
            # Scrolling the table must not change rules.
            box.wheelEvent = lambda event: event.ignore()  # type: ignore[method-assign,assignment,union-attr]
            self.levels[code] = box
            table.setCellWidget(number, 1, box)
        return table


def edit_policy(project: Project | None, parent: QWidget) -> bool:
    """Have a person change the rules, and return whether they were saved.

    Raises
    ------
    AitrainError
        If a file cannot be read or written.
    """
    places = {"me, in every project": user_policy()}
    if project is not None:
        places = {f"the project {project.folder.name}": project.folder / POLICY, **places}
    dialog = PolicyDialog(places, parent)
    saved = dialog.exec() == QDialog.DialogCode.Accepted
    if saved:
        write_policy(dialog.path, dialog.value())
    dialog.deleteLater()
    return saved
