"""Whether a training can start: errors, warnings, and what it will learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..annotation.boxes import Role
from ..annotation.findings import Finding, error
from ..errors import AitrainError
from ..geometry import Region, Triple
from ..location import Location
from ..volumes import check_image_values
from ..volumes.units import VoxelSize
from .config import TrainConfig
from .plan import Plan, PlannedCrop, plan_crops
from .sources import SourceImage
from .using import check_use

ROLES: tuple[Role, ...] = ("train", "validation", "test")
SAMPLE = 32_000_000
"""At most about this many image voxels are looked at."""


@dataclass(frozen=True)
class RoleCounts:
    """What a role has to offer.

    Parameters
    ----------
    boxes : int
        Boxes or parts of boxes.
    voxels : int
        All voxels in them, at the training magnification.
    labelled : int
        Those that are labelled, background included.
    objects : int
        Distinct ids above 0 per box, added up; 0 where labels are classes.
    class_voxels : dict of int to int
        Labelled voxels per class id; empty where labels are ids of objects.
    class_boxes : dict of int to int
        Boxes in which a class is labelled, likewise.
    """

    boxes: int = 0
    voxels: int = 0
    labelled: int = 0
    objects: int = 0
    class_voxels: dict[int, int] = field(default_factory=dict)
    class_boxes: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Readiness:
    """What a check found.

    Parameters
    ----------
    findings : tuple of Finding
        Errors first, then warnings.
    roles : dict of str to RoleCounts
        For ``train``, ``validation`` and ``test``.
    sentence : str
        How validation comes by its voxels.
    dims : int
        2 or 3; 0 when nothing could be opened.
    dims_reason : str
        Why.
    classes : tuple of int
        Ids of the classes; ``(0, 1)`` for instances.
    channels : tuple of str
        Names of the image's channels.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order at the training magnification; None when unknown or not the same for all.
    plan : Plan or None
        What `estimate` starts from; not part of `as_dict`.
    """

    findings: tuple[Finding, ...]
    roles: dict[Role, RoleCounts] = field(default_factory=lambda: {role: RoleCounts() for role in ROLES})
    sentence: str = ""
    dims: int = 0
    dims_reason: str = ""
    classes: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    voxel_size: VoxelSize | None = None
    plan: Plan | None = field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What blocks the start."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What should be known, but does not block the start."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What was decided."""
        return tuple(finding for finding in self.findings if finding.level == "info")

    @property
    def ready(self) -> bool:
        """Whether the training can start."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the plan as plain data, for ``--json``."""
        return {
            "ready": self.ready,
            "errors": [finding.as_dict() for finding in self.errors],
            "warnings": [finding.as_dict() for finding in self.warnings],
            "notes": [finding.as_dict() for finding in self.notes],
            "roles": {role: asdict(counts) for role, counts in self.roles.items()},
            "validation": self.sentence,
            "dims": self.dims,
            "dims_reason": self.dims_reason,
            "classes": list(self.classes),
            "channels": list(self.channels),
            "voxel_size": list(self.voxel_size) if self.voxel_size else None,
        }


def check(config: TrainConfig, receptive_field: Triple | None = None) -> Readiness:
    """Check a training set against every rule; nothing is written, and nothing of the input raises.

    The ground truth in the boxes is read in full, tile by tile, because a few strokes in a large volume would be
    missed by a sample; of the images a bounded sample is read. Memory stays bounded.

    Parameters
    ----------
    config : TrainConfig
        What is to be trained.
    receptive_field : tuple of int, optional
        As for `plan.plan_crops`.
    """
    try:
        plan = plan_crops(config, receptive_field)
    except AitrainError as problem:
        return Readiness((error(type(problem).__name__, problem.what, problem.remedy),))
    if not plan.crops:
        return Readiness(plan.findings)
    findings = plan.policy.graded([*plan.findings, *_check_images(plan.crops), *_check_use(config)])
    sizes = {crop.image.voxel_size for crop in plan.crops}
    return Readiness(
        findings=tuple(findings),
        roles={role: _count(plan.of_role(role), plan.instances) for role in ROLES},
        sentence=plan.sentence,
        dims=plan.dims.dims,
        dims_reason=plan.dims.reason,
        classes=plan.classes,
        channels=plan.crops[0].image.channels,
        voxel_size=sizes.pop() if len(sizes) == 1 else None,
        plan=plan,
    )


def _check_images(crops: Sequence[PlannedCrop]) -> Iterator[Finding]:
    regions: dict[tuple[Location, Triple], tuple[SourceImage, list[Region]]] = {}
    for crop in crops:
        key = (crop.image.image, crop.image.magnification)
        regions.setdefault(key, (crop.image, []))[1].append(crop.region)
    for image, parts in regions.values():
        try:
            yield from check_image_values(image.open_image(), parts, SAMPLE // len(regions))
        except AitrainError as problem:
            yield error(type(problem).__name__, problem.what, problem.remedy, image.name)


def _check_use(config: TrainConfig) -> Iterator[Finding]:
    try:
        check_use(config)
    except AitrainError as problem:
        yield error(type(problem).__name__, problem.what, problem.remedy, "then_predict")


def _count(crops: Sequence[PlannedCrop], instances: bool) -> RoleCounts:
    classes: Counter[int] = Counter()
    boxes: Counter[int] = Counter()
    for crop in [] if instances else crops:
        classes.update(crop.labelled.voxels)
        boxes.update(label for label, voxels in crop.labelled.voxels.items() if voxels)
    return RoleCounts(
        boxes=len(crops),
        voxels=sum(crop.region.size for crop in crops),
        labelled=sum(crop.labelled.labelled for crop in crops),
        objects=sum(len(crop.labelled.ids) for crop in crops) if instances else 0,
        class_voxels=dict(sorted(classes.items())),
        class_boxes=dict(sorted(boxes.items())),
    )
