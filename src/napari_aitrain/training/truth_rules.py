"""Rules for what is labelled in the boxes: enough of it, on both sides, and fit for the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..annotation.findings import Finding, error, warning
from ..annotation.policy import Policy
from ..annotation.rules import check_annotations, check_classes
from .labelled import MANY_CLASSES, count_pieces

if TYPE_CHECKING:
    from .plan import PlannedCrop

COMPLETED = ("done", "reviewed")


def check_truth(
    crops: Sequence[PlannedCrop],
    classes: Sequence[int],
    instances: bool,
    chosen: Sequence[int],
    names: Mapping[int, str],
    policy: Policy,
) -> list[Finding]:
    """Check the ground truth of a training set.

    Parameters
    ----------
    crops : sequence of PlannedCrop
        With the roles they will have.
    classes : sequence of int
        The classes of the training crops.
    instances : bool
        Whether labels are ids of objects, otherwise of classes.
    chosen : sequence of int
        The classes that a person chose; none means all.
    names : mapping of int to str
        Of classes, where they are known.
    policy : Policy
        How much is enough.
    """
    train = [crop for crop in crops if crop.role == "train"]
    if not train:
        return []
    findings = list(_check_empty(crops))
    if any(finding.level == "error" for finding in findings):
        return findings
    findings += _check_chosen(crops, classes, instances, chosen, names)
    if not any(finding.level == "error" for finding in findings):
        findings += _check_instances(crops, policy) if instances else _check_classes(crops, classes, names)
        if policy.enough_per_class is not None:
            findings += check_classes(_annotations(train, classes, instances, names), policy.enough_per_class)
    return findings


def _annotations(
    train: Sequence[PlannedCrop], classes: Sequence[int], instances: bool, names: Mapping[int, str]
) -> dict[str, int]:
    """Return how many objects or pieces of each class there are to learn from."""
    if instances:
        return {"the class of objects": sum(len(crop.labelled.ids) for crop in train)}
    found = dict.fromkeys((number for number in classes if number > 0), 0)
    for crop in train:
        source = crop.image.source
        pieces = count_pieces(
            crop.image.open_labels(), crop.region, crop.sparse, source.background_id, crop.image.chosen
        )
        for number in found:
            found[number] += pieces.get(number, 0)
    return {names.get(number, str(number)): count for number, count in found.items()}


def _check_chosen(
    crops: Sequence[PlannedCrop],
    classes: Sequence[int],
    instances: bool,
    chosen: Sequence[int],
    names: Mapping[int, str],
) -> Iterator[Finding]:
    if chosen and instances:
        yield warning(
            "classes-not-used",
            f"Classes {_named(chosen, names)} are chosen, but labels are ids of objects, so every object is learned.",
            "Leave classes out, or choose the task semantic.",
            "classes",
        )
        return
    background = {0, *(crop.image.source.background_id for crop in crops)}
    foreground = [number for number in chosen if number not in background]
    missing = [number for number in foreground if number not in classes]
    if chosen and missing == foreground:
        yield error(
            "classes-not-labelled",
            f"None of the chosen classes {_named(missing, names)} is labelled in the boxes for training."
            if missing
            else "No class but the background is chosen, so there is nothing to tell apart.",
            "Choose classes that are labelled there, or label these.",
            "classes",
        )
    elif missing:
        yield warning(
            "class-not-labelled",
            f"Of the chosen classes {_named(missing, names)} are not labelled in any box for training.",
            "Label them there, or leave them out.",
            "classes",
        )


def _check_empty(crops: Sequence[PlannedCrop]) -> Iterator[Finding]:
    if not any(crop.labelled.painted for crop in crops if crop.role == "train"):
        yield error(
            "no-labels",
            "The ground truth is empty: every label in the boxes for training is 0.",
            "Paint some objects or classes in these boxes, or choose the labels that you painted.",
            ", ".join(sorted({crop.image.labels.name for crop in crops})[:4]),
        )
        return
    empty = [crop.name for crop in crops if not crop.labelled.painted]
    if empty:
        more = f" and {len(empty) - 4} more" if len(empty) > 4 else ""
        sparse = all(crop.sparse for crop in crops if not crop.labelled.painted)
        meaning = "nothing is learned from them" if sparse else "all of it counts as background"
        yield warning(
            "box-without-labels",
            f"{len(empty)} of {len(crops)} boxes hold no labels, so {meaning}: {', '.join(empty[:4])}{more}.",
            "If objects there are not labelled yet, label them, reject the box, or mark it as sparse.",
            empty[0],
        )
    for role in ("validation", "test"):
        chosen = [crop for crop in crops if crop.role == role]
        if chosen and not any(crop.labelled.painted for crop in chosen):
            yield error(
                f"no-{role}-labels",
                f"The boxes for {role} hold no labels.",
                f"Label something in them, or choose other boxes for {role}.",
                chosen[0].name,
            )


def _check_classes(crops: Sequence[PlannedCrop], classes: Sequence[int], names: Mapping[int, str]) -> Iterator[Finding]:
    train = [crop for crop in crops if crop.role == "train"]
    if len(classes) < 2:
        sparse = all(crop.sparse for crop in train)
        yield error(
            "one-class",
            f"Only one class ({_named(classes, names)}) is {'painted' if sparse else 'there'}, so there is nothing to "
            "tell apart.",
            "Paint some of a second class or of the background." if sparse else "Label at least two classes.",
        )
        return
    if len(classes) > MANY_CLASSES:
        yield warning(
            "many-classes",
            f"There are {len(classes)} classes; these look like ids of objects.",
            "For objects choose the task instances.",
        )
    seen = {label for crop in crops if crop.role != "train" for label in crop.labelled.voxels}
    unknown = sorted(seen - set(classes))
    if unknown:
        yield warning(
            "class-never-trained",
            f"Classes {_named(unknown, names)} are labelled for validation or test alone, so the model cannot know "
            "them.",
            "Label them in a box for training too.",
        )
    validated = {label for crop in crops if crop.role == "validation" for label in crop.labelled.voxels}
    missing = sorted(set(classes) - validated)
    if missing and validated:
        yield warning(
            "class-not-validated",
            f"Classes {_named(missing, names)} are not labelled in any box for validation, so their quality is not "
            "measured.",
            "Label them in a box for validation too.",
        )


def _check_instances(crops: Sequence[PlannedCrop], policy: Policy) -> Iterator[Finding]:
    train = [crop for crop in crops if crop.role == "train"]
    if any(crop.sparse and crop.labelled.ids and 0 not in crop.labelled.voxels for crop in train):
        yield warning(
            "no-background",
            "No background is painted in sparse boxes, so a thin ring around each painted object is taken for it.",
            "Paint some background with an id of its own and name it as the background id.",
        )
    ids = {label for crop in train for label in crop.labelled.ids}
    if len(ids) == 1:
        yield warning(
            "one-object",
            f"All labelled voxels have the same id ({min(ids)}), so they count as one object.",
            "If there are several objects, give each its own id, or choose the task semantic.",
        )
    dense = any(not crop.sparse for crop in train)
    completed = sum(len(crop.labelled.ids) for crop in crops if crop.status in COMPLETED)
    has_test = any(crop.role == "test" for crop in crops)
    yield from check_annotations(completed, has_test, dense, policy.enough_annotations)


def _named(ids: Sequence[int], names: Mapping[int, str], most: int = 8) -> str:
    return ", ".join(names.get(number, str(number)) for number in ids[:most]) + (" …" if len(ids) > most else "")
