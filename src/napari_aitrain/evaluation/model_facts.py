"""What an evaluation keeps of the model itself, from its card."""

from __future__ import annotations

from ..annotation.boxes import Role
from ..models import Model, ModelCard
from ..tasks import get_task
from .box_results import ROLES, EvaluatedModel, TrainingUse


def evaluated_model(model: Model) -> EvaluatedModel:
    """Return which model was evaluated, and the threshold that is locked into it."""
    card, task = model.card, get_task(model.card.task)
    return EvaluatedModel(
        name=card.name,
        version=card.version,
        folder=str(model.folder),
        weights_sha256=card.weights_sha256,
        created=card.created,
        task=card.task,
        task_settings=card.task_settings,
        instances=task.instances,
        agglomerates=task.agglomerates,
        dims=card.dims,
        threshold=card.threshold,
        classes=card.classes,
        class_names=card.class_names,
    )


def training_use(card: ModelCard) -> TrainingUse | None:
    """Return what the training used; None where the card does not say it."""
    data = card.data
    if not data.sources and not data.objects:
        return None
    boxes = [(source.image, box) for source in data.sources for box in source.boxes]
    train = {image for image, box in boxes if box.role == "train"}
    objects = _of_roles(data.objects)
    if get_task(card.task).instances:
        classes: tuple[str, ...] = ("objects",)
    else:
        classes = tuple(card.class_names.get(number, f"class {number}") for number in card.classes[1:])
    return TrainingUse(
        images=data.images,
        included=len({image for image, _ in boxes}) or len(data.sources),
        boxes={role: count for role in ROLES if (count := sum(box.role == role for _, box in boxes))},
        objects=objects,
        voxels=_of_roles(data.voxels),
        objects_per_image=objects.get("train", 0) / len(train) if train else None,
        classes=classes,
        warnings=data.warnings,
        notes=data.split,
    )


def _of_roles(counts: dict[str, int]) -> dict[Role, int]:
    return {role: counts[role] for role in ROLES if counts.get(role)}
