"""Why figures may flatter: test boxes in training or near it, too few of them, or ones that chose something."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..annotation.boxes import Role
from ..geometry import Region, Triple, triple
from ..models import ModelCard
from ..models.seen_test import Look
from .box_results import BoxResult, Caution
from .calibration import Calibration

FEW_BOXES = 5
BEST_MARGIN = 0.01
_NAMED = 4


@dataclass(frozen=True)
class UsedBox:
    """A box that a model has learned from, or was chosen by.

    Parameters
    ----------
    image, fingerprint : str
        The image file, and what tells it from others wherever it lies; empty where not known.
    role : {'train', 'validation', 'test'}
        What it was used for.
    name : str
        What people call it.
    region : Region
        In voxels of the finest level.
    """

    image: str
    fingerprint: str
    role: Role
    name: str
    region: Region

    def same_image(self, box: BoxResult) -> bool:
        """Whether a box lies in the same image."""
        return self.image == box.source or bool(self.fingerprint and self.fingerprint == box.fingerprint)


def used_boxes(card: ModelCard) -> list[UsedBox]:
    """Return the boxes that are on the card of a model."""
    return [
        UsedBox(source.image, source.image_fingerprint, box.role, box.label, box.region)
        for source in card.data.sources
        for box in source.boxes
    ]


def cautions_of_boxes(boxes: Sequence[BoxResult], used: Sequence[UsedBox], reach: Triple) -> Iterator[Caution]:
    """Yield what is wrong with the test boxes themselves.

    Parameters
    ----------
    boxes : sequence of BoxResult
        That were evaluated.
    used : sequence of UsedBox
        By the training; empty if that is not known.
    reach : tuple of int
        z, y, x, in voxels of the prediction: how far apart boxes should be, so that none shows what is in the other.
    """
    test = [box for box in boxes if box.role == "test"]
    if not test:
        yield Caution(
            code="no-test",
            message="There is no test box: nothing here says how good the model is on images that nobody has used.",
            remedy="Give the role test to a few boxes, best on images of their own, and never train on them.",
        )
        return
    yield from _few(test)
    learned = [box for box in used if box.role != "test"]
    if not learned:
        yield Caution(
            code="training-not-known",
            message="The model does not say which boxes it has learned from, so it cannot be checked whether test "
            "boxes are among them.",
            remedy="Make sure that it never saw the test images.",
        )
    for box in test:
        yield from _close(box, [one for one in learned if one.same_image(box)], reach)


def _few(test: Sequence[BoxResult]) -> Iterator[Caution]:
    if len(test) == 1:
        yield Caution(
            code="one-test-box",
            message="The test set is a single box, so nobody can say how much its figures depend on chance; there are "
            "no intervals.",
            remedy=f"Label {FEW_BOXES} or more test boxes, best on different images.",
            where=test[0].name,
        )
    elif len(test) < FEW_BOXES:
        yield Caution(
            code="few-test-boxes",
            message=f"The test set has {len(test)} boxes only: intervals of so few are too narrow.",
            remedy=f"Label {FEW_BOXES} or more test boxes, best on different images.",
        )


def _close(box: BoxResult, learned: Sequence[UsedBox], reach: Triple) -> Iterator[Caution]:
    room = triple([r * m for r, m in zip(reach, box.magnification, strict=True)])
    for one in learned:
        how = "has learned from" if one.role == "train" else "was chosen by"
        if shared := box.region.intersect(one.region).size:
            yield Caution(
                code="test-overlaps-training",
                message=f"{box.name} (test) shares {shared:,} voxels with {one.name}, which the model {how}: its "
                "figures flatter.",
                remedy="Move the test box, or evaluate without it.",
                where=box.name,
            )
        elif box.region.grow(room).overlaps(one.region):
            yield Caution(
                code="test-near-training",
                message=f"{box.name} (test) is nearer than {max(room)} voxels to {one.name}, which the model {how}.",
                remedy="Leave more room between them, so that the figures are honest.",
                where=box.name,
            )


def place_key(box: BoxResult) -> str:
    """Return a short text that tells a box from others."""
    return hashlib.sha256(repr(box.place).encode()).hexdigest()[:16]


def cautions_of_choices(
    card: ModelCard,
    test: Sequence[BoxResult],
    looks: Sequence[Look],
    others: Mapping[str, Sequence[Look]],
    best: float | None = None,
) -> Iterator[Caution]:
    """Yield why test boxes are none any more: something was chosen after a look at their figures.

    Parameters
    ----------
    card : ModelCard
        Of the model, as it is now.
    test : sequence of BoxResult
        The test boxes that were evaluated.
    looks : sequence of Look
        Earlier looks at figures of this model.
    others : mapping of str to sequence of Look
        Of other versions of the model and of its parent, by their names.
    best : float, optional
        The threshold that serves validation best: test boxes did not choose it.
    """
    keys = {place_key(box) for box in test}
    before = [look for look in looks if keys & set(look.boxes)]
    by_validation = best is not None and abs(card.threshold - best) < BEST_MARGIN
    if before and before[-1].threshold != card.threshold and not by_validation:
        yield Caution(
            code="threshold-chosen-on-test",
            message=f"The threshold was changed from {before[-1].threshold:.3f} to {card.threshold:.3f} after figures "
            "of these test boxes had been looked at: if they chose it, they flatter now.",
            remedy="Choose the threshold by validation, and measure on test boxes that are new.",
        )
    if before and before[-1].task_settings != card.task_settings:
        yield Caution(
            code="settings-chosen-on-test",
            message="Settings of the model were changed after figures of these test boxes had been looked at: if they "
            "chose them, they flatter now.",
            remedy="Choose settings by validation, and measure on test boxes that are new.",
        )
    seen = [name for name, theirs in others.items() if any(keys & set(look.boxes) for look in theirs)]
    if seen:
        names = ", ".join(seen[:_NAMED]) + (f" and {len(seen) - _NAMED} more" if len(seen) > _NAMED else "")
        yield Caution(
            code="model-chosen-on-test",
            message=f"{names} {'was' if len(seen) == 1 else 'were'} measured on the same test boxes: if the best is "
            "chosen by these figures, they flatter it.",
            remedy="Choose a model by validation, and measure the one that was chosen on test boxes that are new.",
        )


def cautions_of_model(card: ModelCard, class_names: Mapping[int, str], unknown: Sequence[int]) -> Iterator[Caution]:
    """Yield what of the model does not fit the ground truth.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    class_names : mapping of int to str
        Names of classes in the ground truth, where they are known.
    unknown : sequence of int
        Classes in the ground truth that the model never learned.
    """
    renamed = [
        f"{number} is {name!r} in the ground truth and {card.class_names[number]!r} in the model"
        for number, name in class_names.items()
        if card.class_names.get(number, name) != name
    ]
    if renamed:
        yield Caution(
            code="classes-renamed",
            message=f"Classes were renamed after the training: {'; '.join(renamed)}. Figures go by numbers.",
            remedy="If only names changed, nothing is wrong. If a number means something else now, train again.",
        )
    if unknown:
        yield Caution(
            code="classes-not-learned",
            message=f"The ground truth has classes that the model never learned: {', '.join(map(str, unknown))}. Their "
            "voxels are left out.",
            remedy="Train with them, or leave them out of the test boxes.",
        )
    calibration = None if card.calibration is None else Calibration.model_validate(card.calibration)
    if calibration is not None and calibration.kind == "raw":
        yield Caution(
            code="scores-raw",
            message=f"Scores of this model are no probabilities. {calibration.reason}",
            remedy="Train with more validation objects, right and wrong ones.",
        )
