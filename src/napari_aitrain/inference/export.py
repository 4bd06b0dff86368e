"""From a stored prediction to files for people: labels at a threshold, the scores of their objects, and maps."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import OutputExistsError
from ..geometry import Region, Tile, Triple, tiles, triple
from ..volumes import LabelsWriter, check_output
from ..volumes.atomic import beside, move_into_place, storage_errors
from ..volumes.output_lock import OutputLock
from ..volumes.write_placement import Placement, placement_on
from ..volumes.write_pyramid import in_parallel
from ..volumes.write_zarr import ZarrOptions
from .export_maps import MapKind, check_kinds, maps_path, write_maps
from .info import PredictionInfo
from .on_image import output_shape, output_voxel_size, read_output
from .store import StoredPrediction, check_threshold
from .tables import Columns, TableFormat, check_formats, write_table

_BLOCK = 2**24
"""Voxels that are read and written at once by a thread."""


def scores_path(out: Path, kind: TableFormat = "csv") -> Path:
    """Return where the scores of an output lie: ``OUT.scores.csv`` beside it."""
    return out.with_name(f"{out.name}.scores.{kind}")


def check_export(
    out: Path,
    prediction: StoredPrediction | None = None,
    tables: Sequence[str] = ("csv",),
    save: Sequence[str] = (),
) -> None:
    """Check that labels, scores and maps could be written to `out` and beside it.

    Raises
    ------
    ConfigError
        If the ending, a format of a table or a kind of map is not known.
    OutputExistsError
        If something is there that is not an unchanged output of `prediction`.
    """
    if not os.path.lexists(out):
        check_output(out)
    beside_it = [*(scores_path(out, kind) for kind in check_formats(tables))]
    beside_it += [maps_path(out, kind) for kind in check_kinds(save)]
    for path in (out, *beside_it):
        if os.path.lexists(path) and not (prediction is not None and prediction.wrote(path)):
            raise OutputExistsError(
                f"{path} exists already" + ("" if prediction is None else " and is not as this prediction left it"),
                "a path at which there is nothing yet, or an untouched output of the same model and image",
                "choose another name, or move the old one away first",
            )


def export(
    prediction: StoredPrediction,
    out: Path | str,
    threshold: float | None = None,
    *,
    options: ZarrOptions | None = None,
    tables: Sequence[str] = ("csv",),
    save: Sequence[str] = (),
) -> Path:
    """Write labels as a threshold leaves them, with their place on the image, and a table of their scores beside.

    An output of the same prediction that nobody has changed since is replaced, at one moment; nothing else ever is.

    Parameters
    ----------
    prediction : StoredPrediction
        The network is not run again.
    out : path-like
        ``.tif``, ``.tiff``, ``.zarr``, ``.ome.zarr`` or ``.webknossos``.
    threshold : float, optional
        0 … 1; the model's own if not given.
    options : ZarrOptions, optional
        How an OME-Zarr is stored.
    tables : sequence of {'csv', 'parquet'}
        Formats of the table of scores.
    save : sequence of {'probability', 'uncertainty'}
        Maps to write beside, see `write_maps`. One that this prediction has written before stays.

    Returns
    -------
    Path
        The first table: id, score, size, centroid, bounding box and class of each object, ids as in the labels; the
        score of a segment is that of its least sure merge. For classes id, mean probability of the most probable class,
        and size.

    Raises
    ------
    ConfigError
        If a format of a table or a kind of map is not known.
    OutputExistsError
        If something else is at `out`, or another process writes it.
    StorageError
        If it cannot be written.
    """
    out, info = Path(out), prediction.info
    options = options or ZarrOptions()
    threshold = check_threshold(info.threshold if threshold is None else threshold)
    check_export(out, prediction, tables, save)
    ours = out.exists()
    target = beside(out).with_suffix(out.suffix) if ours else out
    placement = placement_of(info)
    # A new output is locked by its writer; one that takes the place of another is written under another name.
    with OutputLock(out) if ours else contextlib.nullcontext():
        columns = _write_labels(prediction, target, threshold, options, placement)
        if ours:
            _replace(target, out)
    written = [out]
    for kind in check_formats(tables):
        written.append(scores_path(out, kind))
        write_table(written[-1], columns)
    prediction.record(written, threshold)
    for path, missing in [(maps_path(out, kind), kind) for kind in check_kinds(save)]:
        if not path.exists():
            save_map(prediction, path, missing, options)
    return written[1]


def save_map(prediction: StoredPrediction, path: Path, kind: MapKind, options: ZarrOptions | None = None) -> None:
    """Write one kind of map, and remember that it is ours; errors are those of `export`."""
    write_maps(prediction, path, kind, options, placement_of(prediction.info))
    prediction.record([path], prediction.info.threshold)


def placement_of(info: PredictionInfo) -> Placement:
    """Return where what is written lies in the world, as programs that open the image show that."""
    onto = info.resampled
    if onto is not None:
        return placement_on(info.image, onto.voxel_size, start=onto.start)
    return placement_on(info.image, info.voxel_size, info.magnification, info.start)


def _write_labels(
    prediction: StoredPrediction, out: Path, threshold: float, options: ZarrOptions, placement: Placement
) -> Columns:
    """Write the labels and return the table of their scores."""
    info = prediction.info
    largest = len(prediction.objects) if info.instances else max(info.classes)
    size, total = np.zeros(largest + 1, np.int64), np.zeros(largest + 1)
    shape, counting = output_shape(info), threading.Lock()
    writer = LabelsWriter(
        out, shape, voxel_size=output_voxel_size(info), max_id=largest, place=info.place, options=options,
        placement=placement, image=info.image,
    )  # fmt: skip

    def write(tile: Tile) -> None:
        labels = read_output(info, lambda region: prediction.labels(region, threshold), tile.core)
        writer.write(tile.core, labels)
        if not info.instances:
            flat = labels.ravel()
            sure = read_output(info, prediction.maps, tile.core).max(axis=0)
            with counting:
                size[:] += np.bincount(flat, minlength=largest + 1)
                total[:] += np.bincount(flat, sure.ravel(), largest + 1)

    if info.instances:
        prediction.lookup(threshold)
    with writer:
        in_parallel(write, tiles(Region.from_shape(shape), block_of(writer.unit, shape)), options.workers)
    if info.instances:
        return prediction.table(threshold).columns()
    classes = np.asarray(info.classes, np.int64)
    return {"id": classes, "score": total[classes] / np.maximum(size[classes], 1), "size": size[classes]}


def block_of(unit: Triple, shape: Triple) -> Triple:
    """Return a region of whole units that is written at once: units side by side along x, then y, then z.

    Examples
    --------
    >>> block_of((64, 256, 256), (1000, 1000, 600)), block_of((64, 64, 64), (90, 90, 90))
    ((64, 256, 768), (128, 128, 128))
    """
    block = list(unit)
    for axis in (2, 1, 0):
        fitting = max(1, _BLOCK // math.prod(block))
        block[axis] *= min(fitting, -(-shape[axis] // unit[axis]))
    return triple(block)


def _replace(new: Path, out: Path) -> None:
    """Put a new output in the place of the old; a folder cannot be replaced in one step, so the old one steps aside."""
    with storage_errors(out):
        if out.is_file():
            move_into_place(new, out)
            return
        old = beside(out)
        move_into_place(out, old)
        try:
            move_into_place(new, out)
        except OSError:
            with contextlib.suppress(OSError):
                move_into_place(old, out)
            raise
        shutil.rmtree(old, ignore_errors=True)
