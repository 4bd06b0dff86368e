"""The object under the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...geometry import Region
from .correct import Wanted
from .prediction import Prediction

_AROUND = (32, 512, 512)


@dataclass(frozen=True)
class Picked:
    """A predicted object.

    Parameters
    ----------
    prediction : Prediction
        That it belongs to.
    identity : int
        Its id; of class maps the class.
    score : float or None
        0 … 1; of class maps the probability at the voxel; of joined fragments that of the weakest merge.
    voxels : int or None
        Its size; of class maps that of the connected piece.
    class_id : int or None
        Its class.
    shown : bool
        Whether the threshold leaves it.
    piece : ndarray of bool, optional
        Of class maps: the connected piece.
    within : Region, optional
        Where `piece` lies, in voxels of the prediction.
    fragment : int
        Of joined fragments: the stored id at the place that was clicked.
    fragments : int
        Of joined fragments: how many there are in the object.
    """

    prediction: Prediction
    identity: int
    score: float | None
    voxels: int | None
    class_id: int | None
    shown: bool
    piece: npt.NDArray[np.bool_] | None = None
    within: Region | None = None
    fragment: int = 0
    fragments: int = 0

    @property
    def wanted(self) -> Wanted:
        """What to accept or reject."""
        return Wanted(ids=(self.identity,), mask=self.piece, within=self.within)

    @property
    def volume(self) -> float | None:
        """Size in µm³, or µm² of a 2-D image; None where the voxel size is not known."""
        size = self.prediction.voxel_size
        if size is None or self.voxels is None:
            return None
        z, y, x = (s / 1000 for s in size)
        return self.voxels * (y * x if self.prediction.placement.flat else z * y * x)


def pick(prediction: Prediction, voxel: tuple[int, int, int]) -> Picked | None:
    """Return the object at a voxel, whether it is drawn or not; None on background."""
    data = prediction.data
    identity = int(np.asarray(data.labels[voxel]))
    if data.instances:
        return None if identity == 0 else _object(prediction, identity)
    if identity == data.background:
        return None
    around = _around(prediction.whole, voxel)
    labels, shown = prediction.shown(around)
    local = tuple(v - s for v, s in zip(voxel, around.start, strict=True))
    score = None if data.certainty is None else float(data.certain(voxel)) / 255
    if not shown[local]:
        return Picked(prediction, identity, score, None, identity, False, np.zeros_like(shown), around)
    pieces, _ = ndimage.label(shown & (labels == identity))
    piece = pieces == pieces[local]
    return Picked(prediction, identity, score, int(np.count_nonzero(piece)), identity, True, piece, around)


def pick_at(prediction: Prediction, event: Any) -> Picked | None:
    """Return the object at the cursor, in 2-D and 3-D."""
    layer = prediction.layer.layer
    if layer is None or not prediction.layer.present or not layer.visible:
        return None
    if len(event.dims_displayed) == 3:
        value = layer.get_value(
            event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
        )
        if not value or not prediction.data.instances or prediction.data.by_score or len(_scores(prediction)) > 65536:
            return None
        return _object(prediction, int(value))
    voxel = prediction.voxel_at(event.position)
    return None if voxel is None else pick(prediction, voxel)


def pick_fragment(prediction: Prediction, fragment: int) -> Picked:
    """Return the object that a fragment belongs to at the threshold."""
    segments = prediction.data.segments
    assert segments is not None
    identity = int(segments[fragment])
    return Picked(
        prediction,
        identity,
        prediction.weakest(identity),
        prediction.size_of(identity),
        None,
        fragment not in prediction.data.hidden_ids,
        fragment=fragment,
        fragments=len(prediction.members(identity)),
    )


def describe(picked: Picked) -> str:
    """Return what is known of an object, in a line or two."""
    one = picked.prediction
    name = one.class_names.get(picked.class_id or 0, f"class {picked.class_id}")
    what = f"Object {picked.identity:,}" if one.data.instances else name
    parts = [what] if picked.score is None or one.joins else [what, f"score {picked.score:.3f}"]
    if not picked.shown:
        parts.append("not shown")
    if picked.voxels is not None:
        unit = "pixels" if one.placement.flat else "voxels"
        parts.append(f"{picked.voxels:,} {unit}")
        if picked.volume is not None:
            parts.append(f"{picked.volume:,.4g} µm{'²' if one.placement.flat else '³'}")
    if one.joins:
        parts.append("1 fragment" if picked.fragments == 1 else f"{picked.fragments:,} fragments")
        if picked.score is not None:
            parts.append(f"weakest merge {picked.score:.3f}")
    if one.data.instances and picked.class_id is not None:
        parts.append(name)
    return " · ".join(parts)


def _object(prediction: Prediction, identity: int) -> Picked:
    if prediction.joins:
        return pick_fragment(prediction, identity)
    data, scores = prediction.data, _scores(prediction)
    score = float(scores[identity]) if identity < len(scores) else None
    classes = data.classes
    class_id = int(classes[identity]) if classes is not None and identity < len(classes) else None
    shown = (score is None or score >= data.threshold) and identity not in data.hidden_ids
    return Picked(prediction, identity, score, prediction.size_of(identity), class_id, shown)


def _scores(prediction: Prediction) -> Any:
    return prediction.data.scores if prediction.data.scores is not None else np.zeros(0, np.float32)


def _around(whole: Region, voxel: tuple[int, int, int]) -> Region:
    start = [v - n // 2 for v, n in zip(voxel, _AROUND, strict=True)]
    return Region.from_shape(_AROUND, start).intersect(whole)
