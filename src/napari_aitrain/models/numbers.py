"""Numbers of a model that a person changes after its training: they are written on its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..volumes.atomic import atomic_write_text
from . import starters
from .card import ModelCard
from .folder import CARD, model_folder, read_card


def save_threshold(path: Path | str, threshold: float) -> ModelCard:
    """Store another threshold in a model, or in the model of a job; its card is replaced at once, never half written.

    Raises
    ------
    ModelError
        If there is no model, or it is a starter model.
    StorageError
        If the card cannot be written.
    ValidationError
        If the threshold is not from 0 to 1.
    """
    folder = _own_folder(path)
    card = ModelCard.model_validate(read_card(folder).model_dump() | {"threshold": threshold})
    atomic_write_text(folder / CARD, card.model_dump_json(indent=2))
    return card


def save_settings(path: Path | str, settings: Mapping[str, Any]) -> ModelCard:
    """Store other settings of decoding in a model, or in the model of a job, as `save_threshold` does.

    Raises
    ------
    ModelError
        If there is no model, or it is a starter model.
    ConfigError
        If its task has no such setting, or one cannot be.
    StorageError
        If the card cannot be written.
    """
    from ..tasks import make_task

    folder = _own_folder(path)
    card = read_card(folder)
    task = make_task(card.task, card.task_settings | dict(settings), card.classes)
    checked = task.settings.model_dump(mode="json", include=set(settings))
    changed = card.model_copy(update={"task_settings": card.task_settings | checked})
    atomic_write_text(folder / CARD, changed.model_dump_json(indent=2))
    return changed


def _own_folder(path: Path | str) -> Path:
    folder = model_folder(Path(path))
    if folder.resolve().parent == starters.FOLDER.resolve():
        raise ModelError(
            f"{folder.name} is a starter model, which stays as it came",
            "a model of your own",
            f"train from it, or copy it: napari-aitrain models add {folder} --name my-{folder.name}",
        )
    return folder
