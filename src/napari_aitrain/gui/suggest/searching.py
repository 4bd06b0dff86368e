"""From a model and an image on screen to places: a stored prediction, its uncertainty, and the search. In threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AitrainError, ConfigError
from ...geometry import Region, Triple
from ...inference.fingerprint import model_fingerprint
from ...inference.store import StoredPrediction
from ...jobs import JobFolder
from ...jobs.doubter import Doubter
from ...jobs.predict_config import PredictConfig
from ...models import find_model
from ...suggestions.find import Found, Searched, find_places
from ...suggestions.looks import image_of
from ...suggestions.maps import UncertaintyMap, map_of
from ...suggestions.settings import SuggestSettings
from ...suggestions.versions import earlier_versions
from ...volumes import open_volume
from ...volumes.labels import read_labels

if TYPE_CHECKING:
    from ..session import Session

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Question:
    """What is asked: everything that a thread needs, and nothing of the window.

    Parameters
    ----------
    model : Path
        Folder of the model.
    image : str
        Name of the image layer.
    frame : tuple of int
        Index along the axes before z, y and x.
    shape, magnification : tuple of int
        Of the image, and of its ground truth, z, y, x.
    settings : SuggestSettings
        How places are chosen.
    boxes, skipped : tuple of Region
        Where nothing is to be suggested.
    labels : tuple of Path
        Ground truths of the image.
    before : int
        How many were suggested earlier.
    keep : Path
        Folder for uncertainty that takes long to compute.
    """

    model: Path
    image: str
    frame: tuple[int, ...]
    shape: Triple
    magnification: Triple
    settings: SuggestSettings
    boxes: tuple[Region, ...]
    skipped: tuple[Region, ...]
    labels: tuple[Path, ...]
    before: int
    keep: Path


@dataclass(frozen=True)
class Answer:
    """What was found, and the uncertainty that can be shown."""

    question: Question
    found: Found
    stored: StoredPrediction
    uncertainty: UncertaintyMap


def same_prediction(session: Session, config: PredictConfig) -> JobFolder | None:
    """Return a finished job that has predicted just this; the newest, if there are several."""
    wanted = _what(config)
    for job in session.jobs.all():
        if not session.jobs.predicts(job) or session.jobs.state(job) != "done":
            continue
        try:
            settings = job.settings()
        except AitrainError:
            continue
        if isinstance(settings, PredictConfig) and _what(settings) == wanted:
            return job
    return None


def _what(config: PredictConfig) -> tuple[Any, ...]:
    return (
        str(config.model), str(config.image), config.channels, config.axes, config.at, config.region,
        config.resample, config.diameter,
    )  # fmt: skip


def search(
    question: Question, config: PredictConfig, store: Path, doubter: Doubter, cancelled: Callable[[], bool],
    progress: Progress,
) -> Answer:  # fmt: skip
    """Find places in a finished prediction; for a thread.

    Raises
    ------
    AitrainError
        If the prediction or the ground truth cannot be read, or was made by another model.
    PredictionCancelledError
        If `cancelled` said so.
    """
    stored, model, settings = StoredPrediction.open(store), find_model(question.model), question.settings
    if stored.info.model_fingerprint != model_fingerprint(model.of_scale(stored.info.scale)):
        raise ConfigError(
            f"the prediction of {question.image} was made by another version of the model",
            "a prediction by the model as it is now",
            "predict the whole image again in the Review dock",
        )
    others: list[Path] = []
    if settings.measure == "ensemble":
        members = earlier_versions(model, find_model)
        if not members:
            raise ConfigError(
                f"{model.card.name} has no earlier versions to compare it with",
                "a model that was trained on from another",
                "choose another measure, or train again from this model",
            )
        others = [one.folder for one in members]

    def write(path: Path) -> None:
        if not doubter.write(config, store, others, path, cancelled, progress):
            from ...inference.blocks import PredictionCancelledError

            raise PredictionCancelledError("cancelled")

    uncertainty = map_of(stored, settings.measure, question.keep, [str(one) for one in others], write)
    truths = [open_volume(path, kind="labels") for path in question.labels]

    def painted(region: Region) -> bool:
        return any(bool(read_labels(one, region.intersect(one.region)).any()) for one in truths)

    read = None
    if settings.spread == "features":
        volume = open_volume(config.image, channels=config.channels, axes=config.axes, at=config.at)
        read = image_of(stored.info, volume)
    searched = Searched(
        question.image, stored, uncertainty, question.shape, question.frame, question.boxes, question.skipped,
        painted if truths else None, question.magnification, read,
    )  # fmt: skip
    found = find_places(
        [searched], model.card, settings, before=question.before, progress=progress, cancelled=cancelled
    )
    return Answer(question, found, stored, uncertainty)
