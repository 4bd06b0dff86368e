"""Probability and uncertainty of a stored prediction as maps in bytes, for people to look at and programs to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..geometry import Region, tiles
from ..tasks import make_task
from ..tasks.protocol import FloatArray, Task
from ..volumes.write_placement import Placement
from ..volumes.write_pyramid import in_parallel
from ..volumes.write_zarr import ZarrOptions
from ..volumes.writers import MapsWriter
from .info import PredictionInfo
from .on_image import output_shape, read_output
from .store import StoredPrediction

MapKind = Literal["probability", "uncertainty"]
KINDS: tuple[MapKind, ...] = get_args(MapKind)
_ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif", ".zarr", ".tiff", ".tif", ".webknossos")


def check_kinds(kinds: Sequence[str]) -> tuple[MapKind, ...]:
    """Return kinds of maps, each once.

    Raises
    ------
    ConfigError
        If one is not known.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)} cannot be saved", " or ".join(KINDS), f"write --save {','.join(KINDS)}"
        )
    return tuple(kind for kind in KINDS if kind in kinds)


def maps_path(out: Path, kind: MapKind) -> Path:
    """Return where a map of an output lies: ``NAME.probability.ome.zarr`` beside ``NAME.tif``."""
    name = out.name
    ending = next((e for e in _ENDINGS if name.lower().endswith(e)), "")
    return out.with_name(f"{name[: len(name) - len(ending)]}.{kind}.ome.zarr")


def write_maps(
    prediction: StoredPrediction,
    path: Path,
    kind: MapKind,
    options: ZarrOptions | None = None,
    placement: Placement | None = None,
) -> None:
    """Write one kind of map as an OME-Zarr image of bytes, in which 255 stands for 1.

    Parameters
    ----------
    prediction : StoredPrediction
        The network is not run again.
    path : Path
        At which there is nothing yet.
    kind : {'probability', 'uncertainty'}
        *probability* has a channel per class; for tasks of objects one channel, of the foreground or inside.
    options : ZarrOptions, optional
        How it is stored.
    placement : Placement, optional
        Where the prediction lies in the world.
    """
    info = prediction.info
    task, shape = task_of(info), output_shape(info)
    names = _names(info) if kind == "probability" else ("uncertainty",)

    def wanted(region: Region) -> npt.NDArray[Any]:
        maps = prediction.maps(region)
        values = _probability(task, info, maps) if kind == "probability" else task.uncertainty(maps)[None]
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)

    with MapsWriter(path, shape, names, options=options, placement=placement) as writer:
        in_parallel(
            lambda tile: writer.write(tile.core, read_output(info, wanted, tile.core)),
            tiles(Region.from_shape(shape), writer.unit),
            (options or ZarrOptions()).workers,
        )


def task_of(info: PredictionInfo) -> Task:
    """Return the task that a prediction was made by, as far as its maps need it."""
    return make_task(info.task, {"offsets": info.offsets} if info.agglomerates else None, info.classes)


def _names(info: PredictionInfo) -> tuple[str, ...]:
    if not info.instances:
        return tuple(f"class {number}" for number in info.classes)
    return ("inside",) if info.agglomerates else ("foreground",)


def _probability(task: Task, info: PredictionInfo, maps: FloatArray) -> FloatArray:
    probability = task.class_probability(maps)
    return probability[1:] if info.instances else probability
