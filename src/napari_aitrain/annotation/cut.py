"""Where to cut a single box in two, for training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Triple

SMALLEST = 16
SMALLEST_DEPTH = 8


@dataclass(frozen=True)
class Cut:
    """A cut across one axis of a box.

    Parameters
    ----------
    axis : int
        0, 1 or 2 for z, y or x.
    train, validation : tuple of int
        Half-open spans along the axis, counted from the beginning of the box.
    share : float
        Share of the labelled voxels outside the gap that validation gets.
    wanted_gap : int
        Full width of the receptive field along the axis; the gap between the spans may be narrower.
    forgotten, unseen : int
        Classes of which nothing is left for training, and for validation.
    """

    axis: int
    train: tuple[int, int]
    validation: tuple[int, int]
    share: float
    wanted_gap: int
    forgotten: int = 0
    unseen: int = 0

    @property
    def training_first(self) -> bool:
        """Whether training has the low end of the axis."""
        return self.train[0] < self.validation[0]

    @property
    def gap(self) -> int:
        """Voxels between the two spans."""
        return max(self.validation[0] - self.train[1], self.train[0] - self.validation[1])


def find_cut(profiles: Sequence[npt.NDArray[np.int64]], fraction: float, receptive_field: Triple) -> Cut | None:
    """Find the cut whose validation part comes nearest to a share of the labelled voxels.

    The longest axis is tried first, then the others; each with a gap as wide as the receptive field. Only when no
    axis has room for that, the gap shrinks to half, then to one voxel. Both parts must hold labelled voxels, and
    training all classes if any cut allows it; training keeps at least half of the extent.

    Parameters
    ----------
    profiles : sequence of three ndarray of int, shape (k, n)
        Labelled voxels per class and per plane along z, y and x.
    fraction : float
        Share wanted for validation.
    receptive_field : tuple of int
        Half widths in z, y, x order.

    Returns
    -------
    Cut or None
        None when no cut leaves labelled voxels of a sensible extent on both sides.
    """
    best: Cut | None = None
    for divisor in (1, 2, 0):
        for axis in sorted(range(3), key=lambda axis: -profiles[axis].shape[1]):
            wanted = max(1, 2 * receptive_field[axis])
            gap = wanted // divisor if divisor else 1
            # Without a reach in z every slice stands for itself; else a part must be worth a 3-D look.
            smallest = SMALLEST if axis else (SMALLEST_DEPTH if receptive_field[0] else 1)
            cuts = _cuts(profiles[axis], axis, max(1, gap), smallest, wanted)
            best = min([*cuts, *([best] if best else [])], key=lambda cut: cut.forgotten, default=None)
            complete = [cut for cut in cuts if not cut.forgotten]
            if complete:
                return min(complete, key=lambda cut: _cost(cut, fraction, profiles[axis].shape[1]))
    return best


def _cuts(profile: npt.NDArray[np.int64], axis: int, gap: int, smallest: int, wanted: int) -> list[Cut]:
    extent = profile.shape[1]
    upto = np.concatenate([np.zeros((len(profile), 1), np.int64), np.cumsum(profile, axis=1)], axis=1)
    present = upto[:, -1] > 0
    cuts = []
    for length in range(smallest, extent - gap - max(smallest, -(-extent // 2)) + 1):
        rest = extent - length - gap
        for train, validation in (((0, rest), (rest + gap, extent)), ((length + gap, extent), (0, length))):
            learned = upto[:, train[1]] - upto[:, train[0]]
            seen = upto[:, validation[1]] - upto[:, validation[0]]
            if learned.any() and seen.any():
                forgotten, unseen = (int(np.count_nonzero(present & (part == 0))) for part in (learned, seen))
                share = float(seen.sum() / (learned.sum() + seen.sum()))
                cuts.append(Cut(axis, train, validation, share, wanted, forgotten, unseen))
    return cuts


def _cost(cut: Cut, fraction: float, extent: int) -> float:
    length = cut.validation[1] - cut.validation[0]
    # Mostly the share of labelled voxels; the extent decides between cuts that share them alike.
    return cut.unseen + abs(cut.share - fraction) + 0.1 * abs(length / (extent - cut.gap) - fraction)
