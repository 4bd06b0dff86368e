"""The stages of a prediction whose threshold joins: fragments block by block, their contacts, one merge tree."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import cc3d
import numpy as np
import zarr

from ..geometry import Region, Tile, triple
from ..tasks.agglomeration import AgglomeratingTask, agglomerate, contacts
from ..tasks.protocol import LabelArray
from ..tasks.region_graph import ByteArray, RegionGraph
from ..volumes.atomic import atomic_write_bytes
from .archive import read_arrays, write_arrays
from .blocks import make_grid
from .objects import ObjectTable
from .stages import Stages
from .stitching import measure_pieces
from .store import LABELS, MAPS, MERGES

FRAGMENTS, GRAPHS = "fragments", "graphs"


class AgglomeratingStages(Stages):
    """Runs what is not done yet of a prediction whose task agglomerates; see `Stages`.

    Fragments are found in blocks that see some context; each block's core is written. Affinities between fragments are
    summed block by block, those across the lower faces of a block by that block, so that every affinity counts once.
    The sums of all blocks are agglomerated in memory: that takes about 100 bytes per contact, a few kilobytes per
    thousand voxels.
    """

    def run(self) -> None:
        """Make fragments, and the tree of their merges, from the network's maps."""
        self.find_fragments()
        self.measure_contacts()
        self.agglomerate()

    def find_fragments(self) -> None:
        """Write the fragments of every block with ids that are unique over blocks."""
        labels = self._labels_array(LABELS)
        (self.store / FRAGMENTS).mkdir(exist_ok=True)
        for index, tile, maps in self._work("fragments", self.decode_grid, self._read_bytes):
            found = self._task.fragments(maps, self._decode_size, self.info.dims)
            core, count = _pieces(found[tile.core_in_outer.slices], self.info.dims)
            offset = self._first_free(index)
            labels[tile.core.slices] = np.where(core > 0, core + np.int32(offset), np.int32(0))
            size, start, stop, total = measure_pieces(core, count, tile.core.start)
            arrays = {"offset": np.array(offset), "size": size, "start": start, "stop": stop, "total": total}
            atomic_write_bytes(self._file(FRAGMENTS, index), write_arrays(arrays))

    def measure_contacts(self) -> None:
        """Sum the affinities between fragments, block by block."""
        labels = zarr.open_array(self.store / LABELS, mode="r")
        grid = make_grid(self.info.shape, self.info.decode_block, (0, 0, 0))
        reach = np.abs(np.array(self.info.offsets)).max(axis=0)
        (self.store / GRAPHS).mkdir(exist_ok=True)

        def read(tile: Tile) -> tuple[LabelArray, ByteArray]:
            start = triple(np.maximum(0, tile.core.start - reach).tolist())
            return np.asarray(labels[Region(start, tile.core.stop).slices]), self._read_bytes(tile)

        for index, tile, (block, maps) in self._work("contacts", grid, read):
            before = triple([min(r, s) for r, s in zip(reach.tolist(), tile.core.start, strict=True)])
            ids, small = np.unique(block, return_inverse=True)
            if ids[0] != 0:
                ids, small = np.concatenate([[0], ids]), small + 1
            dense: LabelArray = small.astype(np.int32).reshape(block.shape)
            graph = contacts(dense, maps, self.info.offsets, self.info.dims, before)
            arrays = {"pairs": ids[graph.pairs].astype(np.int64), "near": graph.near, "far": graph.far}
            atomic_write_bytes(self._file(GRAPHS, index), write_arrays(arrays))

    def agglomerate(self) -> None:
        """Join the fragments of all blocks to one merge tree, and write it with the table of fragments."""
        whole = make_grid(self.info.shape, self.info.shape, (0, 0, 0))
        for _ in self._work("agglomeration", whole, lambda tile: None):
            blocks = [read_arrays(self._file(FRAGMENTS, i)) for i in range(len(self.decode_grid))]
            graphs = [RegionGraph(**read_arrays(self._file(GRAPHS, i))) for i in range(len(self.decode_grid))]
            columns = {name: _with_background([b[name] for b in blocks]) for name in ("size", "start", "stop", "total")}
            tree = agglomerate(RegionGraph.sum_of(graphs), columns["size"])
            atomic_write_bytes(self.store / MERGES, write_arrays(tree.arrays()))
            ObjectTable.of_fragments(**columns, class_id=self.info.classes[-1]).save(self.store)

    def clean_up(self) -> None:
        """Remove what only the stages needed."""
        for name in (FRAGMENTS, GRAPHS):
            shutil.rmtree(self.store / name, ignore_errors=True)

    @property
    def _task(self) -> AgglomeratingTask:
        return cast(AgglomeratingTask, self.task)

    def _read_bytes(self, tile: Tile) -> ByteArray:
        z, y, x = tile.outer.slices
        return np.asarray(zarr.open_array(self.store / MAPS, mode="r")[:, z, y, x])

    def _file(self, folder: str, index: int) -> Path:
        return self.store / folder / f"{index:06d}.npz"

    def _first_free(self, index: int) -> int:
        if index == 0:
            return 0
        before = read_arrays(self._file(FRAGMENTS, index - 1))
        return int(before["offset"]) + len(before["size"])


def _pieces(labels: LabelArray, dims: int) -> tuple[LabelArray, int]:
    """Return the connected pieces of fragments, numbered from 1: a core may cut one in two."""
    if dims == 3:
        found, count = cc3d.connected_components(labels, connectivity=6, return_N=True)
        return np.asarray(found, np.int32), int(count)
    pieces: LabelArray
    pieces, total = np.zeros(labels.shape, np.int32), 0
    for plane, into in zip(labels, pieces, strict=True):
        parts, count = cc3d.connected_components(plane, connectivity=4, return_N=True)
        into[...] = np.where(parts > 0, parts.astype(np.int32) + np.int32(total), 0)
        total += int(count)
    return pieces, total


def _with_background(columns: list[Any]) -> Any:
    """Return one column of all blocks, with a row of zeros before for the background."""
    rows = np.concatenate(columns)
    return np.concatenate([np.zeros_like(rows, shape=(1, *rows.shape[1:])), rows])
