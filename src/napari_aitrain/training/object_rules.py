"""Objects in the ground truth: told apart where ids do not do it, and held against the max distance."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..annotation.findings import Finding, warning
from ..tasks.protocol import Task
from .labelled import scan_labels
from .separation import Distances, Separation, Shared, longest_side

if TYPE_CHECKING:
    from .plan import PlannedCrop

TOO_LONG = 0.1
"""Share of the objects that may be longer than the max distance before it is told."""


@dataclass(frozen=True)
class ToldApart:
    """What `tell_apart` found.

    Parameters
    ----------
    crops : list of PlannedCrop
        As given, with objects in the place of ids.
    binary : bool
        Whether connected pieces were taken for objects.
    findings : list of Finding
        Warnings.
    """

    crops: list[PlannedCrop]
    binary: bool = False
    findings: Sequence[Finding] = ()


def separation_of(task: Task, dims: int, binary: bool) -> Separation | None:
    """Return how ids become objects; None where ids are objects already, or classes."""
    if not task.instances or not (binary or task.max_distance):
        return None
    return Separation(binary, dims == 2, task.max_distance)


def tell_apart(crops: Sequence[PlannedCrop], task: Task, dims: int, chosen: Collection[str]) -> ToldApart:
    """Divide binary ground truth into connected pieces, and ids that were used for distant objects.

    Parameters
    ----------
    crops : sequence of PlannedCrop
        The boxes of all sources.
    task : Task
        What is to be learned.
    dims : {2, 3}
        With 2, slices are looked at one by one.
    chosen : collection of str
        The settings of the task that somebody chose.
    """
    ids = {label for crop in crops for label in crop.labelled.ids}
    # One painted neuron has many pieces in a box; a mask of everything is no sparse box.
    single = task.continuous and any(crop.sparse for crop in crops)
    how = separation_of(task, dims, len(ids) == 1 and not single)
    if how is None or not ids:
        return ToldApart(list(crops))
    looked = [_look(crop, how) for crop in crops]
    pieces = sum(len(crop.labelled.ids) for crop, _, _ in looked)
    binary = how.pieces and pieces > 1
    if how.pieces and not binary:
        # A single object keeps its id.
        how = separation_of(task, dims, False)
        if how is None:
            return ToldApart(list(crops))
        looked = [_look(crop, how) for crop in crops]
    findings = list(_check_binary(ids, pieces)) if binary else []
    findings += _check_shared([(crop, each) for crop, shared, _ in looked for each in shared], how)
    if how.max_distance is not None:
        longest = np.concatenate([sides for _, _, sides in looked])
        findings += _check_distance(how.max_distance, longest, "max_distance" in chosen)
    return ToldApart([crop for crop, _, _ in looked], binary, findings)


def _look(crop: PlannedCrop, how: Separation) -> tuple[PlannedCrop, list[Shared], Distances]:
    image = replace(crop.image, separation=how)
    background, before = image.source.background_id, crop.labelled
    separated = image.separated_labels()
    labelled = scan_labels(separated.as_volume(), crop.region, crop.sparse, background)
    # How ids go on from slice to slice is a matter of those in the file.
    labelled = replace(labelled, continued=before.continued, foreground=before.foreground, followed=before.followed)
    objects = separated.whole(crop.region)
    size = image.voxel_size
    if background is not None:
        objects = np.where(objects == background, 0, objects)
    sides = np.zeros(0) if size is None else longest_side(objects, (0.0, *size[1:]) if how.flat else size)
    return replace(crop, image=image, labelled=labelled), separated.shared[crop.region], sides


def _check_binary(ids: Collection[int], pieces: int) -> Iterator[Finding]:
    yield warning(
        "binary-labels",
        f"All labelled voxels have the same id ({min(ids)}), so each of their {pieces:,} connected pieces counts as an "
        "object; objects that touch count as one.",
        "Where objects touch, give each its own id.",
    )


def _check_shared(shared: Sequence[tuple[PlannedCrop, Shared]], how: Separation) -> Iterator[Finding]:
    if not shared:
        return
    named = []
    for crop, each in shared[:4]:
        places = (tuple(p + s for p, s in zip(place, crop.region.start, strict=True)) for place in each.places[:2])
        named.append(f"{each.label} in {crop.name} (" + " and ".join(f"x {x} y {y} z {z}" for z, y, x in places) + ")")
    more = f" and {len(shared) - 4} more" if len(shared) > 4 else ""
    yield warning(
        "id-used-twice",
        f"Ids are used for objects that are more than {how.max_distance:g} nm apart, and taken for several objects: "
        f"{', '.join(named)}{more}.",
        "Give each object its own id; if it is one object, raise the max distance.",
        shared[0][0].name,
    )


def _check_distance(most: float, sides: Distances, chosen: bool) -> Iterator[Finding]:
    longest = f"{_round(float(sides.max())):,} nm" if len(sides) else "of unknown length"
    if not chosen:
        yield warning(
            "max-distance-not-given",
            f"No max distance is given, so {most:g} nm is taken: parts farther apart are never one object. The longest "
            f"labelled object is {longest}.",
            "Give the diameter of your largest objects in nm: --max-distance, or max distance in the dialog.",
            "max_distance",
        )
    long = int(np.count_nonzero(sides > most))
    if long > TOO_LONG * len(sides):
        yield warning(
            "objects-exceed-max-distance",
            f"{long:,} of {len(sides):,} labelled objects are longer than the max distance of {most:g} nm, the longest "
            f"{longest}: objects like these may be divided.",
            f"Raise the max distance, for example to {_round(float(np.quantile(sides, 0.98))):g} nm.",
            "max_distance",
        )


def _round(length: float) -> int:
    """Return a length with two digits that count."""
    return int(float(f"{length:.2g}"))
