"""Taking over predicted objects into the ground truth, and marking wrong ones as background."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import GroundTruthError
from ...geometry import Region, tiles, triple
from ..annotate.write_voxels import MOST_VOXELS, write_voxels
from ..frames import LayerFrame
from .prediction import Prediction

if TYPE_CHECKING:
    from napari.layers import Labels

MOST_READ = 2**29
"""Voxels of a prediction that one step may look through."""

_BLOCK = (64, 512, 512)


@dataclass(frozen=True)
class Wanted:
    """Which objects are meant.

    Parameters
    ----------
    ids : collection of int, optional
        Objects, or classes of class maps; None means all that the threshold leaves.
    region : Region, optional
        Only voxels in here, in voxels of the ground truth; None means anywhere.
    mask : ndarray of bool, optional
        Of class maps: which voxels of `within` are meant.
    within : Region, optional
        Only here, in voxels of the prediction.
    """

    ids: Collection[int] | None = None
    region: Region | None = None
    mask: npt.NDArray[np.bool_] | None = None
    within: Region | None = None


@dataclass(frozen=True)
class Written:
    """What was written.

    Parameters
    ----------
    objects : int
        Objects, or classes.
    voxels : int
        Voxels of the ground truth that changed.
    kept : int
        Voxels that stayed because a person had painted there.
    """

    objects: int
    voxels: int
    kept: int


def paint(
    prediction: Prediction,
    wanted: Wanted,
    truth: Labels,
    value_of: Callable[[int], int],
    frame: tuple[int, ...] = (),
    overwrite: bool = False,
) -> Written:
    """Write predicted objects into a ground truth layer, as one step of its history.

    Parameters
    ----------
    prediction : Prediction
        Where the objects are.
    wanted : Wanted
        Which of them.
    truth : napari.layers.Labels
        Where to write; may be of another magnification.
    value_of : callable
        What to write for an id; called once for each.
    frame : tuple of int
        Index along the axes of the truth before z, y and x.
    overwrite : bool
        Whether to write over what is painted there.

    Raises
    ------
    GroundTruthError
        If that is too much to be undone; nothing is written then.
    """
    target = LayerFrame.of(truth)
    places, values, kept = [], [], 0
    known: dict[int, int] = {}
    for part in _parts(prediction, wanted, target):
        found = _Resampled.of(prediction, part, target)
        inside = found.region if wanted.region is None else found.region.intersect(wanted.region)
        if inside.empty:
            continue
        labels, meant = found.read(prediction, inside, wanted)
        there = np.asarray(truth.data[target.index(inside, frame)]).reshape(labels.shape)
        if not overwrite:
            kept += int(np.count_nonzero(meant & (there != 0)))
            meant &= there == 0
        where = np.nonzero(meant)
        ids = labels[where]
        # In the order in which they lie, so that new ids count up over the image.
        each, first = np.unique(ids, return_index=True)
        for identity in each[np.argsort(first)].tolist():
            known.setdefault(identity, value_of(identity))
        values.append(np.array([known[i] for i in each.tolist()], np.int64)[np.searchsorted(each, ids)])
        places.append(np.stack(where) + np.array(inside.start)[:, None])
        if sum(map(len, values)) > MOST_VOXELS:
            raise GroundTruthError(
                "these objects have too many voxels to be written in one step",
                f"at most {MOST_VOXELS:,} voxels, so that the step can be undone",
                "accept the objects of one box after the other",
            )
    if not places or not any(map(len, values)):
        return Written(0, 0, kept)
    write_voxels(truth, frame, np.concatenate(places, axis=1), np.concatenate(values))
    return Written(len(known), sum(map(len, values)), kept)


@dataclass(frozen=True)
class _Resampled:
    """Voxels of the ground truth whose middles lie in a part of a prediction."""

    region: Region
    indices: tuple[npt.NDArray[np.int64], ...]

    @classmethod
    def of(cls, prediction: Prediction, part: Region, target: LayerFrame) -> _Resampled:
        """Return the voxels of a ground truth in a part of a prediction, in the prediction's own voxels."""
        place = prediction.placement
        source = LayerFrame.of(place.image)
        start, indices = [], []
        for axis in range(3):
            m = place.magnification[axis]
            scale = source.scale[axis] * m
            first = source.translate[axis] + source.scale[axis] * (place.start[axis] * m + (m - 1) / 2)
            world = target.translate[axis] + target.scale[axis] * np.arange(target.shape[axis])
            voxel = np.floor((world - first) / scale + 0.5 + 1e-9).astype(np.int64)
            inside = np.flatnonzero((voxel >= part.start[axis]) & (voxel < part.stop[axis]))
            start.append(int(inside[0]) if len(inside) else 0)
            indices.append(voxel[inside])
        return cls(Region.from_shape([len(i) for i in indices], start), tuple(indices))

    def read(self, prediction: Prediction, inside: Region, wanted: Wanted) -> tuple[Any, Any]:
        """Return the ids of voxels of the ground truth, and which of them are meant."""
        local = inside.relative_to(self.region.start)
        chosen = [index[part] for index, part in zip(self.indices, local.slices, strict=True)]
        read = Region(triple([i.min() for i in chosen]), triple([i.max() + 1 for i in chosen]))
        labels, meant = prediction.shown(read)
        if wanted.ids is not None:
            meant &= np.isin(labels, list(wanted.ids))
        if wanted.mask is not None and wanted.within is not None:
            meant &= wanted.mask[read.relative_to(wanted.within.start).slices]
        grid = np.ix_(*(index - first for index, first in zip(chosen, read.start, strict=True)))
        return labels[grid], meant[grid]


def _parts(prediction: Prediction, wanted: Wanted, target: LayerFrame) -> list[Region]:
    """Return blocks of the prediction that hold what is wanted.

    Raises
    ------
    GroundTruthError
        If that is all of a prediction that is too large to be gone through.
    """
    if wanted.within is not None:
        return [wanted.within]
    if wanted.ids is not None and prediction.bounds is not None:
        bounds = [prediction.bounds_of(identity) for identity in wanted.ids]
        start = [min(b.start[axis] for b in bounds) for axis in range(3)]
        stop = [max(b.stop[axis] for b in bounds) for axis in range(3)]
        return [tile.core for tile in tiles(Region(triple(start), triple(stop)), _BLOCK)]
    whole = prediction.whole
    if wanted.region is not None:
        found = _Resampled.of(prediction, whole, target)
        inside = found.region.intersect(wanted.region)
        if inside.empty:
            return []
        local = inside.relative_to(found.region.start)
        chosen = [index[part] for index, part in zip(found.indices, local.slices, strict=True)]
        whole = Region(triple([i.min() for i in chosen]), triple([i.max() + 1 for i in chosen]))
    if whole.size > MOST_READ:
        raise GroundTruthError(
            "this prediction is too large to be taken over at once",
            f"at most {MOST_READ:,} voxels to look through",
            "draw a box where you want its objects, and accept those in the box",
        )
    return [tile.core for tile in tiles(whole, _BLOCK)]
