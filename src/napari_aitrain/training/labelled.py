"""What is labelled in a box: ids, how much, where, and whether it goes on from slice to slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt

from ..annotation.roles import Profiles
from ..geometry import Region, tiles
from ..volumes import Volume
from ..volumes.labels import read_labels

UNLABELLED = -1
TILE = (32, 512, 512)
MANY_CLASSES = 32


@dataclass(frozen=True)
class Labelled:
    """What was found in a box.

    Parameters
    ----------
    voxels : dict of int to int
        Labelled voxels per id, as training sees ids: 0 is background, unlabelled voxels are not counted.
    profiles : tuple of three ndarray of int, shape (k, n)
        Per row and per plane along z, y and x, the voxels that are not 0 in the file.
    rows : tuple of int
        The classes of the rows; ``(0,)`` where ids are not told apart.
    continued, foreground : int
        Voxels of a foreground id whose neighbour in the next slice has the same id, and all of them that have a
        next slice.
    followed : int
        Of these, the voxels whose neighbour in the next slice is labelled.
    """

    voxels: dict[int, int]
    profiles: Profiles
    rows: tuple[int, ...] = (0,)
    continued: int = 0
    foreground: int = 0
    followed: int = 0

    @property
    def labelled(self) -> int:
        """Number of voxels that are labelled, background included."""
        return sum(self.voxels.values())

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids other than background."""
        return tuple(sorted(label for label in self.voxels if label > 0))

    @property
    def painted(self) -> int:
        """Voxels that are not 0 in the file."""
        return int(self.profiles[0].sum())


def to_training_ids(
    labels: npt.NDArray[np.int32], sparse: bool, background_id: int | None, chosen: Collection[int] = ()
) -> npt.NDArray[np.int32]:
    """Map ids of a file to those of training: −1 is unlabelled, 0 background.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        As in the file.
    sparse : bool
        Whether 0 is unlabelled in the file; otherwise it is background.
    background_id : int, optional
        The id that was painted as background.
    chosen : collection of int
        The ids to tell apart, all others that are labelled being background; none means all.

    Examples
    --------
    >>> to_training_ids(np.array([[[0, 1, 2]]], np.int32), sparse=True, background_id=1).tolist()
    [[[-1, 0, 2]]]
    >>> to_training_ids(np.array([[[0, 1, 2]]], np.int32), sparse=True, background_id=None, chosen=[2]).tolist()
    [[[-1, 0, 2]]]
    """
    out = np.where(np.isin(labels, list(chosen)), labels, 0).astype(np.int32) if chosen else labels.copy()
    if sparse:
        out[labels == 0] = UNLABELLED
    if background_id is not None:
        out[labels == background_id] = 0
    return out


def scan_labels(
    volume: Volume,
    region: Region,
    sparse: bool,
    background_id: int | None,
    by_class: bool = False,
    chosen: Collection[int] = (),
) -> Labelled:
    """Read a box of ground truth tile by tile and count what is in it.

    Parameters
    ----------
    volume : Volume
        Labels at the training magnification.
    region : Region
        In voxels of that magnification.
    sparse, background_id, chosen
        As for `to_training_ids`.
    by_class : bool
        Whether to tell the classes apart in the profiles; of very many classes they are not.

    Raises
    ------
    GroundTruthError, VolumeError
        If a label is none, or the file is damaged.
    """
    counts: Counter[int] = Counter()
    places: dict[int, list[npt.NDArray[np.int64]]] = {}
    continued = foreground = followed = 0
    for tile in tiles(region, TILE):
        raw = read_labels(volume, tile.core)
        labels = to_training_ids(raw, sparse, background_id, chosen)
        found, number = fastremap.unique(labels, return_counts=True)
        counts.update(dict(zip(found.tolist(), number.tolist(), strict=True)))
        at = tile.core.relative_to(region.start).slices
        rows = found[found >= 0].tolist() if by_class and len(found) <= MANY_CLASSES else [None]
        for row in rows:
            painted = raw != 0 if row is None else (raw != 0) & (labels == row)
            totals = places.setdefault(row or 0, [np.zeros(n, np.int64) for n in region.shape])
            for total, span, others in zip(totals, at, ((1, 2), (0, 2), (0, 1)), strict=True):
                total[span] += np.count_nonzero(painted, axis=others)
        inside = labels[:-1] > 0
        foreground += int(np.count_nonzero(inside))
        followed += int(np.count_nonzero(inside & (labels[1:] >= 0)))
        continued += int(np.count_nonzero(inside & (labels[:-1] == labels[1:])))
    counts.pop(UNLABELLED, None)
    order = tuple(sorted(places)) or (0,)
    nothing = [np.zeros(n, np.int64) for n in region.shape]
    z, y, x = (np.stack([places.get(row, nothing)[axis] for row in order]) for axis in range(3))
    return Labelled(dict(sorted(counts.items())), (z, y, x), order, continued, foreground, followed)


def count_pieces(
    volume: Volume, region: Region, sparse: bool, background_id: int | None, chosen: Collection[int] = ()
) -> dict[int, int]:
    """Count connected pieces of each class in a box, tile by tile; parameters are those of `scan_labels`.

    A piece that reaches over tiles is counted where it begins; one of an odd shape may count twice.
    """
    pieces: Counter[int] = Counter()
    for tile in tiles(region, TILE):
        labels = to_training_ids(read_labels(volume, tile.core), sparse, background_id, chosen)
        labels[labels < 0] = 0
        parts = cc3d.connected_components(labels, connectivity=26)
        # Those that come from a tile before this one were counted there.
        begun = [axis for axis in range(3) if tile.core.start[axis] > region.start[axis]]
        before = {int(part) for axis in begun for part in fastremap.unique(parts.take(0, axis=axis))}
        number, first = np.unique(parts.ravel(), return_index=True)
        for part, at in zip(number.tolist(), first.tolist(), strict=True):
            if part and part not in before:
                pieces[int(labels.flat[at])] += 1
    return dict(pieces)
