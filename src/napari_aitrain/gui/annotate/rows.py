"""What the table says of each box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...annotation.boxes import Role, Status
from ...annotation.findings import Finding, error
from ...annotation.rules import BoxedSource, check_boxes
from ...annotation.world import WorldBox
from ...errors import AitrainError
from ...geometry import FINEST, Triple
from ..frames import LayerFrame
from .policy_here import policy_here

if TYPE_CHECKING:
    from ..session import Session
    from .truths import GroundTruth

Counter = Callable[[WorldBox, "GroundTruth | None"], int | None]


@dataclass(frozen=True)
class BoxRow:
    """One row of the table.

    Parameters
    ----------
    id : str
        Of the box.
    name, role, status, tags, sparse
        As of the box.
    size : tuple of int or None
        Voxels in z, y, x order; None when the image is not open.
    micrometres : tuple of float or None
        The same in µm; None when the image's unit is no known length.
    flat : bool
        Whether z does not count.
    objects : int or None
        Ids in it; None while unknown.
    findings : tuple of Finding
        What the rules say.
    """

    id: str
    name: str
    role: Role
    status: Status
    tags: tuple[str, ...]
    sparse: bool | None
    size: Triple | None = None
    micrometres: tuple[float, float, float] | None = None
    flat: bool = False
    objects: int | None = None
    findings: tuple[Finding, ...] = ()


def rows_of(session: Session, count: Counter) -> list[BoxRow]:
    """Return a row for every box, in order."""
    told = _findings(session)
    rows = []
    for box in session.boxes:
        row = BoxRow(box.id, box.name, box.role, box.status, box.tags, box.sparse, findings=told.get(box.id, ()))
        frame = _frame(session, box.image)
        if frame is not None:
            size = frame.to_region(box.start, box.stop).shape
            row = replace(
                row,
                size=size,
                micrometres=_micrometres(frame, size),
                flat=frame.flat,
                objects=count(box, truth_of(session, box.image)),
            )
        rows.append(row)
    return rows


def truth_of(session: Session, image: str) -> GroundTruth | None:
    """Return the ground truth that the boxes of an image are for: the current one, else the first."""
    truths, current = session.truths.of_image(image), session.truths.current
    return current if current in truths else next(iter(truths), None)


def _frame(session: Session, image: str) -> LayerFrame | None:
    if image not in session.viewer.layers:
        return None
    try:
        return LayerFrame.of(session.viewer.layers[image])
    except AitrainError:
        return None


def _micrometres(frame: LayerFrame, size: Triple) -> tuple[float, float, float] | None:
    if frame.voxel_size is None:
        return None
    z, y, x = (n * nm / 1000 for n, nm in zip(size, frame.voxel_size, strict=True))
    return z, y, x


def _findings(session: Session) -> dict[str, tuple[Finding, ...]]:
    found: dict[str, list[Finding]] = {box.id: [] for box in session.boxes}
    sources = []
    for image in dict.fromkeys(box.image for box in session.boxes):
        boxes = [box for box in session.boxes if box.image == image and box.status != "rejected"]
        frame = _frame(session, image)
        if frame is None:
            for box in boxes:
                found[box.id].append(_not_open(box))
        elif boxes:
            sources.append(_source(session, image, frame, boxes))
    names = {box.id: box.name or "This box" for box in session.boxes}
    policy = policy_here(session)
    for finding in policy.graded(check_boxes(sources, policy.minimum_extent)) if sources else []:
        if finding.where in found:
            message = finding.message.replace(finding.where, names[finding.where])
            found[finding.where].append(replace(finding, message=message))
    return {box_id: tuple(some) for box_id, some in found.items()}


def _source(session: Session, image: str, frame: LayerFrame, boxes: list[WorldBox]) -> BoxedSource:
    truth = truth_of(session, image)
    return BoxedSource(
        image=image,
        labels="" if truth is None else truth.layer,
        labels_shape=frame.shape,
        # Names may be alike; findings are told apart by id.
        boxes=tuple(frame.to_box(box).model_copy(update={"name": box.id}) for box in boxes),
        magnification=FINEST if truth is None else truth.magnification,
    )


def _not_open(box: WorldBox) -> Finding:
    return error(
        "image-not-open",
        f"{box.name or 'This box'} was drawn on {box.image}, which is not open.",
        f"Open that image again under the name {box.image}.",
        box.id,
    )
