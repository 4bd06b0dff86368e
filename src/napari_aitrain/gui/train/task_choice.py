"""What is to be found: the tasks of this program, those of other packages, and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from ...errors import AitrainError
from ...tasks import get_task, is_foreign, task_names
from ...tasks.script_store import is_script, shown_name
from ...training.config import TrainConfig
from .fields import FormField, choice_field

SCRIPT = "script"
_OWN = "A script of your own…"


class TaskChoice:
    """A box of tasks; `field` is its place in the form. Scripts are asked about before they become the value.

    Parameters
    ----------
    agree : callable
        Is given the path of a script that was chosen, and returns whether it may run.
    """

    def __init__(self) -> None:
        self.agree: Any = lambda _path: False
        info = TrainConfig.model_fields["task"]
        titles = [(_title(name), name) for name in task_names()]
        self.field: FormField = choice_field(
            "task", [*titles, (_OWN, SCRIPT)], "Find", info.description or "", info.default
        )
        self.field.write = self._write
        self._titles, self._before = titles, str(info.default)
        self.field.widget.native.activated.connect(self._on_activated)

    @property
    def name(self) -> str:
        """The name of the task; of a script also its path."""
        chosen = str(self.field.widget.value)
        return self._before if chosen == SCRIPT else chosen

    def note(self) -> None:
        """Remember the choice, to go back to it when a script is not wanted."""
        self._before = self.name

    def _write(self, name: str) -> str:
        box = self.field.widget
        if name not in box.choices:
            shown = f"{Path(name).name} (script)" if name.endswith(".py") else shown_name(name)
            with box.changed.blocked():
                box.choices = [*self._titles, (shown, name), (_OWN, SCRIPT)]
        return name

    def _on_activated(self, _number: int) -> None:
        if self.field.widget.value != SCRIPT:
            return
        box = self.field.widget
        path, _ = QFileDialog.getOpenFileName(box.native, "A script that provides a task", "", "Python (*.py)")
        if path and self.agree(Path(path)):
            self.field.value = path
        else:
            # As if nothing had been chosen: what was set for the task stays.
            with box.changed.blocked():
                self.field.value = self._before


def described(name: str) -> tuple[type[Any] | None, str]:
    """Return the class of a task, with what to say of it; None where it cannot be known yet, and why."""
    try:
        task = get_task(name)
    except AitrainError as error:
        return None, f"{error.what}. {error.remedy}"
    said = task.description
    if is_foreign(name):
        whose = "a script" if is_script(name) else "another package"
        said += f" This task is code of {whose}; it runs in the worker, with your rights."
    return task, said


def _title(name: str) -> str:
    # Whoever asks other people's code for its title runs it.
    return name if is_foreign(name) else get_task(name).title
