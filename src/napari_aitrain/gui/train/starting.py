"""The choice of what a training starts from."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox

from ...models import starter_names
from ...models.weights import KNOWN
from ...training.config import AUTO, SCRATCH
from .fields import FormField, choice_field

_AUTOMATIC = "automatic: a starter model, if one fits"
_SCRATCH = "nothing: from scratch"


class StartChoice:
    """A box of what there is to start from; `field` is its place in the form.

    Parameters
    ----------
    name, label, tip : str
        Of the setting, and what it is.
    """

    def __init__(self, name: str, label: str, tip: str) -> None:
        self._automatic, self._models = _AUTOMATIC, list[tuple[str, Path]]()
        self.field: FormField = choice_field(name, [(_AUTOMATIC, AUTO), (_SCRATCH, SCRATCH)], label, tip, AUTO)
        # Names of models may be longer than a dock is wide.
        box = self.field.widget.native
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(16)

    def set_models(self, models: list[tuple[str, Path]]) -> None:
        """Offer these models, as (name, folder), beside what there always is."""
        self._models = models
        self._show()

    def set_automatic(self, chosen: str | None) -> None:
        """Say what would be chosen: the name of a model, scratch, or None for not known."""
        said = {None: _AUTOMATIC, SCRATCH: "automatic: from scratch, as no starter model fits"}
        self._automatic = said.get(chosen, f"automatic: {chosen}")
        self._show()

    def _show(self) -> None:
        box, chosen = self.field.widget, self.field.value
        starters = [(f"{name} (starter model)", name) for name in starter_names()]
        weights = [(f"{known.title} (task Cellpose)", known.name) for known in KNOWN]
        models = [(name, str(folder)) for name, folder in self._models]
        choices = [(self._automatic, AUTO), (_SCRATCH, SCRATCH), *starters, *models, *weights]
        if chosen not in [value for _, value in choices]:
            choices.append((str(chosen), chosen))
        shown = [(box.native.itemText(n), value) for n, value in enumerate(box.choices)]
        if choices != shown:
            # Nothing else is chosen by this.
            with box.changed.blocked():
                box.choices = choices
                box.value = chosen
