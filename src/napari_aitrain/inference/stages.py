"""The stages of a stored prediction, block by block: maps by the network, pieces by decoding, objects by stitching."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import zarr

from ..evaluation.calibration import Calibration
from ..geometry import Region, triple
from ..nets.scaled import for_voxels
from ..tasks.protocol import FloatArray, LabelArray, Objects, Task
from ..volumes.damage import DamagedChunk
from .blocks import chunk_shape
from .elsewhere import Elsewhere
from .faces import drop_faces, match_upper, save_faces
from .grid import Grid
from .image import PreparedImage
from .manifest import Block
from .merging import ID_TYPE, Merging, score_objects
from .predictor import Network, predict_array
from .stitching import PAIRS, PIECES, Pieces, block_file, first_id, measure_pieces
from .store import LABELS, MAPS, RAW, PredictionInfo, VoxelSize, create_array, from_bytes
from .tiles import round_up

FACES = "faces"
READING = ("network", "answers")
"""Stages that read the image."""

JOINING = ("merging", "agglomeration")
"""Stages that look at all blocks at once."""


class Stages:
    """What is to be done for each block of a prediction whose ``prediction.json`` is written.

    Blocks can be done in any order that `requires` allows, by any number of threads and processes: each writes
    chunks and files that no other block writes, and doing one twice does no harm.

    Parameters
    ----------
    store : Path
        Folder of the prediction.
    info : PredictionInfo
        What is to be done, and in which blocks.
    task : Task
        The model's task.
    calibration : Calibration, optional
        How features become scores; None keeps the scores of the task.
    network : callable, optional
        Gives the network; only blocks of *network* ask for it.
    image : PreparedImage, optional
        What the network is to see.
    alone : bool
        Whether at most one block at a time is computed by the network, and one decoded, so that several threads
        overlap reading, computing, decoding and writing without several times the memory.
    """

    decoding = "objects"
    """Name of the stage that decodes maps."""

    def __init__(
        self,
        store: Path,
        info: PredictionInfo,
        task: Task,
        calibration: Calibration | None = None,
        network: Callable[[], Network] | None = None,
        image: PreparedImage | None = None,
        alone: bool = True,
    ) -> None:
        self.store, self.info, self.task, self.calibration = store, info, task, calibration
        self.network, self.image = network, image
        self._told = 0
        self._ahead: Block | None = None
        self._elsewhere: Elsewhere | None = None
        gates: list[AbstractContextManager[Any]] = [Lock() if alone else nullcontext() for _ in range(3)]
        self._reading, self._computing, self._decoding = gates
        halo = triple([round_up(h, m) for h, m in zip(info.halo, info.multiple, strict=True)])
        self.network_grid = Grid(info.shape, info.network_block, halo)
        self.decode_grid = Grid(info.shape, info.decode_block, triple([o // 2 for o in info.overlap]))

    @property
    def sizes(self) -> dict[str, int]:
        """Blocks per stage, in the order of the stages."""
        decoded = len(self.decode_grid)
        if not self.task.instances:
            return {"network": len(self.network_grid), "classes": decoded}
        return {"network": len(self.network_grid), "objects": decoded, FACES: decoded, "merging": 1,
                "stitching": decoded}  # fmt: skip

    def phases(self, near: Sequence[float] | None = None) -> Iterator[Iterator[Block]]:
        """Yield what can be done together, in an order in which nothing comes before what it requires."""
        yield self._maps_and_objects(near)
        if self.task.instances:
            yield iter([Block("merging", 0)])
            yield (Block("stitching", int(index)) for index in self.decode_grid.order(near))

    def _maps_and_objects(self, near: Sequence[float] | None) -> Iterator[Block]:
        grid, maps = self.decode_grid, bytearray(len(self.network_grid))
        given, matched = bytearray(len(grid)), bytearray(len(grid))
        decoding = self.decoding if self.task.instances else "classes"
        for index in map(int, grid.order(near)):
            for need in self._needs(index):
                if not maps[need]:
                    maps[need] = True
                    yield Block("network", need)
            yield Block(decoding, index)
            if decoding == "classes":
                continue
            given[index] = True
            for candidate in sorted({index, *self._around(index, -1)}):
                if not matched[candidate] and all(given[block] for block in self._touched(candidate)):
                    matched[candidate] = True
                    yield Block(FACES, candidate)

    def _needs(self, index: int) -> Iterable[int]:
        """Return the blocks of maps that a decoded block needs."""
        return self.network_grid.covering(self.decode_grid[index].outer)

    def _around(self, index: int, side: int) -> list[int]:
        found = (self.decode_grid.neighbour(index, axis, side) for axis in range(3))
        return [block for block in found if block is not None]

    def _touched(self, index: int) -> list[int]:
        """Return the decoded blocks that a block of *faces* looks at."""
        return [index, *self._around(index, 1)]

    def requires(self, block: Block) -> list[Block]:
        """Return what must be there before a block of the same phase can be done."""
        if block.stage in (self.decoding, "classes"):
            return [Block("network", need) for need in self._needs(block.index)]
        if block.stage == FACES:
            return [Block(self.decoding, need) for need in self._touched(block.index)]
        return []

    def region(self, block: Block) -> Region:
        """Return the voxels that a block writes, in voxels of the prediction."""
        if block.stage == "network":
            return self.network_grid[block.index].core
        if block.stage in JOINING:
            return Region.from_shape(self.info.shape)
        return self.decode_grid[block.index].core

    def prepare(self) -> None:
        """Make the arrays and folders that blocks write to; before the first block, by one process."""
        info = self.info
        chunk = chunk_shape(info.shape, [info.network_block])
        if info.heads:
            create_array(self.store / MAPS, (info.heads, *info.shape), (info.heads, *chunk), np.uint8)
        chunk = chunk_shape(info.shape, [info.decode_block])
        create_array(self.store / LABELS, info.shape, chunk, ID_TYPE)
        if self.task.instances:
            create_array(self.store / RAW, info.shape, chunk, np.int32)
            for folder in (FACES, PIECES, PAIRS):
                (self.store / folder).mkdir(exist_ok=True)

    def do(self, block: Block) -> tuple[DamagedChunk, ...]:
        """Do the work of one block; return the damaged chunks of the image that were filled since the last one."""
        getattr(self, f"_do_{block.stage}")(block.index)
        if block.stage not in READING or self.image is None:
            return ()
        filled = self.image.volume.filled
        before, self._told = self._told, len(filled)
        return filled[before:]

    def read_ahead(self, block: Block) -> None:
        """Have another thread read what a block of *network* needs of the image, unless it does so already."""
        if self.image is None or block == self._ahead:
            return
        self._ahead = block
        self.image.volume.prefetch(self._seen_by(block.index))

    def drop(self, block: Block) -> None:
        """Remove what a block that failed may have left of itself."""
        if block.stage == self.decoding:
            self._file(PIECES, block.index).unlink(missing_ok=True)
            drop_faces(self.store / FACES, self.decode_grid, block.index)
        elif block.stage == FACES:
            self._file(PAIRS, block.index).unlink(missing_ok=True)

    def _do_network(self, index: int) -> None:
        """Write the network's maps as bytes."""
        assert self.network is not None and self.image is not None
        tile = self.network_grid[index]
        with self._reading:
            seen = self.image.read(self._seen_by(index))
        with self._computing:
            activate, halo = self.task.activate, self.info.halo
            network = for_voxels(self.network(), self._decode_size)
            if isinstance(network, Elsewhere):
                self._elsewhere = network
                values = network.maps(seen, halo)
            else:
                values = predict_array(network, activate, seen, self.info.dims, overlap=halo, dtype=np.uint8)
        z, y, x = tile.core.slices
        self._array(MAPS)[:, z, y, x] = values[(slice(None), *tile.core_in_outer.slices)]

    def abandon(self) -> None:
        """Give up requests that are under way to a server."""
        if self._elsewhere is not None:
            self._elsewhere.close()

    def _seen_by(self, index: int) -> Region:
        return self.network_grid[index].outer.shift(self.info.start)

    def _do_classes(self, index: int) -> None:
        """Write the most probable class of every voxel."""
        tile = self.decode_grid[index]
        with self._decoding:
            found = self.task.decode(self._maps(tile.outer), self._decode_size, self.info.dims).labels
        self._array(LABELS)[tile.core.slices] = found[tile.core_in_outer.slices]

    def _do_objects(self, index: int) -> None:
        """Decode a block with its overlap; its core is written, its faces are kept for its neighbours."""
        tile = self.decode_grid[index]
        self._keep_objects(index, self._decoded(tile.outer))

    def _decoded(self, region: Region) -> Objects:
        with self._decoding:
            maps = self._map_bytes(region) if self.task.takes_bytes else self._maps(region)
            return self.task.decode(maps, self._decode_size, self.info.dims)

    def _keep_objects(self, index: int, objects: Objects) -> None:
        tile = self.decode_grid[index]
        labels, count = objects.labels, len(objects.scores) - 1
        core = labels[tile.core_in_outer.slices]
        self._write_raw(index, core)
        seen = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        measured = measure_pieces(core, count, tile.core.start)
        Pieces(seen, *measured, objects.scores[1:], objects.features[1:]).save(self._file(PIECES, index))
        save_faces(self.store / FACES, self.decode_grid, index, labels)

    def _do_faces(self, index: int) -> None:
        """Find which pieces of a block and of its next neighbours are one object."""
        match_upper(self.store / FACES, self.decode_grid, index).save(self._file(PAIRS, index))

    def _do_merging(self, index: int) -> None:
        """Join the pieces of all blocks to objects, and score them."""
        merged = Merging(self.store, len(self.decode_grid)).run()
        score_objects(merged, self.calibration, self.info.classes[-1]).save(self.store)

    def _do_stitching(self, index: int) -> None:
        """Write final ids."""
        core = self.decode_grid[index].core
        ids = Merging.ids(self.store, index)
        # A block that failed has no pieces, whatever it has left behind.
        found = ids[self.read_raw(index, core)] if len(ids) > 1 else np.zeros(core.shape, ID_TYPE)
        self._array(LABELS)[core.slices] = found

    def clean_up(self) -> None:
        """Remove what only the stages needed."""
        for name in (RAW, FACES, PIECES, PAIRS):
            shutil.rmtree(self.store / name, ignore_errors=True)
        Merging.clean_up(self.store)

    @property
    def _decode_size(self) -> VoxelSize | None:
        return self.info.decode_size or self.info.voxel_size

    def _array(self, name: str) -> zarr.Array[Any]:
        return zarr.open_array(self.store / name, mode="r+")

    def _maps(self, region: Region) -> FloatArray:
        return from_bytes(self._map_bytes(region))

    def _map_bytes(self, region: Region) -> Any:
        z, y, x = region.slices
        return np.asarray(self._array(MAPS)[:, z, y, x])

    def _write_raw(self, index: int, core: LabelArray) -> None:
        shown = np.where(core > 0, core + np.int32(first_id(index)), np.int32(0))
        self._array(RAW)[self.decode_grid[index].core.slices] = shown

    def read_raw(self, index: int, region: Region) -> LabelArray:
        """Return the ids that a block gave to its own pieces, of a region inside its core."""
        raw: LabelArray = np.asarray(self._array(RAW)[region.slices])
        np.maximum(raw - np.int32(first_id(index)), np.int32(0), out=raw)
        return raw

    def _file(self, folder: str, index: int) -> Path:
        return block_file(self.store / folder, index)
