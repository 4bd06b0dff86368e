"""The rules for boxes: those of WEBKNOSSOS and Biodock, and two of our own.

From WEBKNOSSOS: errors for no boxes, no volume, a box outside its ground truth, image and ground truth being the same
layer, and no common magnification; warnings for boxes under 32 voxels at the training magnification after alignment,
boxes that alignment shrinks, and boxes that are no multiples of the smallest one.

From Biodock: more than 50 annotations in completed boxes (51 passes), and no test set in the first rounds. Biodock
blocks the start at 50 annotations; here that is a warning, because a training from the first strokes, corrected
and repeated, is what this program is for.

What is enough, and which findings block the start, a lab may set for itself: see `policy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..geometry import FINEST, Region, Triple, align_inwards, format_magnification, is_aligned
from .boxes import Box
from .findings import Finding, error, warning

MINIMUM_EXTENT = 32
ENOUGH_ANNOTATIONS = 50
_AXES = "zyx"


@dataclass(frozen=True)
class BoxedSource:
    """What the rules need to know of a training source; holds no arrays.

    Parameters
    ----------
    image, labels : str
        What identifies the two layers: a path, or the name of a layer.
    labels_shape : tuple of int
        Shape of the ground truth in z, y, x order, in voxels of the finest level.
    boxes : tuple of Box
        The boxes that will be used.
    magnification : tuple of int
        The training magnification in z, y, x order.
    image_magnifications, labels_magnifications : tuple of tuple of int
        What each layer can be read at.
    slices : bool
        Whether every slice is taken on its own, so that the z extent does not count.
    drawn : bool
        Whether a person drew the boxes; otherwise one box stands for the whole volume.
    """

    image: str
    labels: str
    labels_shape: Triple
    boxes: tuple[Box, ...]
    magnification: Triple = FINEST
    image_magnifications: tuple[Triple, ...] = (FINEST,)
    labels_magnifications: tuple[Triple, ...] = (FINEST,)
    slices: bool = False
    drawn: bool = True

    @property
    def checked_axes(self) -> tuple[int, ...]:
        """Axes whose extent counts: not z in a 2-D image or a set of slices."""
        return (1, 2) if self.slices or self.labels_shape[0] == 1 else (0, 1, 2)


def check_boxes(sources: Sequence[BoxedSource], minimum_extent: int = MINIMUM_EXTENT) -> list[Finding]:
    """Check the boxes of a training set against every rule.

    Parameters
    ----------
    sources : sequence of BoxedSource
        The training set, with the boxes that will be used.
    minimum_extent : int
        Voxels that a box should have along each axis, at the training magnification.

    Returns
    -------
    list of Finding
        Errors first, then warnings, each in the order of the sources and boxes.
    """
    findings = [finding for source in sources for finding in _check_source(source, minimum_extent)]
    findings += _check_total(sources)
    findings += _check_multiples(sources)
    return sorted(findings, key=lambda finding: finding.level != "error")


def _check_total(sources: Sequence[BoxedSource]) -> Iterator[Finding]:
    if not any(source.boxes for source in sources):
        yield error(
            "no-boxes",
            "There are no boxes to train on.",
            "Draw a box around something you labelled, or choose other statuses and tags.",
        )
    elif not any(align_inwards(b.region, s.magnification).size for s in sources for b in s.boxes):
        yield error(
            "no-volume",
            "The boxes hold no voxel at the training magnification.",
            "Draw larger boxes, or choose a finer magnification.",
        )


def _check_source(source: BoxedSource, minimum_extent: int) -> Iterator[Finding]:
    if source.image == source.labels:
        yield error(
            "same-layer",
            "Image and ground truth are the same.",
            "Choose the labels that you painted as ground truth.",
            source.image,
        )
    if not set(source.image_magnifications) & set(source.labels_magnifications):
        yield error(
            "no-common-magnification",
            f"Image ({_list(source.image_magnifications)}) and ground truth ({_list(source.labels_magnifications)}) "
            "have no magnification in common.",
            "Choose ground truth that was made on this image, or write it at one of the image's magnifications.",
            source.labels,
        )
    for box in source.boxes:
        yield from _check_box(box, source, minimum_extent)


def _check_box(box: Box, source: BoxedSource, minimum_extent: int) -> Iterator[Finding]:
    whole = Region.from_shape(source.labels_shape)
    if not whole.contains(box.region):
        part = "partly" if whole.overlaps(box.region) else "wholly"
        yield error(
            "box-outside",
            f"{box.label} lies {part} outside the ground truth, which spans {_spans(whole)}.",
            "Move or shrink the box.",
            box.label,
        )
    aligned = align_inwards(box.region, source.magnification)
    small = [axis for axis in source.checked_axes if aligned.shape[axis] < minimum_extent]
    if small:
        extents = ", ".join(f"{_AXES[axis]} {aligned.shape[axis]}" for axis in reversed(small))
        yield warning(
            "box-small",
            f"{box.label} has fewer than {minimum_extent} voxels at magnification "
            f"{format_magnification(source.magnification)}: {extents}.",
            f"Make it at least {minimum_extent} voxels along each axis, or choose a finer magnification.",
            box.label,
        )
    if source.drawn and not is_aligned(box.region, source.magnification):
        yield warning(
            "box-unaligned",
            f"{box.label} will be shrunk to whole voxels of magnification "
            f"{format_magnification(source.magnification)}: {_shape(aligned.shape)} of them remain.",
            "Nothing needs to be done; to keep every voxel, draw the box on that magnification's grid.",
            box.label,
        )


def _check_multiples(sources: Sequence[BoxedSource]) -> Iterator[Finding]:
    rows = [(b, s, align_inwards(b.region, s.magnification).shape) for s in sources if s.drawn for b in s.boxes]
    rows = [row for row in rows if min(row[2]) > 0]
    if len(rows) < 2:
        return
    smallest = [min(shape[axis] for _, _, shape in rows) for axis in range(3)]
    for box, source, shape in rows:
        if any(shape[axis] % smallest[axis] for axis in source.checked_axes):
            yield warning(
                "box-no-multiple",
                f"{box.label} ({_shape(shape)}) is no multiple of the smallest extents of all boxes "
                f"({_shape(smallest)}).",
                "Nothing needs to be done; boxes of equal size, or multiples of it, are used most evenly.",
                box.label,
            )


def check_annotations(
    completed: int, has_test: bool, dense: bool = True, enough: int = ENOUGH_ANNOTATIONS
) -> list[Finding]:
    """Check the number of annotated objects, as Biodock does, but as warnings.

    Parameters
    ----------
    completed : int
        Annotated objects in boxes whose status is done or reviewed.
    has_test : bool
        Whether boxes are held out for testing.
    dense : bool
        Whether every object in the boxes is labelled; in sparse ground truth few objects are meant.
    enough : int
        More than this are enough.

    Returns
    -------
    list of Finding
        Warnings alone: 51 annotations pass, 50 do not.
    """
    findings = []
    few = completed <= enough
    if few and dense:
        findings.append(
            warning(
                "few-annotations",
                f"There are {completed} annotated objects in completed boxes; more than {enough} are advised.",
                "Train now to see where it goes wrong, correct the worst places, and train again.",
            )
        )
    if few and has_test:
        findings.append(
            warning(
                "early-test-set",
                "Boxes are held out for testing while there are few annotations.",
                "In the first rounds give these boxes to training; hold out a test set once the model looks right.",
            )
        )
    return findings


def check_classes(annotations: Mapping[str, int], wanted: int) -> list[Finding]:
    """Check that there are enough annotations of each class.

    Parameters
    ----------
    annotations : mapping of str to int
        Pieces that are labelled for training, by the name of their class.
    wanted : int
        So many of each; 40 to 50 are advised before a first training.
    """
    few = {name: number for name, number in annotations.items() if number < wanted}
    if not few:
        return []
    found = ", ".join(f"{name} has {number}" for name, number in few.items())
    return [
        warning(
            "few-of-class",
            f"At least {wanted} annotations of each class are wanted for training; {found}.",
            "Annotate more of these, or leave the class out.",
        )
    ]


def _shape(shape: Sequence[int]) -> str:
    z, y, x = shape
    return f"x {x}, y {y}, z {z}"


def _spans(region: Region) -> str:
    return ", ".join(f"{_AXES[i]} {region.start[i]} to {region.stop[i]}" for i in (2, 1, 0))


def _list(magnifications: Sequence[Triple]) -> str:
    return ", ".join(format_magnification(m) for m in sorted(magnifications))
