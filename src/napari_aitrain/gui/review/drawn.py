"""The numbers of 16 bits that napari draws in the place of ids and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...tasks.protocol import FloatArray

ShownArray = npt.NDArray[np.uint16]

SCORE_COLOURS = 250
"""Colours that scores from 0 to 1 are drawn in."""

# What napari draws is a number of 16 bits: 32 bits cost it three times the time of a slice.
_MOST = 65535
_VARIANTS = _MOST // SCORE_COLOURS


def drawn_ids(ids: npt.NDArray[Any]) -> ShownArray:
    """Return ids as they are drawn: those above 65535 start again from 1."""
    if ids.size and int(ids.max()) > _MOST:
        return np.where(ids > 0, (ids - 1) % _MOST + 1, 0).astype(np.uint16)
    return ids.astype(np.uint16)


def drawn_scores(ids: npt.NDArray[Any], scores: FloatArray) -> ShownArray:
    """Return numbers that tell scores, in `SCORE_COLOURS` colours that repeat, so that neighbours of one stay apart."""
    numbers: ShownArray = (1 + score_colours(scores) + SCORE_COLOURS * (ids % _VARIANTS)).astype(np.uint16)
    return numbers


def score_colours(scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return which of the `SCORE_COLOURS` colours scores from 0 to 1 are drawn in, from 0."""
    bins: npt.NDArray[np.int64] = np.clip(np.nan_to_num(scores) * SCORE_COLOURS, 0, SCORE_COLOURS - 1).astype(np.int64)
    return bins
