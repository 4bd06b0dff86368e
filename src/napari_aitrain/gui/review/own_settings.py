"""The numbers of decoding that stand on the card of a model."""

from __future__ import annotations

from pathlib import Path

from ...errors import AitrainError
from ...models import read_card
from ...models.folder import CARD
from ...tasks import Task, make_task
from ...tasks.sliders import Slider, slider_values, sliders_of


class OwnSettings:
    """Reads cards, and reads one again when it was written anew."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, Task | None]] = {}

    def sliders(self, model: Path) -> tuple[Slider, ...]:
        """Return the sliders of a model; none if it is not saved yet."""
        task = self._task(model)
        return () if task is None else sliders_of(task)

    def values(self, model: Path) -> dict[str, float]:
        """Return where a model has its sliders; nothing if it is not saved yet."""
        task = self._task(model)
        return {} if task is None else slider_values(task)

    def _task(self, model: Path) -> Task | None:
        stamp = _stamp(model)
        if model not in self._known or self._known[model][0] != stamp:
            self._known[model] = stamp, None if stamp is None else _read(model)
        return self._known[model][1]


def _stamp(model: Path) -> tuple[Path, int] | None:
    # Weights of Cellpose are a model in one file.
    for card in (model / CARD, model / "model" / CARD, model):
        try:
            if card.is_file():
                return card, card.stat().st_mtime_ns
        except OSError:
            continue
    return None


def _read(model: Path) -> Task | None:
    try:
        card = read_card(model)
        return make_task(card.task, card.task_settings, card.classes)
    except AitrainError:
        # Whoever predicts with it is told.
        return None
