"""The evaluations that there are of a model, found among the jobs of this user."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, VolumeError
from ..evaluation.box_results import EVALUATION, ModelEvaluation, read_evaluation
from ..models import find_model
from .registry import known_folders


def evaluations_of(weights_sha256: str) -> list[ModelEvaluation]:
    """Return the evaluations of a model by the checksum of its weights, the newest first; damaged ones are left out."""
    found = []
    for folder in known_folders():
        if not (folder / EVALUATION).is_file():
            continue
        try:
            one = read_evaluation(folder)
        except VolumeError:
            continue
        if weights_sha256 and one.model.weights_sha256 == weights_sha256:
            found.append(one)
    return sorted(found, key=lambda one: one.created, reverse=True)


def evaluation_of(reference: str | Path) -> ModelEvaluation:
    """Return the newest evaluation of a model, or the one at a path.

    Parameters
    ----------
    reference : path-like
        A model as `find_model` takes it, an ``evaluation.json``, or the folder of an evaluation.

    Raises
    ------
    ConfigError
        If the model was not evaluated.
    AitrainError
        If there is no such model, or the evaluation is damaged.
    """
    path = Path(reference)
    if path.is_file() or (path / EVALUATION).is_file():
        return read_evaluation(path)
    model = find_model(reference)
    found = evaluations_of(model.card.weights_sha256)
    if not found:
        raise ConfigError(
            f"{reference} was not evaluated here",
            "an evaluation of each model that is compared, on the same boxes",
            f"napari-aitrain evaluate {reference} --job TRAINING, or press Evaluate in the Evaluate dock",
        )
    return found[0]
