"""What is classified: the objects of a labels layer or of a prediction, or the boxes of an image."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ...annotation.boxes import Box
from ...annotation.world import WorldBox
from ...classification.marks import Kind, Mark
from ...errors import GroundTruthError
from ...geometry import FINEST, Triple
from ...tasks.threshold import kept_ids
from ...volumes import Volume
from ...volumes.building import build_volume
from ...volumes.units import VoxelSize
from ..annotate.sources import frame_volume
from ..frames import LayerFrame
from ..review.prediction import Prediction
from ..review.thresholded import Slices, Thresholded
from ..review.viewing import leading_index

if TYPE_CHECKING:
    from ..session import Session

_MOST_SUMMED = 2**28
_known: WeakKeyDictionary[Thresholded, dict[tuple[float, Triple | None], int]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Subject:
    """What is classified; its methods read what is shown at that moment.

    Parameters
    ----------
    session : Session
        Of the window.
    kind : {'objects', 'boxes'}
        What is classified.
    image : napari.layers.Image, optional
        The image; without it only shapes are measured.
    labels : napari.layers.Labels, optional
        The objects.
    prediction : Prediction, optional
        That `labels` shows, if it does.
    """

    session: Session
    kind: Kind
    image: Any
    labels: Any = None
    prediction: Prediction | None = None

    @property
    def name(self) -> str:
        """Of the layer of objects, or of the image of boxes."""
        return str(self.labels.name if self.kind == "objects" else self.image.name)

    @property
    def key(self) -> str:
        """Stem of its file in the project."""
        truth = self.session.truths.of_layer(self.name) if self.kind == "objects" else None
        if truth is not None:
            return truth.key
        stem = re.sub(r"[^a-z0-9]+", "-", self.name.casefold()).strip("-")[:40] or "objects"
        return f"{self.kind}-{stem}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"

    @property
    def ids(self) -> Slices:
        """Ids as the layer lies, without its axes before z, y and x.

        Raises
        ------
        GroundTruthError
            If there are several frames, such as time points.
        """
        if self.prediction is not None:
            return _PredictedIds(self.prediction)
        data = self.labels.data[0] if self.labels.multiscale else self.labels.data
        frame = LayerFrame.of(self.labels)
        if any(n > 1 for n in frame.leading):
            raise GroundTruthError(
                f"{self.name} has {' × '.join(map(str, frame.leading))} frames, such as time points",
                "objects of one image or volume",
                "take out one time point first: right-click the layer, Split Stack",
            )
        found: Slices = data[(0,) * len(frame.leading)] if frame.leading else data
        return found

    @property
    def voxel_size(self) -> VoxelSize | None:
        """nm, z, y, x, of the objects."""
        return LayerFrame.of(self.labels if self.kind == "objects" else self.image).voxel_size

    def labels_volume(self) -> Volume:
        """Return the objects as a volume."""
        ids = self.ids
        axes = "yx" if len(ids.shape) == 2 else "zyx"
        return build_volume([(ids, FINEST)], self.name, None, "labels", asked=axes, voxel_size=self.voxel_size)  # type: ignore[list-item]

    def image_volume(self) -> Volume | None:
        """Return the frame of the image that is on screen, as a volume; None without an image."""
        if self.image is None:
            return None
        frame = LayerFrame.of(self.image)
        return frame_volume(self.image, frame, leading_index(self.session.viewer, self.image, frame))

    def boxes(self) -> list[WorldBox]:
        """Return the boxes of the image."""
        return [box for box in self.session.boxes if box.image == self.image.name]

    def regions(self) -> list[Box]:
        """Return the boxes of the image in its voxels."""
        frame = LayerFrame.of(self.image)
        return [frame.to_box(box) for box in self.boxes()]

    def stamp(self) -> tuple[object, ...]:
        """Return what changes when the objects do, if that is cheap to know; else something new each time."""
        if self.kind == "boxes":
            return tuple(self.boxes())
        data = self.labels.data
        if self.prediction is not None:
            return id(self.prediction.data), self.prediction.data.threshold
        if isinstance(data, np.ndarray) and data.nbytes <= _MOST_SUMMED:
            return id(data), zlib.crc32(np.ascontiguousarray(data).data)
        return (object(),)

    def at(self, event: Any) -> Mark | None:
        """Return a mark, without an answer yet, of what is under the cursor; None where nothing is."""
        if self.kind == "boxes":
            box = self._box_at(event.position)
            return None if box is None else Mark(box=box.id)
        layer = self.labels
        data = np.round(np.asarray(layer.world_to_data(np.asarray(event.position)[-layer.ndim :]))).astype(int)
        ids = self.ids
        inner = data[-len(ids.shape) :]
        if not all(0 <= i < n for i, n in zip(inner, ids.shape, strict=True)):
            return None
        identity = int(np.asarray(ids[tuple(int(i) for i in inner)]))
        spatial = (0, *inner.tolist()) if len(inner) == 2 else inner.tolist()
        z, y, x = (a + s for a, s in zip(spatial, self._start, strict=True))
        return Mark(id=identity, at=(z, y, x)) if identity > 0 else None

    def id_of(self, mark: Mark) -> int:
        """Return the id of a marked object now, or the number of the box; 0 if it has gone."""
        if self.kind == "boxes":
            return next((n for n, box in enumerate(self.boxes(), start=1) if box.id == mark.box), 0)
        if self.prediction is not None:
            # What is on a disk is not read again with each click.
            known = _known.setdefault(self.prediction.data, {})
            where = self.prediction.data.threshold, mark.at
            if where not in known:
                known[where] = self._read_id(mark)
            return known[where]
        return self._read_id(mark)

    def _read_id(self, mark: Mark) -> int:
        if mark.at is None:
            return 0
        ids = self.ids
        whole = [a - s for a, s in zip(mark.at, self._start, strict=True)]
        place = tuple(whole if len(ids.shape) == 3 else whole[1:])
        if not all(0 <= i < n for i, n in zip(place, ids.shape, strict=True)):
            return 0
        return max(0, int(np.asarray(ids[place])))

    @property
    def _start(self) -> Triple:
        """First voxel that the layer shows of a ground truth that is painted through a window."""
        truth = self.session.truths.of_layer(self.name)
        return (0, 0, 0) if truth is None or truth.window is None else truth.window.region.start

    def _box_at(self, position: Any) -> WorldBox | None:
        frame = LayerFrame.of(self.image)
        place = [float(v) for v in position][-(2 if frame.flat else 3) :]
        there = [0.0, *place] if frame.flat else place
        inside = [
            box for box in self.boxes() if all(a <= p <= b for a, p, b in zip(box.start, there, box.stop, strict=True))
        ]
        # Of boxes in each other the smaller one is meant.
        return min(inside, key=lambda box: np.prod(np.subtract(box.stop, box.start)), default=None)


class _PredictedIds:
    """Ids of a prediction as its threshold leaves them, as its layer lies."""

    def __init__(self, prediction: Prediction) -> None:
        data = prediction.data
        self._labels, self._flat = data.labels, data.flat
        if data.segments is not None:
            self._table: npt.NDArray[np.int32] = data.segments
        elif data.scores is not None:
            self._table = kept_ids(data.scores, data.threshold)
        else:
            raise GroundTruthError(
                f"{prediction.layer.name} shows classes of voxels, not objects",
                "a prediction of objects",
                "choose a layer whose labels number objects",
            )
        self.shape = self._labels.shape[1:] if self._flat else self._labels.shape
        self.ndim, self.dtype = len(self.shape), np.dtype(np.int32)

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        found = np.asarray(self._labels[(0, *parts) if self._flat else parts])
        return self._table.take(np.minimum(found, len(self._table) - 1))


def subject_of(session: Session, kind: Kind, labels: str, image: str) -> Subject | None:
    """Return what is to be classified by the names of its layers; None if they are not there."""
    layers = session.viewer.layers
    shown = next((layer for layer in layers if layer.name == image), None)
    if kind == "boxes":
        return None if shown is None else Subject(session, kind, shown)
    if labels not in layers:
        return None
    layer = layers[labels]
    prediction = next((one for one in session.predictions.all() if one.layer.layer is layer), None)
    return Subject(session, kind, shown, layer, prediction)
