"""On which boxes a model is evaluated, where nobody writes them all: its own, or those of a training."""

from __future__ import annotations

from ..errors import ConfigError, ModelError
from ..models import ModelCard
from ..training.config import Source
from ..training.cropset import CropSet
from ..training.used import source_cards, used_sources
from .folder import JobFolder


def own_sources(card: ModelCard) -> tuple[Source, ...]:
    """Return images, ground truth and boxes that the training of a model used, test boxes included.

    Raises
    ------
    ModelError
        If its card does not say them.
    """
    found = used_sources(card.data.sources)
    if not found:
        raise ModelError(
            f"the model {card.name} does not say which boxes it was trained with",
            "a model trained by this version, or boxes to evaluate it on",
            "choose ground truth of the window; or name images with ground truth: --image and --labels, --sources "
            "FILE.yaml, or --job of its training",
        )
    return found


def job_sources(job: JobFolder) -> tuple[Source, ...]:
    """Return images, ground truth and boxes of a training as it used them: cut, and each with its role.

    Raises
    ------
    ConfigError
        If the job is no training.
    JobError
        If its frozen boxes cannot be read.
    """
    kind = job.kind
    if kind != "training":
        raise ConfigError(
            f"{job.name} is {'an' if kind == 'evaluation' else 'a'} {kind}, and no training",
            "the folder of a training",
            "see `napari-aitrain jobs list`",
        )
    return used_sources(source_cards(job.config(), CropSet.load(job.path)))
