"""The stages of a stored prediction: maps by the network, pieces by decoding, objects by stitching."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..evaluation.calibration import Calibration
from ..geometry import Region, Tile
from ..tasks.protocol import FloatArray, LabelArray, Task
from .blocks import Cancelled, Manifest, OnBlock, Progress, chunk_shape, make_grid, work_through
from .image import PreparedImage
from .objects import ObjectTable
from .predictor import Network, predict_array
from .stitching import IdArray, Pieces, match_pieces, measure_pieces, merge_pieces
from .store import LABELS, MAPS, RAW, PredictionInfo, VoxelSize, create_array, from_bytes
from .tiles import round_up

FACES, PIECES = "faces", "pieces"


class Stages:
    """Runs what is not done yet of a prediction whose ``prediction.json`` is written.

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
    progress, cancelled, on_block : callable, optional
        See `predict_volume`.
    """

    def __init__(
        self,
        store: Path,
        info: PredictionInfo,
        task: Task,
        calibration: Calibration | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
        on_block: OnBlock | None = None,
    ) -> None:
        self.store, self.info, self.task, self.calibration = store, info, task, calibration
        self.progress, self.cancelled, self.on_block = progress, cancelled, on_block
        self.manifest = Manifest(store / "manifest.jsonl")
        halo = [round_up(h, m) for h, m in zip(info.halo, info.multiple, strict=True)]
        self.network_grid = make_grid(info.shape, info.network_block, (halo[0], halo[1], halo[2]))
        reach = [o // 2 for o in info.overlap]
        self.decode_grid = make_grid(info.shape, info.decode_block, (reach[0], reach[1], reach[2]))

    def run(self) -> None:
        """Make labels from the network's maps."""
        if self.task.instances:
            self.decode_pieces()
            self.stitch()
        else:
            self.decode_classes()

    @property
    def _decode_size(self) -> VoxelSize | None:
        return self.info.decode_size or self.info.voxel_size

    @property
    def needs_network(self) -> bool:
        """Whether some block has no maps yet."""
        return not all(self.manifest.done("network", i) for i in range(len(self.network_grid)))

    def compute_maps(self, network: Network, image: PreparedImage) -> None:
        """Write the network's maps of every block as bytes."""
        info = self.info
        chunk = chunk_shape(info.shape, [info.network_block])
        maps = create_array(self.store / MAPS, (info.heads, *info.shape), (info.heads, *chunk), np.uint8)

        def read(tile: Tile) -> FloatArray:
            return image.read(tile.outer.shift(info.start))

        for _, tile, block in self._work("network", self.network_grid, read):
            values = predict_array(network, self.task.activate, block, info.dims, overlap=info.halo, dtype=np.uint8)
            z, y, x = tile.core.slices
            maps[:, z, y, x] = values[(slice(None), *tile.core_in_outer.slices)]

    def decode_classes(self) -> None:
        """Write the most probable class of every voxel."""
        labels = self._labels_array(LABELS)
        for _, tile, maps in self._work("classes", self.decode_grid, self._read_maps):
            found = self.task.decode(maps, self._decode_size, self.info.dims).labels
            labels[tile.core.slices] = found[tile.core_in_outer.slices]

    def decode_pieces(self) -> None:
        """Decode every block with its overlap; each block's core is written, its faces are kept for its neighbours."""
        raw = self._labels_array(RAW)
        for folder in (FACES, PIECES):
            (self.store / folder).mkdir(exist_ok=True)
        for index, tile, maps in self._work("objects", self.decode_grid, self._read_maps):
            objects = self.task.decode(maps, self._decode_size, self.info.dims)
            offset = self._offset(index)
            labels, count = objects.labels, len(objects.scores) - 1
            core = labels[tile.core_in_outer.slices]
            raw[tile.core.slices] = np.where(core > 0, core + np.int32(offset), np.int32(0))
            seen = np.bincount(labels.ravel(), minlength=count + 1)[1:]
            size, start, stop, total = measure_pieces(core, count, tile.core.start)
            pairs = self._match_neighbours(index, tile, labels, offset)
            Pieces(offset, size, seen, start, stop, total, objects.scores[1:], objects.features[1:], pairs).save(
                self._pieces_file(index)
            )
            self._keep_faces(index, tile, labels)

    def stitch(self) -> None:
        """Join pieces to objects, score them, and write the final labels."""
        merged = merge_pieces([Pieces.load(self._pieces_file(i)) for i in range(len(self.decode_grid))])
        raw, labels = self._labels_array(RAW), self._labels_array(LABELS)

        def read(tile: Tile) -> LabelArray:
            return np.asarray(raw[tile.core.slices])

        for _, tile, block in self._work("stitching", self.decode_grid, read):
            labels[tile.core.slices] = merged.table[block]
        score = merged.score
        if self.calibration is not None:
            score = self.calibration.apply(merged.features)
            score[:1] = 0
        ObjectTable.of(merged, score, self.info.classes[-1]).save(self.store)

    def clean_up(self) -> None:
        """Remove what only the stages needed."""
        for name in (RAW, FACES, PIECES):
            shutil.rmtree(self.store / name, ignore_errors=True)

    def _work(self, stage: str, grid: list[Tile], read: Any) -> Any:
        return work_through(stage, grid, self.manifest, read, self.progress, self.cancelled, self.on_block)

    def _read_maps(self, tile: Tile) -> FloatArray:
        maps = zarr.open_array(self.store / MAPS, mode="r")
        z, y, x = tile.outer.slices
        return from_bytes(np.asarray(maps[:, z, y, x]))

    def _labels_array(self, name: str) -> zarr.Array[Any]:
        chunk = chunk_shape(self.info.shape, [self.info.decode_block])
        return create_array(self.store / name, self.info.shape, chunk, np.int32)

    def _pieces_file(self, index: int) -> Path:
        return self.store / PIECES / f"{index:06d}.npz"

    def _offset(self, index: int) -> int:
        if index == 0:
            return 0
        before = Pieces.load(self._pieces_file(index - 1))
        return before.offset + len(before.size)

    def _face_file(self, index: int, axis: int) -> Path:
        return self.store / FACES / f"{index:06d}-{'zyx'[axis]}.zarr"

    def _neighbour(self, tile: Tile, axis: int, side: int) -> int | None:
        """Return the number of the next block along an axis, or None at the border."""
        edge = tile.core.stop[axis] >= self.info.shape[axis] if side > 0 else tile.core.start[axis] == 0
        if edge or self.info.overlap[axis] < 2:
            return None
        counts = [-(-n // b) for n, b in zip(self.info.shape, self.info.decode_block, strict=True)]
        place = [s // b for s, b in zip(tile.core.start, self.info.decode_block, strict=True)]
        place[axis] += side
        return (place[0] * counts[1] + place[1]) * counts[2] + place[2]

    def _keep_faces(self, index: int, tile: Tile, labels: LabelArray) -> None:
        """Keep what later neighbours have to match."""
        for axis in range(3):
            following = self._neighbour(tile, axis, 1)
            if following is not None:
                face = self._shared(tile, self.decode_grid[following], labels)
                path = self._face_file(index, axis)
                shutil.rmtree(path, ignore_errors=True)
                zarr.create_array(path, data=face, chunks=face.shape)

    def _match_neighbours(self, index: int, tile: Tile, labels: LabelArray, offset: int) -> IdArray:
        """Return pairs of ids with earlier neighbours, whose faces are read."""
        pairs = [np.zeros((0, 2), np.int64)]
        for axis in range(3):
            before = self._neighbour(tile, axis, -1)
            if before is not None:
                theirs = np.asarray(zarr.open_array(self._face_file(before, axis), mode="r")[...])
                found = match_pieces(theirs, self._shared(tile, self.decode_grid[before], labels))
                pairs.append(found + np.array([Pieces.load(self._pieces_file(before)).offset, offset]))
        return np.concatenate(pairs)

    @staticmethod
    def _shared(tile: Tile, other: Tile, labels: LabelArray) -> LabelArray:
        common: Region = tile.outer.intersect(other.outer)
        return labels[common.relative_to(tile.outer.start).slices]
