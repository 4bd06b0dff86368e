"""What a network sees of objects: the mean of its features over each, block by block."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from ..errors import ConfigError, ModelError
from ..geometry import Region, Tile, Triple, tiles, triple
from ..inference.blocks import Cancelled, PredictionCancelledError
from ..inference.image import PreparedImage, prepare_image
from ..inference.predictor import Network, tile_voxels
from ..inference.tiles import padded_shape
from ..models import Model
from ..volumes import Volume, read_labels
from .measuring import Told, middle_of
from .table import FeatureTable

_MOST_HALO = 64
"""What is farther off hardly changes the mean over an object."""


def embed_objects(
    table: FeatureTable,
    labels: Volume,
    image: Volume,
    model: Model,
    network: Network,
    *,
    progress: Told | None = None,
    cancelled: Cancelled | None = None,
) -> FeatureTable:
    """Return a table with what a network sees of each object; NaN of those that are too small to be seen.

    Parameters
    ----------
    table : FeatureTable
        Of all objects of `labels`.
    labels, image : Volume
        As for `measure_objects`.
    model : Model
        Whose network it is.
    network : InferenceNetwork or ScaledNetwork
        See `make_network`.
    progress, cancelled : callable, optional
        As for `measure_objects`.

    Raises
    ------
    ConfigError
        If the image has not the channels of the model, or the model sees another magnification than that of labels.
    ModelError
        If the insides of its network are not known.
    PredictionCancelledError
        If `cancelled` said so.
    """
    seen = prepare_image(model, image)
    onto = _labels_at(labels, seen)

    def owners(region: Region) -> npt.NDArray[np.int64]:
        return table.rows_of(read_labels(onto, region).ravel())

    where = _tiles(seen.volume.region, network, model.card.dims)
    return _with(table, _means(len(table), where, seen, network, model, owners, progress, cancelled), model)


def embed_boxes(
    table: FeatureTable,
    boxes: Sequence[Region],
    image: Volume,
    model: Model,
    network: Network,
    *,
    cancelled: Cancelled | None = None,
) -> FeatureTable:
    """Return a table of boxes with what a network sees of each; parameters and errors are those of `embed_objects`."""
    seen = prepare_image(model, image)
    rows = []
    for box in boxes:
        z, y, x = ((a, b) for a, b in zip(box.start, box.stop, strict=True))
        m = seen.magnification
        low = triple([a // f for (a, _), f in zip((z, y, x), m, strict=True)])
        high = triple([max(-(-b // f), a // f + 1) for (a, b), f in zip((z, y, x), m, strict=True)])
        part = middle_of(Region(low, high).intersect(seen.volume.region))
        where = _tiles(part, network, model.card.dims, seen.volume.region)
        rows.append(_means(1, where, seen, network, model, lambda r: np.zeros(r.size, np.int64), None, cancelled))
    return _with(table, np.concatenate(rows), model)


def network_checksum(model: Model) -> str:
    """Return a short text that tells the network of one model from that of another."""
    if model.card.weights_sha256:
        return model.card.weights_sha256[:32]
    return hashlib.sha256(str(model.folder.resolve()).encode()).hexdigest()[:32]


def _with(table: FeatureTable, means: npt.NDArray[np.float64], model: Model) -> FeatureTable:
    return replace(table, embedding=means.astype(np.float32), network=network_checksum(model))


def _labels_at(labels: Volume, seen: PreparedImage) -> Volume:
    shape = seen.volume.shape
    if labels.shape == shape:
        return labels
    factor = triple([max(1, round(a / b)) for a, b in zip(labels.shape, shape, strict=True)])
    if labels.at(factor).shape == shape:
        return labels.at(factor)
    raise ConfigError(
        "the model sees the image at a coarser or finer magnification than that of the labels",
        f"labels of {' × '.join(str(n) for n in reversed(shape))} voxels, or a multiple of that",
        "choose another model, or none",
    )


def _tiles(where: Region, network: Network, dims: int, within: Region | None = None) -> list[Tile]:
    multiple = _multiple(network, dims)
    reach = [min(_MOST_HALO, n) for n in network.receptive_field]
    halo = triple(
        [
            0 if axis == 0 and dims == 2 else -(-n // m) * m
            for axis, (n, m) in enumerate(zip(reach, multiple, strict=True))
        ]
    )
    most = tile_voxels(network)
    if dims == 2:
        side = max(64, math.isqrt(most))
        core = triple([1, *(max(m, (side - 2 * h) // m * m) for h, m in zip(halo[1:], multiple[1:], strict=True))])
    else:
        side = max(32, round(most ** (1 / 3)))
        core = triple([max(m, (side - 2 * h) // m * m) for h, m in zip(halo, multiple, strict=True)])
    found = tiles(where, core, halo)
    if within is None:
        return list(found)
    return [Tile(tile.core, tile.core.grow(halo).intersect(within)) for tile in found]


def _multiple(network: Network, dims: int) -> Triple:
    return triple([1, *network.multiple[1:]]) if dims == 2 else network.multiple


def _means(
    count: int,
    where: Sequence[Tile],
    image: PreparedImage,
    network: Network,
    model: Model,
    owners: Callable[[Region], npt.NDArray[np.int64]],
    progress: Told | None,
    cancelled: Cancelled | None,
) -> npt.NDArray[np.float64]:
    total: npt.NDArray[np.float64] | None = None
    voxels = np.zeros(count)
    for number, tile in enumerate(where):
        if cancelled is not None and cancelled():
            raise PredictionCancelledError("measuring was stopped", "", "start it again")
        if progress is not None:
            progress(number, len(where))
        rows = owners(tile.core)
        inside = np.flatnonzero(rows >= 0)
        if not len(inside) and total is not None:
            continue
        features, cells = _seen(image.read(tile.outer), tile, network, model)
        if total is None:
            total = np.zeros((count, len(features)))
        owner, cell = rows[inside], cells[inside]
        # Voxels of one object in one cell of the network are many: they are counted first.
        pair, times = np.unique(owner * features.shape[1] + cell, return_counts=True)
        who, place = np.divmod(pair, features.shape[1])
        for column, values in enumerate(features):
            total[:, column] += np.bincount(who, values[place] * times, count)
        voxels += np.bincount(owner, minlength=count)
    assert total is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / np.where(voxels > 0, voxels, np.nan)[:, None]


def _seen(
    image: npt.NDArray[np.float32], tile: Tile, network: Network, model: Model
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the features of a tile, shape (f, cells), and the cell that each voxel of its core lies in."""
    dims, shape = model.card.dims, image.shape[1:]
    padded = padded_shape(shape, _multiple(network, dims))
    pad = [(0, 0), *((0, p - n) for p, n in zip(padded, shape, strict=True))]
    batch = torch.from_numpy(np.pad(image, pad, mode="edge"))
    # Slices are a batch.
    batch = batch.movedim(1, 0) if dims == 2 else batch[None]
    see = getattr(network, "features", None)
    try:
        if see is None:
            raise NotImplementedError
        with torch.inference_mode():
            found = see(batch)
    except NotImplementedError as error:
        raise ModelError(
            f"the insides of the network of {model.card.name} are not known",
            "a model that was trained here, or Cellpose's",
            "choose another model, or none: features of shape and intensity do without",
        ) from error
    found = found.movedim(0, 1) if dims == 2 else found[0]
    coarse = found.shape[1:]
    cells: npt.NDArray[np.int64] = np.zeros((1, 1, 1), np.int64)
    core = tile.core_in_outer
    for axis in range(3):
        at = (np.arange(core.start[axis], core.stop[axis]) + 0.5) * coarse[axis] / padded[axis]
        index = np.minimum(at.astype(np.int64), coarse[axis] - 1)
        cells = cells * coarse[axis] + index.reshape([-1 if a == axis else 1 for a in range(3)])
    values = found.reshape(found.shape[0], -1).cpu().numpy().astype(np.float64)
    return values, np.broadcast_to(cells, core.shape).ravel()
