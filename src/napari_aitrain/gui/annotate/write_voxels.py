"""Writing single voxels into a ground truth layer, as one step of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..frames import LayerFrame

if TYPE_CHECKING:
    from napari.layers import Labels

MOST_VOXELS = 30_000_000
"""Voxels that one step may write: napari keeps what was there before, to be undone."""


def write_voxels(truth: Labels, frame: tuple[int, ...], places: Any, values: Any) -> None:
    """Write ids.

    Parameters
    ----------
    truth : napari.layers.Labels
        Of one scale.
    frame : tuple of int
        Index along the axes before z, y and x.
    places : ndarray of int, shape (3, n)
        z, y, x.
    values : ndarray of int, shape (n,)
        What to write.
    """
    lead = tuple(np.full(places.shape[1], index, np.int64) for index in frame)
    spatial = places[1:] if LayerFrame.of(truth).flat else places
    truth.data_setitem((*lead, *spatial), values.astype(truth.data.dtype))
