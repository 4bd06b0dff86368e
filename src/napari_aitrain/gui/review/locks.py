"""Thresholds that are stored in models."""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelError
from ...models import save_threshold
from ...models.folder import model_folder
from ...models.seen_test import looks_at
from .prediction import Prediction, has_model


class Locks:
    """Stores thresholds in the cards of models, at once or as soon as training has saved them."""

    def __init__(self) -> None:
        self._waiting: dict[Path, float] = {}

    def lock(self, current: Prediction | None, threshold: float) -> None:
        """Store a threshold in the model that made a prediction.

        Raises
        ------
        ModelError
            If there is no prediction, or its scores are not those of a trained model yet.
        """
        if current is None:
            raise ModelError("there is no prediction yet", "a prediction to choose a threshold for", "train or predict")
        if current.provisional:
            raise ModelError(
                "the scores are those of a model that is learning; they are fitted when the training ends",
                "a prediction of the trained model",
                "wait for the end or stop the training, predict this view, and lock in then",
            )
        self._waiting[current.model] = threshold
        self.store(current.model)

    def waits(self, model: Path | None) -> bool:
        """Whether a threshold is to be stored in a model that is not saved yet."""
        return model in self._waiting

    def store(self, model: Path) -> None:
        """Store the threshold of a model, if there is one and the model is saved."""
        if model in self._waiting and has_model(model):
            save_threshold(model, self._waiting.pop(model))


def after_test(model: Path | None) -> str:
    """Return what to think of when a threshold is stored after somebody looked at test figures; else nothing."""
    if model is None or not has_model(model) or not looks_at(model_folder(model)):
        return ""
    return " Its test figures had been looked at before: if they chose this threshold, measure on new test boxes."
