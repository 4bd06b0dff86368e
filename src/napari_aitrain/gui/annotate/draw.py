"""Drawing a box with the mouse, in whichever two axes are on screen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...annotation.world import WorldBox
from ...errors import AitrainError, BoxError
from ...geometry import Region, triple
from ..frames import LayerFrame
from ..notify import report
from .box_actions import BoxActions
from .tool import BoxTool

if TYPE_CHECKING:
    from ..session import Session

_LEAST = 2


class BoxDrawing(BoxTool):
    """A tool that is on until a box was drawn, or it is switched off.

    Parameters
    ----------
    session : Session
        Of the viewer.
    actions : BoxActions
        Makes the boxes.

    Attributes
    ----------
    depth : int
        Voxels along the axis that is not on screen, around the slice that is.
    """

    _done = "drawn"
    _cursor = "crosshair"

    def __init__(self, session: Session, actions: BoxActions) -> None:
        super().__init__(session, actions)
        self.depth = 32
        self._first: tuple[float, ...] = ()

    def _can_start(self) -> bool:
        try:
            self._actions.image()
        except AitrainError as error:
            report(error)
            return False
        return super()._can_start()

    def _begin(self, event: Any) -> bool:
        self._first = tuple(event.position)
        return True

    def _follow(self, event: Any) -> None:
        try:
            self._session.scene.set_draft(self._box(tuple(event.position)))
        except BoxError:
            self._session.scene.set_draft(None)

    def _finish(self, event: Any) -> None:
        last = tuple(event.position)
        self.stop()
        try:
            self._session.boxes.add(self._box(last))
        except AitrainError as error:
            report(error)

    def _box(self, last: tuple[float, ...]) -> WorldBox:
        layer = self._actions.image()
        place, dims = LayerFrame.of(layer), self._viewer.dims
        here, grid = self._actions.slice_voxels(layer), self._actions.magnification(layer.name)
        start, stop = [0, 0, 0], [1, 1, 1]
        corners = [_voxels(layer, point) for point in (self._first, last)]
        for axis, m in enumerate(grid):
            if axis == 0 and place.flat:
                continue
            if dims.ndim - 3 + axis in dims.displayed:
                start[axis] = min(corner[axis] for corner in corners)
                stop[axis] = max(corner[axis] for corner in corners) + 1
                if stop[axis] - start[axis] < _LEAST:
                    raise _thin()
            else:
                depth = min(-(-self.depth // m) * m, place.shape[axis])
                start[axis] = max(0, min(here[axis] - depth // 2, place.shape[axis] - depth))
                stop[axis] = start[axis] + depth
            # Whole voxels of what is painted, outwards: what the drag went over is in the box.
            start[axis], stop[axis] = start[axis] // m * m, -(-stop[axis] // m) * m
        return self._actions.make(layer, Region(triple(start), triple(stop)), self._actions.shown_frame(layer))


def _thin() -> BoxError:
    return BoxError(
        "the box is thinner than two voxels",
        "a box of some extent",
        "press the mouse button at one corner, drag to the opposite one, and let go there",
    )


def _voxels(layer: Any, point: tuple[float, ...]) -> list[int]:
    place = LayerFrame.of(layer)
    spatial = [0.0, *point[-2:]] if place.flat else list(point[-3:])
    return [math.floor((w - t) / s + 0.5) for w, t, s in zip(spatial, place.translate, place.scale, strict=True)]
