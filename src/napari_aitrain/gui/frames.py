"""How a layer lies in the world: which axes are z, y and x, and how voxels, boxes and units translate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..annotation.boxes import Box
from ..annotation.world import WorldBox, WorldPoint
from ..errors import VolumeError
from ..geometry import Region, Triple
from ..volumes.units import VoxelSize, nanometres_per

_CHANNELS = frozenset({"c", "channel", "channels"})
_NOT_SPATIAL = _CHANNELS | {"t", "time"}


@dataclass(frozen=True)
class LayerFrame:
    """Where a layer's finest voxels lie.

    Parameters
    ----------
    leading : tuple of int
        Extents of the axes before the spatial ones, such as time.
    flat : bool
        Whether there is no z axis; z is then an axis of one voxel, of scale 1 at 0.
    shape : tuple of int
        z, y, x extent in voxels of the finest level.
    scale, translate : tuple of float
        World units per voxel, and the world position of the middle of the first voxel, in z, y, x order.
    rgb : bool
        Whether colours are a last axis.
    nanometres : float or None
        Nanometres per world unit; None when the unit is no known length.
    channel : int or None
        Which of the leading axes is channels, if it is named so.
    """

    leading: tuple[int, ...]
    flat: bool
    shape: Triple
    scale: WorldPoint
    translate: WorldPoint
    rgb: bool = False
    nanometres: float | None = None
    channel: int | None = None

    @classmethod
    def of(cls, layer: Any) -> LayerFrame:
        """Return the frame of an image or labels layer.

        Raises
        ------
        VolumeError
            If the layer has one axis only, or is rotated or sheared: voxels and boxes would not be parallel.
        """
        array = layer.data[0] if layer.multiscale else layer.data
        rgb = bool(getattr(layer, "rgb", False))
        shape = tuple(int(n) for n in array.shape[: -1 if rgb else None])
        if len(shape) < 2:
            raise VolumeError(
                f"{layer.name} has {len(shape)} axis", "an image with at least y and x", "choose another image"
            )
        matrix = np.asarray(layer._transforms[1:].simplified.linear_matrix)
        if not np.allclose(matrix, np.diag(np.diag(matrix)), atol=1e-6 * np.abs(matrix).max()):
            raise VolumeError(
                f"{layer.name} is rotated or sheared in the viewer",
                "an image whose axes are those of the world",
                "reset its rotation, shear and affine, or save the rotated image and open that",
            )
        labels = [str(name).casefold() for name in layer.axis_labels]
        spatial = 3 if len(shape) >= 3 and labels[-3] not in _NOT_SPATIAL else 2
        scale = [float(v) for v in np.diag(matrix)[-spatial:]]
        translate = [float(v) for v in layer._transforms[1:].simplified.translate[-spatial:]]
        if spatial == 2:
            scale, translate = [1.0, *scale], [0.0, *translate]
        extents = (1, *shape[-2:]) if spatial == 2 else shape[-3:]
        units = {str(unit) for unit in layer.units[-spatial:]}
        return cls(
            leading=shape[:-spatial],
            flat=spatial == 2,
            shape=(extents[0], extents[1], extents[2]),
            scale=(scale[0], scale[1], scale[2]),
            translate=(translate[0], translate[1], translate[2]),
            rgb=rgb,
            nanometres=nanometres_per(units.pop()) if len(units) == 1 else None,
            channel=next((i for i, label in enumerate(labels[: len(shape) - spatial]) if label in _CHANNELS), None),
        )

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Nanometres in z, y, x order; of a 2-D image z is as y. None when the unit is no known length."""
        if self.nanometres is None:
            return None
        z, y, x = (abs(s) * self.nanometres for s in self.scale)
        return (y if self.flat else z), y, x

    @property
    def ndim(self) -> int:
        """Number of axes in the viewer, without colours."""
        return len(self.leading) + (2 if self.flat else 3)

    def to_world(self, region: Region) -> tuple[WorldPoint, WorldPoint]:
        """Return the outer faces of a region of voxels, in world units."""
        first, last = (
            [(edge - 0.5) * s + t for edge, s, t in zip(edges, self.scale, self.translate, strict=True)]
            for edges in (region.start, region.stop)
        )
        low, high = (tuple(f(a, b) for a, b in zip(first, last, strict=True)) for f in (min, max))
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def to_region(self, start: Sequence[float], stop: Sequence[float]) -> Region:
        """Return the voxels whose borders are nearest to two faces in world units; may reach beyond the layer."""
        edges = np.array(
            [
                [(w - t) / s + 0.5 for w, s, t in zip(face, self.scale, self.translate, strict=True)]
                for face in (start, stop)
            ]
        )
        rounded = np.sort(np.floor(edges + 0.5 + 1e-9).astype(int), axis=0)
        if self.flat:
            rounded[:, 0] = 0, 1
        return Region(rounded[0].tolist(), np.maximum(rounded[1], rounded[0] + 1).tolist())

    def to_box(self, box: WorldBox) -> Box:
        """Return a box in voxels of the layer's finest level."""
        region = self.to_region(box.start, box.stop)
        return Box(
            start=region.start,
            stop=region.stop,
            name=box.name,
            role=box.role,
            status=box.status,
            tags=box.tags,
            sparse=box.sparse,
            changed=box.changed,
        )

    def index(self, region: Region, frame: Sequence[int] = ()) -> tuple[int | slice, ...]:
        """Return what indexes the layer's finest array for a region of one frame; the region is within the layer.

        Of a 2-D layer the result has two axes, else three, and colours follow.
        """
        return (*frame, *region.slices[1 if self.flat else 0 :])
