"""The boxes of an evaluation, and their ground truth as the task of the model takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import fastremap
import numpy as np

from ..annotation.boxes import Box, Role
from ..errors import NotReadyError
from ..evaluation.box_results import Caution
from ..geometry import Region, format_magnification
from ..inference.image import PreparedImage
from ..models import Model
from ..tasks.protocol import LabelArray, Task
from ..training.config import TrainConfig
from ..training.labelled import to_training_ids
from ..training.object_rules import separation_of
from ..training.separation import Separation
from ..training.sources import SourceImage, open_sources
from ..volumes import read_labels
from .evaluate_config import EvaluateConfig


@dataclass(frozen=True)
class TestedBox:
    """A box that is compared with what a model predicts in it.

    Parameters
    ----------
    image : SourceImage
        Where it lies.
    box : Box
        As a person drew it, or the whole image.
    role : {'train', 'validation', 'test'}
        What its figures count for.
    """

    __test__ = False

    image: SourceImage
    box: Box
    role: Role


@dataclass(frozen=True)
class TestSet:
    """What is evaluated.

    Parameters
    ----------
    boxes : tuple of TestedBox
        In the order of images.
    separation : Separation or None
        How ids of the files become ids of objects, where they are not.
    left_out : tuple of Caution
        What cannot be used, and why.
    """

    __test__ = False

    boxes: tuple[TestedBox, ...]
    separation: Separation | None
    left_out: tuple[Caution, ...]


def open_test_set(config: EvaluateConfig, model: Model) -> TestSet:
    """Open the images of an evaluation.

    Raises
    ------
    AitrainError
        If none of them can be opened.
    NotReadyError
        If there is no box of the roles that are asked for.
    """
    card = model.card
    asked = TrainConfig(task=card.task, sources=config.sources, statuses=config.statuses, classes=card.data.classes)
    opened = open_sources(asked)
    if opened.problems and not opened.images:
        raise opened.problems[0]
    boxes = [TestedBox(image, box, _role(config, image, box)) for image in opened.images for box in image.boxes]
    chosen = tuple(one for one in boxes if one.role in config.roles)
    if not chosen:
        raise NotReadyError(
            f"there is no box to evaluate on: of {len(boxes)} boxes none has the role {' or '.join(config.roles)}",
            "boxes with ground truth",
            "draw a box around what is labelled and give it a role, or ask for other roles",
        )
    task = model.task()
    separation = separation_of(task, card.dims, _is_binary(chosen, task))
    left_out = tuple(
        Caution(code="left-out", message=f"Left out: {problem.what}.", remedy=problem.remedy)
        for problem in opened.problems
    )
    return TestSet(chosen, separation, left_out)


def _role(config: EvaluateConfig, image: SourceImage, box: Box) -> Role:
    if config.role is not None:
        return config.role
    return box.role if image.drawn else "test"


def _is_binary(boxes: Sequence[TestedBox], task: Task) -> bool:
    """Whether all that is labelled has one id, so that its connected pieces are the objects, as in a training."""
    if not task.instances or (task.continuous and any(one.image.is_sparse(one.box) for one in boxes)):
        return False
    ids: set[int] = set()
    for one in boxes:
        raw = read_labels(one.image.open_labels(), one.image.aligned(one.box))
        ids |= set(fastremap.unique(raw).tolist()) - {0, one.image.source.background_id}
        if len(ids) > 1:
            return False
    return len(ids) == 1


def seen_at(image: SourceImage, prepared: PreparedImage, separation: Separation | None) -> SourceImage:
    """Return an image whose ground truth is read at the magnification of the prediction."""
    source = image.source.model_copy(update={"magnification": format_magnification(prepared.magnification)})
    return replace(image, source=source, voxel_size=prepared.volume.voxel_size, separation=separation)


def read_truth(image: SourceImage, box: Box, region: Region) -> LabelArray:
    """Return the ground truth of a region in voxels of the image's magnification; −1 is unlabelled."""
    raw = read_labels(image.open_labels(), region)
    return to_training_ids(raw, image.is_sparse(box), image.source.background_id, image.chosen)


def unknown_classes(truth: LabelArray, task: Task) -> tuple[int, ...]:
    """Return the classes in the ground truth that a model never learned; none of objects."""
    if task.instances:
        return ()
    found = fastremap.unique(truth)
    return tuple(np.setdiff1d(found[found >= 0], task.classes).tolist())
