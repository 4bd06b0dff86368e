"""Boxes drawn over the layers, on every slice that they reach and as wireframes in 3-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy.color import Color  # type: ignore[import-untyped]
from vispy.scene.visuals import Line, Markers, Text  # type: ignore[import-untyped]

ROLE_COLOURS = {"train": "#4c9be8", "validation": "#e8b84c", "test": "#e8624c"}
_ORDER = 10**6
_DIM = 0.25
_HANDLE = 9
_RISE = 6


@dataclass(frozen=True)
class Outline:
    """A box as it is drawn.

    Parameters
    ----------
    lines : ndarray of shape (n, 2 or 3)
        Pairs of points in world units, x first.
    colour : str
        As ``#rrggbb``.
    bright : bool
        Whether the slice on screen goes through the box; else it is dimmed.
    selected : bool
        Drawn thicker.
    name : str
        Written at its corner.
    handles : ndarray of shape (n, 2), optional
        Where it can be taken hold of, x first.
    """

    lines: npt.NDArray[np.float32]
    colour: str
    bright: bool = True
    selected: bool = False
    name: str = ""
    handles: npt.NDArray[np.float32] | None = None


class BoxOverlay:
    """Lines and names in the scene of a napari canvas; knows no box and no layer.

    Parameters
    ----------
    parent : vispy.scene.Node
        The scene that the layers are drawn in.
    """

    def __init__(self, parent: Any) -> None:
        self._nodes = [Line(connect="segments", method="gl", width=width, antialias=True) for width in (2, 4)]
        self._names = Text(anchor_x="left", anchor_y="top", font_size=11, bold=True)
        self._handles = Markers(pos=np.zeros((1, 3)), scaling="fixed", antialias=0)
        for node in self._all:
            node.order = _ORDER
            node.set_gl_state("translucent", depth_test=False)
            node.visible = False
            node.parent = parent
        self.outlines: tuple[Outline, ...] = ()
        self._pixel = 1.0

    @property
    def _all(self) -> tuple[Any, ...]:
        return (*self._nodes, self._names, self._handles)

    def show(self, outlines: Sequence[Outline]) -> None:
        """Draw these and no others."""
        self.outlines = tuple(outlines)
        for node, chosen in zip(self._nodes, (False, True), strict=True):
            some = [one for one in outlines if one.selected == chosen]
            node.visible = bool(some)
            if some:
                # vispy's buffers keep the number of axes that they began with.
                position = np.concatenate([_in_3d(one.lines) for one in some])
                node.set_data(pos=position, color=np.concatenate([_colours(one) for one in some]))
        named = [one for one in outlines if one.name and one.bright]
        self._names.visible = bool(named)
        if named:
            self._names.text = [one.name for one in named]
            self._place_names()
            self._names.color = [one.colour for one in named]
        held = [one for one in outlines if one.handles is not None]
        self._handles.visible = bool(held)
        if held:
            places = np.concatenate([_in_3d(one.handles) for one in held if one.handles is not None])
            colour = held[0].colour
            self._handles.set_data(places, _HANDLE, 2, edge_color=colour, face_color="white", symbol="square")

    def set_pixel(self, extent: float) -> None:
        """Say how many world units a pixel is, so that names stay clear of lines and handles."""
        self._pixel = extent
        self._place_names()

    def _place_names(self) -> None:
        corners = [_corner(one.lines) for one in self.outlines if one.name and one.bright]
        if corners:
            self._names.pos = np.array(corners) - (0, _RISE * self._pixel, 0)

    def close(self) -> None:
        """Take everything out of the scene."""
        for node in self._all:
            node.parent = None


def _colours(outline: Outline) -> npt.NDArray[np.float32]:
    rgba = Color(outline.colour, 1.0 if outline.bright else _DIM).rgba
    return np.tile(rgba, (len(outline.lines), 1)).astype(np.float32)


def _in_3d(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _corner(lines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    corner: npt.NDArray[np.float32] = _in_3d(lines).min(axis=0)
    return corner
