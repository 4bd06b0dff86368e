"""From the pieces of all blocks to objects, in one pass over the pairs and two over the pieces.

Whatever is kept per piece or per object lies in arrays that become files where they are long, so that memory does not
grow with the number of objects: see `union.column`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import VolumeError
from ..evaluation.calibration import Calibration
from ..tasks.protocol import FloatArray, LabelArray
from .objects import ObjectTable
from .stitching import PAIRS, PIECES, IdArray, Merged, Pairs, Pieces, block_file
from .union import Union, column

FOLDER = "merging"
SEEN_WHOLE = 0.9
"""A block has seen an object whole if its piece has as many voxels, up to a tenth."""

ID_TYPE = np.int32
_OFFSETS, _TABLE = "offsets.npy", "ids.npy"
_BATCH = 2**18
_ROWS = 2**20
_NOWHERE = np.iinfo(np.int64).max


class Merging:
    """Joins the pieces of all blocks to objects with ids ``1 … n`` without gaps.

    Ids follow the objects' first voxels in the order of the blocks, not of the work. An object that some block has
    seen whole has that block's score and features; of others they are the mean of the pieces, weighted by size.

    Parameters
    ----------
    store : Path
        Folder of the prediction.
    blocks : int
        How many there are; those without a file have no pieces.
    """

    def __init__(self, store: Path, blocks: int) -> None:
        self.store, self.blocks, self.folder = store, blocks, store / FOLDER
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.offsets = np.zeros(blocks + 1, np.int64)
        self.features = 0

    def run(self) -> Merged:
        """Return the objects, and write which object each piece belongs to; see `ids`."""
        for index, pieces in self._pieces():
            self.offsets[index + 1] = len(pieces.size)
            self.features = pieces.features.shape[1]
        np.cumsum(self.offsets, out=self.offsets)
        total = int(self.offsets[-1])
        union = self._joined(total)
        ids = column(self.folder / "by-group.npy", total, ID_TYPE)
        size = self._number(union, ids)
        count = len(size)
        table = np.lib.format.open_memmap(self.folder / _TABLE, "w+", np.dtype(ID_TYPE), (max(1, total),))
        merged = _Columns(self.folder, size, self.features)
        for index, pieces in self._pieces():
            rows = slice(self.offsets[index], self.offsets[index + 1])
            owner = ids[union.find(np.arange(rows.start, rows.stop))]
            table[rows] = owner
            merged.add(owner, pieces)
        table.flush()
        np.save(self.folder / _OFFSETS, self.offsets)
        assert count == len(merged.size)
        return merged.finish()

    def _pieces(self) -> Iterator[tuple[int, Pieces]]:
        for index in range(self.blocks):
            path = block_file(self.store / PIECES, index)
            if path.is_file():
                yield index, Pieces.load(path)

    def _joined(self, total: int) -> Union:
        union = Union(self.folder / "groups.npy", total)
        one: list[IdArray] = []
        other: list[IdArray] = []
        for index in range(self.blocks):
            path = block_file(self.store / PAIRS, index)
            if path.is_file():
                pairs = Pairs.load(path)
                one.append(self.offsets[index] + pairs.own - 1)
                other.append(self.offsets[pairs.block] + pairs.theirs - 1)
            if sum(map(len, one)) > _BATCH or index == self.blocks - 1:
                union.join(*(np.concatenate([np.zeros(0, np.int64), *ends]) for ends in (one, other)))
                one, other = [], []
        return union

    def _number(self, union: Union, ids: LabelArray) -> IdArray:
        """Give every group with a voxel an id, and return the voxels of each; row 0 is the background."""
        size = column(self.folder / "size.npy", len(ids) + 1, np.int64)
        last = 0
        for index, pieces in self._pieces():
            there = np.flatnonzero(pieces.size)
            group = union.find(self.offsets[index] + there)
            names, first = np.unique(group, return_index=True)
            new = ids[names] == 0
            fresh = names[new][np.argsort(first[new])]
            if last + len(fresh) > np.iinfo(ID_TYPE).max:
                raise VolumeError(
                    f"the prediction has more than {last:,} objects", "at most 2,147,483,647", "predict it in parts"
                )
            ids[fresh] = np.arange(last + 1, last + 1 + len(fresh))
            last += len(fresh)
            np.add.at(size, ids[group], pieces.size[there])
        return size[: last + 1]

    @staticmethod
    def ids(store: Path, index: int) -> LabelArray:
        """Return the object of each piece of a block; entry 0 is the background."""
        offsets = np.load(store / FOLDER / _OFFSETS, mmap_mode="r")
        table = np.load(store / FOLDER / _TABLE, mmap_mode="r")
        return np.concatenate([np.zeros(1, ID_TYPE), table[offsets[index] : offsets[index + 1]]])

    @staticmethod
    def clean_up(store: Path) -> None:
        """Remove what is not needed once all labels are written."""
        shutil.rmtree(store / FOLDER, ignore_errors=True)


class _Columns:
    """What is known of all objects, block by block."""

    def __init__(self, folder: Path, size: IdArray, features: int) -> None:
        count = len(size)
        self.size = size
        self.start = column(folder / "start.npy", (count, 3), np.int64)
        self.stop = column(folder / "stop.npy", (count, 3), np.int64)
        self.total = column(folder / "total.npy", (count, 3), np.float64)
        self.sums = column(folder / "sums.npy", (count, 1 + features), np.float64)
        self.whole = column(folder / "whole.npy", (count, 1 + features), np.float32)
        self.missed = column(folder / "missed.npy", count, np.int64)
        self.largest = column(folder / "largest.npy", count, np.int64)
        self.start[...] = _NOWHERE
        self.missed[...] = _NOWHERE

    def add(self, owner: LabelArray, pieces: Pieces) -> None:
        """Take in the pieces of one block."""
        values = np.column_stack([pieces.score, pieces.features])
        kept = (owner > 0) & (pieces.size > 0)
        rows = owner[kept]
        np.minimum.at(self.start, rows, pieces.start[kept])
        np.maximum.at(self.stop, rows, pieces.stop[kept])
        np.add.at(self.total, rows, pieces.total[kept])
        np.add.at(self.sums, rows, values[kept] * pieces.size[kept, None].astype(np.float64))
        self._remember_whole(owner, pieces, values)

    def _remember_whole(self, owner: LabelArray, pieces: Pieces, values: FloatArray) -> None:
        """Keep the values of pieces that miss less of their object than those before; of equal ones the larger."""
        missed = np.abs(pieces.seen - self.size[owner])
        order = np.lexsort((-pieces.size, missed))
        _, first = np.unique(owner[order], return_index=True)
        best = order[first]
        best = best[(owner[best] > 0) & (missed[best] <= (1 - SEEN_WHOLE) * self.size[owner[best]])]
        rows = owner[best]
        less = missed[best] < self.missed[rows]
        larger = (missed[best] == self.missed[rows]) & (pieces.size[best] > self.largest[rows])
        best, rows = best[less | larger], rows[less | larger]
        self.missed[rows], self.largest[rows], self.whole[rows] = missed[best], pieces.size[best], values[best]

    def finish(self) -> Merged:
        """Return what is known."""
        self.start[0], self.missed[0] = 0, 0
        for first in range(0, len(self.size), _ROWS):
            rows = slice(first, first + _ROWS)
            count = np.maximum(self.size[rows], 1)[:, None]
            self.total[rows] /= count
            mean = (self.sums[rows] / count).astype(np.float32)
            np.copyto(self.whole[rows], mean, where=(self.missed[rows] == _NOWHERE)[:, None])
        return Merged(self.size, self.start, self.stop, self.total, self.whole[:, 0], self.whole[:, 1:])


def score_objects(merged: Merged, calibration: Calibration | None, class_id: int) -> ObjectTable:
    """Return the table of all objects with their final scores."""
    score = merged.score
    if calibration is not None:
        parts = range(0, len(merged.size), _ROWS)
        score = np.concatenate([calibration.apply(np.asarray(merged.features[n : n + _ROWS])) for n in parts])
        score[:1] = 0
    return ObjectTable.of(merged, score, class_id)
