"""The stages of a prediction whose threshold joins: fragments block by block, their contacts, one merge tree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any, cast

import cc3d
import numpy as np

from ..geometry import Region, Triple, triple
from ..tasks.agglomeration import AgglomeratingTask, agglomerate, contacts
from ..tasks.protocol import LabelArray
from ..tasks.region_graph import RegionGraph
from ..volumes.atomic import atomic_write_bytes
from .archive import read_arrays, write_arrays
from .manifest import Block
from .merging import ID_TYPE
from .objects import ObjectTable
from .stages import Stages
from .stitching import IdArray, block_file, measure_pieces
from .store import LABELS, MERGES

FRAGMENTS, GRAPHS = "fragments", "graphs"
_BLOCK = 32
"""In graphs a fragment is called by its block, shifted by so many bits, and its number there."""

_COLUMNS = ("size", "start", "stop", "total")


class AgglomeratingStages(Stages):
    """Does the blocks of a prediction whose task agglomerates; see `Stages`.

    Fragments are found in blocks that see some context; each block's core is written. Affinities between fragments are
    summed block by block, those across the lower faces of a block by that block, so that every affinity counts once.
    The sums of all blocks are agglomerated in memory: that takes about 100 bytes per contact, a few kilobytes per
    thousand voxels.
    """

    decoding = FRAGMENTS

    @property
    def sizes(self) -> dict[str, int]:
        """Blocks per stage, in the order of the stages."""
        decoded = len(self.decode_grid)
        return {"network": len(self.network_grid), FRAGMENTS: decoded, "contacts": decoded, "agglomeration": 1,
                "stitching": decoded}  # fmt: skip

    def phases(self, near: Sequence[float] | None = None) -> Iterator[Iterator[Block]]:
        """Yield what can be done together, in an order in which nothing comes before what it requires."""
        yield self._fragments_and_contacts(near)
        yield iter([Block("agglomeration", 0)])
        yield (Block("stitching", int(index)) for index in self.decode_grid.order(near))

    def _fragments_and_contacts(self, near: Sequence[float] | None) -> Iterator[Block]:
        for block in self._maps_and_objects(near):
            yield block if block.stage != "faces" else Block("contacts", block.index)

    def _touched(self, index: int) -> list[int]:
        return list(self.decode_grid.covering(self._seen(index)))

    def _around(self, index: int, side: int) -> list[int]:
        """Return the blocks whose contacts look at a block."""
        core = self.decode_grid[index].core
        far = core.grow(self._reach).intersect(Region.from_shape(self.info.shape))
        return list(self.decode_grid.covering(Region(core.start, far.stop)))

    def requires(self, block: Block) -> list[Block]:
        """Return what must be there before a block of the same phase can be done."""
        if block.stage == "contacts":
            return [Block(FRAGMENTS, need) for need in self._touched(block.index)]
        return super().requires(block)

    def prepare(self) -> None:
        """Make the arrays and folders that blocks write to; before the first block, by one process."""
        super().prepare()
        for name in (FRAGMENTS, GRAPHS):
            (self.store / name).mkdir(exist_ok=True)

    def drop(self, block: Block) -> None:
        """Remove what a block that failed may have left of itself."""
        if block.stage in (FRAGMENTS, "contacts"):
            self._file(FRAGMENTS if block.stage == FRAGMENTS else GRAPHS, block.index).unlink(missing_ok=True)

    def _do_fragments(self, index: int) -> None:
        """Write the fragments of a block, by its own ids."""
        tile = self.decode_grid[index]
        with self._decoding:
            found = self._agglomerating.fragments(self._map_bytes(tile.outer), self._decode_size, self.info.dims)
        core, count = _pieces(found[tile.core_in_outer.slices], self.info.dims)
        self._write_raw(index, core)
        measured = measure_pieces(core, count, tile.core.start)
        self._save(FRAGMENTS, index, dict(zip(_COLUMNS, measured, strict=True)))

    def _do_contacts(self, index: int) -> None:
        """Sum the affinities between fragments."""
        core = self.decode_grid[index].core
        before = triple([a - b for a, b in zip(core.start, self._seen(index).start, strict=True)])
        labels, names = self._neighbourhood(index)
        with self._decoding:
            graph = contacts(labels, self._map_bytes(core), self.info.offsets, self.info.dims, before)
        self._save(GRAPHS, index, {"pairs": names[graph.pairs], "near": graph.near, "far": graph.far})

    def _neighbourhood(self, index: int) -> tuple[LabelArray, IdArray]:
        """Return the fragments that a block and those before it see of its reach, and the name of each id."""
        seen = self._seen(index)
        labels = np.zeros(seen.shape, np.int32)
        names, last = [np.zeros(1, np.int64)], 0
        for other in self._touched(index):
            part = self.decode_grid[other].core.intersect(seen)
            own = self.read_raw(other, part)
            most = int(own.max(initial=0))
            labels[part.relative_to(seen.start).slices] = np.where(own > 0, own + np.int32(last), 0)
            names.append((np.int64(other) << _BLOCK) + np.arange(1, most + 1))
            last += most
        return labels, np.concatenate(names)

    def _do_agglomeration(self, index: int) -> None:
        """Join the fragments of all blocks to one merge tree, and write it with the table of fragments."""
        blocks = [self._load(FRAGMENTS, i) for i in range(len(self.decode_grid))]
        offsets = np.cumsum([0, *(len(b["size"]) if b else 0 for b in blocks)])
        graphs = []
        for found in filter(None, (self._load(GRAPHS, i) for i in range(len(self.decode_grid)))):
            names = found.pop("pairs")
            pairs = offsets[names >> _BLOCK] + (names & (2**_BLOCK - 1))
            graphs.append(RegionGraph(np.sort(pairs.reshape(-1, 2), axis=1), **found))
        columns = {name: _with_background([b[name] for b in blocks if b], name) for name in _COLUMNS}
        tree = agglomerate(RegionGraph.sum_of(graphs), columns["size"])
        atomic_write_bytes(self.store / MERGES, write_arrays(tree.arrays()))
        ObjectTable.of_fragments(**columns, class_id=self.info.classes[-1]).save(self.store)
        self._save(FRAGMENTS, len(self.decode_grid), {"offsets": offsets})

    def _do_stitching(self, index: int) -> None:
        """Write ids that are unique over blocks."""
        core = self.decode_grid[index].core
        offsets = (self._load(FRAGMENTS, len(self.decode_grid)) or {})["offsets"]
        raw = self.read_raw(index, core)
        there = (raw > 0) & bool(offsets[index + 1] > offsets[index])
        self._array(LABELS)[core.slices] = np.where(there, raw + ID_TYPE(offsets[index]), ID_TYPE(0))

    def clean_up(self) -> None:
        """Remove what only the stages needed."""
        super().clean_up()
        for name in (FRAGMENTS, GRAPHS):
            shutil.rmtree(self.store / name, ignore_errors=True)

    @property
    def _agglomerating(self) -> AgglomeratingTask:
        return cast(AgglomeratingTask, self.task)

    @property
    def _reach(self) -> Triple:
        return triple(np.abs(np.array(self.info.offsets)).max(axis=0).tolist())

    def _seen(self, index: int) -> Region:
        """Return the core of a block with the fragments before it that its affinities reach."""
        core = self.decode_grid[index].core
        return Region(triple([max(0, a - r) for a, r in zip(core.start, self._reach, strict=True)]), core.stop)

    def _save(self, folder: str, index: int, arrays: dict[str, Any]) -> None:
        path = self._file(folder, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, write_arrays(arrays))

    def _load(self, folder: str, index: int) -> dict[str, Any] | None:
        """Return the arrays of a block; None where it failed."""
        path = block_file(self.store / folder, index)
        return read_arrays(path) if path.is_file() else None


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


def _with_background(columns: list[Any], name: str) -> Any:
    """Return one column of all blocks, with a row of zeros before for the background."""
    empty = np.zeros(1, np.int64) if name == "size" else np.zeros((1, 3), np.float64 if name == "total" else np.int64)
    return np.concatenate([empty, *columns])
