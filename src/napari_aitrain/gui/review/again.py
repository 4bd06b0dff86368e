"""Training again, from what a model has learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...jobs import JobFolder
from ...jobs.folder import CONFIG
from ...models import read_card
from ...training.config import Source, TrainConfig
from ..class_names import class_names_of
from ..weights.models import missing_at
from .prediction import has_model

if TYPE_CHECKING:
    from ..annotate.truths import GroundTruth
    from ..session import Session


def train_again(session: Session, model: Path) -> JobFolder:
    """Start a training that goes on from a model, with the ground truth as it is now.

    Parameters
    ----------
    session : Session
        Whose ground truth is learned.
    model : Path
        A job folder: its settings are taken; or a model folder.

    Raises
    ------
    AitrainError
        If there is no model or no ground truth, or something cannot be saved.
    """
    card = read_card(model)
    config = _config_of(model) or TrainConfig(name=card.name, task=card.task, task_settings=card.task_settings)
    sources = _sources(session, config.sources)
    if not sources:
        raise ConfigError(
            "there is nothing to train on",
            "ground truth, and boxes around it",
            "paint some in the Annotate dock and draw a box around it",
        )
    names = card.class_names | config.class_names | class_names_of(_learned(session, config.sources))
    learned = {"start_from": str(model), "sources": tuple(sources), "class_names": names}
    return session.jobs.start(config.model_copy(update=learned))


def can_train_again(session: Session, model: Path | None) -> bool:
    """Whether a model is saved, and its training has ended."""
    running = any(job.path == model for job in session.jobs.running())
    return model is not None and not running and has_model(model)


def why_no_model(session: Session, model: Path | None) -> str:
    """Return why nothing can be predicted with a model; empty if it can."""
    if missing := missing_at(model):
        return f"The weights of {missing.title} are not here. Choose it again above to get them."
    if can_train_again(session, model) or (model is not None and model.is_file()):
        return ""
    return "Choose a model whose training has ended."


def _config_of(model: Path) -> TrainConfig | None:
    if not (model / CONFIG).is_file():
        return None
    settings = JobFolder(model).settings()
    return settings if isinstance(settings, TrainConfig) else None


def _sources(session: Session, before: tuple[Source, ...]) -> list[Source]:
    """Return the ground truths of the layers as they are now, and what else was learned from."""
    truths = session.truths.all()
    trained = {source.labels: source.magnification for source in before}
    fresh = [
        source.model_copy(update={"magnification": trained.get(source.labels, source.magnification)})
        for truth in _learned(session, before)
        for source in session.saver.sources(truth)
    ]
    return fresh + [source for source in before if not any(_is_of(source, truth) for truth in truths)]


def _learned(session: Session, before: tuple[Source, ...]) -> list[GroundTruth]:
    """Return the ground truths of the window that were learned from; the current one if none was."""
    known = [truth for truth in session.truths.all() if any(_is_of(source, truth) for source in before)]
    current = session.truths.current
    return known if known or current is None else [current]


def _is_of(source: Source, truth: GroundTruth) -> bool:
    return bool(truth.key) and source.labels.name.startswith(truth.key)
