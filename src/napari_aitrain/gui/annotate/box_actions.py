"""What can be done with boxes, in voxels of their image; each is one step of undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...annotation.generate import place_boxes
from ...annotation.world import WorldBox
from ...errors import BoxError, VolumeError
from ...geometry import FINEST, Region, Triple, align_inwards, to_finest, triple
from ..frames import LayerFrame
from ..looking import look_at
from ..review.viewing import camera_of
from .image_of import image_layer
from .policy_here import policy_here

if TYPE_CHECKING:
    from ..session import Session


class BoxActions:
    """Makes and changes boxes of a session.

    Parameters
    ----------
    session : Session
        Whose boxes, images and view are meant.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._viewer = session, session.viewer

    def image(self) -> Any:
        """Return the image that new boxes go to: that of the current ground truth, else the one selected, else the top.

        Raises
        ------
        VolumeError
            If there is no image.
        """
        truth = self._session.truths.current
        if truth is not None and truth.image in self._viewer.layers:
            return self._viewer.layers[truth.image]
        images = [layer for layer in self._viewer.layers if layer._type_string == "image"]
        active = self._viewer.layers.selection.active
        if active in images:
            return active
        if not images:
            raise VolumeError(
                "there is no image to draw a box on", "an open image", "open one with File ▸ Open, or a sample"
            )
        return images[-1]

    def magnification(self, image: str) -> Triple:
        """Return the magnification of the ground truth of an image; the finest if it has none."""
        truths, current = self._session.truths.of_image(image), self._session.truths.current
        chosen = current if current in truths else next(iter(truths), None)
        return FINEST if chosen is None else chosen.magnification

    def minimum(self, image: str) -> Triple:
        """Return the smallest extent that training takes without a warning, in voxels of the image."""
        extent = policy_here(self._session).minimum_extent
        return triple([extent * m for m in self.magnification(image)])

    def region(self, box: WorldBox) -> Region:
        """Return the voxels of a box.

        Raises
        ------
        AitrainError
            If its image is not open.
        """
        return LayerFrame.of(image_layer(self._viewer, box.image)).to_region(box.start, box.stop)

    def make(self, layer: Any, region: Region, frame: Sequence[int] = (), **fields: Any) -> WorldBox:
        """Return a box of voxels of a layer, cut off at its border; it is not added yet.

        Raises
        ------
        BoxError
            If nothing of it lies inside the image.
        """
        place = LayerFrame.of(layer)
        inside = region.intersect(Region.from_shape(place.shape))
        if inside.empty:
            raise BoxError(f"the box lies outside {layer.name}", "a box inside the image", "draw it on the image")
        start, stop = place.to_world(inside)
        fields.setdefault("name", self._next_name())
        return WorldBox(start=start, stop=stop, image=layer.name, frame=tuple(frame), **fields)

    def shown_frame(self, layer: Any) -> tuple[int, ...]:
        """Return the index along the axes before z, y and x that is on screen; 0 along channels."""
        place, index = LayerFrame.of(layer), self._point_in(layer)
        return tuple(
            0 if axis == place.channel else int(np.clip(index[axis], 0, n - 1)) for axis, n in enumerate(place.leading)
        )

    def slice_voxels(self, layer: Any) -> Triple:
        """Return the z, y, x voxel that the sliders stand at."""
        index = [int(n) for n in self._point_in(layer)]
        return triple([0, *index[-2:]] if LayerFrame.of(layer).flat else index[-3:])

    def add_at_view(self, depth: int) -> None:
        """Add a box in the middle of what is on screen, a third as wide, `depth` voxels deep."""
        layer = self.image()
        place, least, grid = LayerFrame.of(layer), self.minimum(layer.name), self.magnification(layer.name)
        middle = self._view_middle(layer)
        size = []
        shown = [axis - self._viewer.dims.ndim + 3 for axis in self._viewer.dims.displayed[-2:]]
        visible = self._visible_extent(layer)
        for axis in range(3):
            wanted = max(least[axis], visible[axis] // 3 // least[axis] * least[axis])
            deep = -(-depth // grid[axis]) * grid[axis]
            size.append(min(place.shape[axis], wanted if axis in shown else deep))
        self._session.boxes.add(self.make(layer, _around(middle, size, place.shape), self.shown_frame(layer)))

    def generate(self, count: int, size: Triple, role: str = "train") -> int:
        """Add boxes at random places of the image, and return how many fitted."""
        layer = self.image()
        place, frame = LayerFrame.of(layer), self.shown_frame(layer)
        taken = [self.region(box) for box in self._session.boxes if box.image == layer.name and box.frame == frame]
        grid = self.magnification(layer.name)
        regions = place_boxes(place.shape, size, count, taken, len(self._session.boxes), grid)
        number = len(self._session.boxes)
        self._session.boxes.add(
            *(self.make(layer, r, frame, role=role, name=f"box {number + i}") for i, r in enumerate(regions, 1))
        )
        return len(regions)

    def duplicate(self, box: WorldBox) -> None:
        """Add a copy beside a box: to the right where there is room, else as far as there is."""
        layer = image_layer(self._viewer, box.image)
        region, shape = self.region(box), LayerFrame.of(layer).shape
        moved = region
        for axis in (2, 1, 0):
            by = [region.shape[a] if a == axis else 0 for a in range(3)]
            if region.stop[axis] + region.shape[axis] <= shape[axis]:
                moved = region.shift(by)
                break
            if region.start[axis] >= region.shape[axis]:
                moved = region.shift([-b for b in by])
                break
        kept = {"role": box.role, "status": box.status, "tags": box.tags, "sparse": box.sparse}
        self._session.boxes.add(self.make(layer, moved, box.frame, name=f"{box.name} copy".strip(), **kept))

    def placed(self, box: WorldBox, region: Region) -> WorldBox:
        """Return a box that covers other voxels; along axes where they are the same ones its faces stay as they are."""
        before = self.region(box)
        start, stop = LayerFrame.of(image_layer(self._viewer, box.image)).to_world(region)
        kept = [
            a == c and b == d for a, b, c, d in zip(before.start, before.stop, region.start, region.stop, strict=True)
        ]
        low, high = (
            [old if same else new for same, old, new in zip(kept, olds, news, strict=True)]
            for olds, news in ((box.start, start), (box.stop, stop))
        )
        return WorldBox.model_validate(box.model_dump() | {"start": low, "stop": high})

    def set_region(self, box: WorldBox, region: Region) -> None:
        """Move or resize a box."""
        self._session.boxes.replace(self.placed(box, region))

    def snap(self, box: WorldBox) -> None:
        """Shrink a box to whole voxels of the magnification of its ground truth.

        Raises
        ------
        BoxError
            If no whole voxel fits.
        """
        m = self.magnification(box.image)
        aligned = to_finest(align_inwards(self.region(box), m), m)
        if aligned.empty:
            raise BoxError(f"{box.name} holds no whole voxel of the magnification", "a larger box", "make it larger")
        self.set_region(box, aligned)

    def first_here(self, box: WorldBox) -> None:
        """Let a box begin at the slice on screen.

        Raises
        ------
        BoxError
            If it ends before, or no slice is on screen.
        """
        self._face_here(box, last=False)

    def last_here(self, box: WorldBox) -> None:
        """Let a box end with the slice on screen.

        Raises
        ------
        BoxError
            If it begins after, or no slice is on screen.
        """
        self._face_here(box, last=True)

    def _face_here(self, box: WorldBox, last: bool) -> None:
        layer, region = image_layer(self._viewer, box.image), self.region(box)
        place, here, grid = LayerFrame.of(layer), self.slice_voxels(layer), self.magnification(box.image)
        start, stop = list(region.start), list(region.stop)
        hidden = [axis for axis in self.hidden_axes() if not (place.flat and axis == 0)]
        if not hidden:
            raise BoxError(
                f"no slice through {box.name} is on screen",
                "a slice of a volume in 2-D",
                "switch the view to 2-D (the cube at the bottom left), and go to the slice",
            )
        for axis in hidden:
            m, n = grid[axis], place.shape[axis]
            voxel = min(max(here[axis], 0), n - 1) // m
            if last:
                stop[axis] = min((voxel + 1) * m, n)
            else:
                start[axis] = voxel * m
            if start[axis] >= stop[axis]:
                raise BoxError(
                    f"this slice lies {'before the first' if last else 'after the last'} slice of {box.name}",
                    "a box of one slice at least",
                    f"press {'First' if last else 'Last'} slice here before",
                )
        self.set_region(box, Region(triple(start), triple(stop)))

    def go_to(self, box: WorldBox) -> None:
        """Bring a box into view: its middle slice, and its middle on screen."""
        middle = [(a + b) / 2 for a, b in zip(box.start, box.stop, strict=True)]
        look_at(self._viewer, image_layer(self._viewer, box.image), middle, box.frame)
        self._session.boxes.select(box.id)

    def hidden_axes(self) -> list[int]:
        """Return which of z, y, x are not on screen, as 0, 1, 2."""
        dims = self._viewer.dims
        return [axis for axis in range(3) if 0 <= dims.ndim - 3 + axis not in dims.displayed]

    def _point_in(self, layer: Any) -> list[int]:
        point = self._viewer.dims.point[-layer.ndim :]
        matrix = layer._transforms[1:].simplified
        index = (np.asarray(point) - matrix.translate) / np.diag(np.asarray(matrix.linear_matrix))
        return [int(n) for n in np.floor(index + 0.5)]

    def _view_middle(self, layer: Any) -> list[int]:
        dims = self._viewer.dims
        world = list(dims.point)
        for axis, value in zip(dims.displayed[-2:], camera_of(self._viewer).center[-2:], strict=True):
            world[axis] = value
        place = LayerFrame.of(layer)
        spatial = ([0.0] if place.flat else []) + world[-2 if place.flat else -3 :]
        return [
            int(np.clip(np.floor((w - t) / s + 0.5), 0, n - 1))
            for w, t, s, n in zip(spatial, place.translate, place.scale, place.shape, strict=True)
        ]

    def _visible_extent(self, layer: Any) -> list[int]:
        """Return how many voxels of the image fit on screen along each axis."""
        width = min(self._viewer.window._qt_window._qt_viewer.canvas.size)
        place = LayerFrame.of(layer)
        return [
            min(n, int(width / camera_of(self._viewer).zoom / abs(s)))
            for n, s in zip(place.shape, place.scale, strict=True)
        ]

    def _next_name(self) -> str:
        names = {box.name for box in self._session.boxes}
        return next(name for n in range(1, len(names) + 2) if (name := f"box {n}") not in names)


def _around(middle: Sequence[int], size: Sequence[int], shape: Triple) -> Region:
    start = [max(0, min(m - s // 2, n - s)) for m, s, n in zip(middle, size, shape, strict=True)]
    return Region.from_shape(size, start)
