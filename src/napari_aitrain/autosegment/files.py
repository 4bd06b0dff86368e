"""Automatic segmentation of an image, or of each image of a folder, into files of labels."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AitrainError, ConfigError
from ..geometry import Region, parse_magnification
from ..inference.blocks import PredictionCancelledError
from ..location import Location, located
from ..models import read_card
from ..tasks.protocol import FloatArray, VoxelSize
from ..volumes import LabelsWriter, Volume, atomic_write_text, check_output, open_volume
from ..volumes.atomic import storage_errors
from ..volumes.outputs import pair_outputs
from .asked import Asked, segment
from .finding import Found
from .settings import AutosegmentSettings, spoken_size
from .starter import place_of

MOST_VOXELS = 2**28
"""Of an image that is segmented at once: several arrays of its size are held in memory."""

Progress = Callable[[int, int, str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class SegmentedImage:
    """What became of one image.

    Parameters
    ----------
    image, out : Path
        The image, and where its labels are.
    settings : AutosegmentSettings or None
        That were used; None where it failed before.
    minimum_size : str
        That of the settings as an area or volume; empty where the voxel size is not known.
    diameter : float or None
        Of the objects, as a starter model was told or found it, in voxels of the finest axis.
    objects : int
        How many were found.
    seconds : float
        Time it took.
    warning, error : str
        Empty if there is nothing to say.
    """

    image: Location
    out: Path
    settings: AutosegmentSettings | None
    minimum_size: str
    diameter: float | None
    objects: int
    seconds: float
    warning: str = ""
    error: str = ""


def autosegment(
    image: Location | str,
    out: Path | str,
    asked: Asked | None = None,
    *,
    magnification: str = "1",
    channels: Sequence[str | int] | None = None,
    axes: str | None = None,
    voxel_size: VoxelSize | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> list[SegmentedImage]:
    """Segment an image, or each image of a folder, without a model of one's own.

    Beside each output ``<output>.json`` says how it was made. In a folder an image that fails does not keep the others
    from being done.

    Parameters
    ----------
    image : path or URL
        An image, or a folder of images.
    out : Path
        ``.tif`` or ``.ome.zarr``; for a folder a folder.
    asked : Asked, optional
        What to find.
    magnification : str
        Segment, and write, at reduced size: ``2`` or x-y-z such as ``2-2-1``.
    channels, axes, voxel_size : optional
        See `open_volume`. The mean of the channels is segmented, each scaled to its own range.
    progress : callable, optional
        Called with images done, images in all and the name of the next.
    cancelled : callable, optional
        Asked before each image, and while a starter model works; images that are done stay.

    Returns
    -------
    list of SegmentedImage
        One per image; shorter if it was cancelled.

    Raises
    ------
    AitrainError
        If the single image cannot be segmented; or before anything is done, if an output exists or cannot be written,
        or a folder has no image.
    """
    asked, found = asked or Asked(), []
    factor = parse_magnification(magnification)
    jobs = _pairs(located(image), Path(out))

    def watch(_done: int, _total: int) -> None:
        if cancelled is not None and cancelled():
            raise PredictionCancelledError("cancelled", "", "")

    for done, (path, target) in enumerate(jobs):
        if cancelled is not None and cancelled():
            break
        if progress is not None:
            progress(done, len(jobs), path.name)
        began = time.monotonic()
        try:
            volume = open_volume(path, channels=channels, axes=axes, voxel_size=voxel_size).at(factor)
            found.append(_segment(volume, path, target, asked, began, watch))
        except PredictionCancelledError:
            break
        except AitrainError as error:
            if len(jobs) == 1:
                raise
            found.append(SegmentedImage(path, target, None, "", None, 0, time.monotonic() - began, error=str(error)))
    return found


def _pairs(image: Location, out: Path) -> list[tuple[Location, Path]]:
    """Return each image with its output, of which none exists and all can be written."""
    if isinstance(image, Path) and image.is_dir() and out.is_dir() and out.samefile(image):
        raise ConfigError(
            f"{out} is the folder of the images",
            "another folder: labels among the images would be taken for images",
            f"choose for example {out.name} labels, beside it",
        )
    jobs = list(pair_outputs(image, out))
    for _, target in jobs:
        check_output(target)
    place = jobs[0][1].parent
    with storage_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    return jobs


def _segment(
    volume: Volume, path: Location, out: Path, asked: Asked, began: float, watch: Callable[[int, int], None]
) -> SegmentedImage:
    image = read_image(volume)
    settings, found, dims = segment(image, asked, volume.voxel_size, watch)
    writer = LabelsWriter(out, volume.shape, voxel_size=volume.voxel_size, max_id=found.count, image=path)
    with writer:
        writer.write(volume.region, found.labels)
    atomic_write_text(Path(f"{out}.json"), json.dumps(provenance(volume, settings, found), indent=2))
    size = spoken_size(settings.minimum_size, volume.voxel_size, dims)
    seconds, warning = time.monotonic() - began, warning_of(found, volume.name, settings)
    return SegmentedImage(path, out, settings, size, found.diameter, found.count, seconds, warning)


def read_image(volume: Volume, region: Region | None = None) -> FloatArray:
    """Return the mean of the channels of an image, or of a region of it, each scaled to its own range.

    Returns
    -------
    ndarray of float32, shape (z, y, x)

    Raises
    ------
    ConfigError
        If that is too large to be segmented at once.
    """
    region = volume.region if region is None else region
    if region.size > MOST_VOXELS:
        raise ConfigError(
            f"{volume.name} has {region.size:,} voxels, too many to be segmented at once",
            f"at most {MOST_VOXELS:,} voxels",
            "segment at a coarser magnification, such as 2 or 4, or only a part",
        )
    channels = volume.read(region)
    if len(channels) == 1:
        single: FloatArray = channels[0].astype(np.float32)
        return single
    total = np.zeros(channels.shape[1:], np.float32)
    for channel in channels:
        low, high = np.nanpercentile(channel, (1, 99.8))
        total += (channel.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return total


def spoken_numbers(one: SegmentedImage) -> str:
    """Return the numbers that an image was segmented by, for people."""
    settings = one.settings
    if settings is None:
        return ""
    if settings.by_starter:
        diameter = "" if one.diameter is None else f", diameter {one.diameter:g} voxels"
        return f"{settings.model}{diameter}, threshold {settings.threshold:.2f}"
    physical = f" ({one.minimum_size})" if one.minimum_size else ""
    return f"minimum size {settings.minimum_size:,} voxels{physical}, sigma {settings.sigma:g}"


def warning_of(found: Found, name: str, settings: AutosegmentSettings) -> str:
    """Return what a person should know of a result; empty if that is nothing."""
    if not found.clear:
        return f"Nothing in {name} stands out from its background; are the objects dark, or of another channel?"
    if found.count:
        return ""
    if settings.by_starter:
        return f"{settings.model} is sure of nothing in {name}; try another diameter, a lower threshold, or a preset."
    return f"All that was found in {name} is below the minimum size."


def provenance(volume: Volume, settings: AutosegmentSettings, found: Found, **more: Any) -> dict[str, Any]:
    """Return what is kept of how labels were made, and what else is known."""
    made = {
        "made_by": f"napari-aitrain {version('napari-aitrain')}, automatic segmentation",
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "image": str(volume.path or volume.name),
        "fingerprint": volume.fingerprint,
        "settings": settings.used(),
        "objects": found.count,
    }
    if settings.by_starter:
        made |= {"diameter": found.diameter, "weights_sha256": read_card(place_of(settings.model)).weights_sha256}
    return made | more
