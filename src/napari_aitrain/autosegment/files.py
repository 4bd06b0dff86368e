"""Automatic segmentation of an image, or of each image of a folder, into files of labels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from ..errors import AitrainError, ConfigError
from ..geometry import Region, parse_magnification
from ..location import Location, located
from ..tasks.protocol import FloatArray, VoxelSize
from ..volumes import LabelsWriter, Volume, atomic_write_text, check_output, open_volume
from ..volumes.outputs import pair_outputs
from .finding import Found, find_objects
from .settings import MOST_SIGMA, AutosegmentSettings, Preset, spoken_size
from .suggesting import suggest

MOST_VOXELS = 2**28
"""Of an image that is segmented at once: several arrays of its size are held in memory."""

Progress = Callable[[int, int, str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Asked:
    """What a person asked for; what is None follows from each image.

    Parameters
    ----------
    preset : str
        What is in the images.
    minimum_size : int, optional
        In voxels.
    sigma : float, optional
        In voxels of the finest axis.
    dark : bool
        Whether objects are darker than their background.
    dims : {'auto', '2', '3'}
        Slice by slice, or as volumes; auto takes an image of several slices as a volume.

    Raises
    ------
    ConfigError
        If a number is out of its range, or there is no such preset.
    """

    preset: Preset = "single-cells"
    minimum_size: int | None = None
    sigma: float | None = None
    dark: bool = False
    dims: Literal["auto", "2", "3"] = "auto"

    def __post_init__(self) -> None:
        given = {"preset": self.preset, "minimum_size": self.minimum_size, "sigma": self.sigma}
        try:
            AutosegmentSettings.model_validate({key: value for key, value in given.items() if value is not None})
        except ValidationError as error:
            wrong = error.errors()[0]
            raise ConfigError(
                f"{wrong['loc'][0]} cannot be {wrong['input']}",
                f"a sigma from 0 to {MOST_SIGMA:g} voxels, a minimum size of 1 voxel or more, and one of the presets",
                "change it, or leave it away: the image suggests the numbers",
            ) from error

    def dims_of(self, depth: int) -> int:
        """Return 2 or 3 for an image of so many slices."""
        return 2 if self.dims == "2" or depth == 1 else 3

    def settings(self, image: FloatArray, voxel_size: VoxelSize | None) -> AutosegmentSettings:
        """Return the settings for an image, shape (z, y, x)."""
        found = suggest(image, self.preset, voxel_size, self.dims_of(image.shape[0]), self.dark)
        given = {"minimum_size": self.minimum_size, "sigma": self.sigma}
        chosen = found.model_dump() | {key: value for key, value in given.items() if value is not None}
        return AutosegmentSettings.model_validate(chosen)


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
    """Segment an image, or each image of a folder, without a model.

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
        Asked before each image; those that are done stay.

    Returns
    -------
    list of SegmentedImage
        One per image; shorter if it was cancelled.

    Raises
    ------
    AitrainError
        If the single image cannot be segmented; or before anything is done, if an output exists or a folder has no
        image.
    """
    asked, found = asked or Asked(), []
    factor = parse_magnification(magnification)
    jobs = list(pair_outputs(located(image), Path(out)))
    for _, target in jobs:
        check_output(target)
    for done, (path, target) in enumerate(jobs):
        if cancelled is not None and cancelled():
            break
        if progress is not None:
            progress(done, len(jobs), path.name)
        began = time.monotonic()
        try:
            volume = open_volume(path, channels=channels, axes=axes, voxel_size=voxel_size).at(factor)
            found.append(_segment(volume, path, target, asked, began))
        except AitrainError as error:
            if len(jobs) == 1:
                raise
            found.append(SegmentedImage(path, target, None, "", 0, time.monotonic() - began, error=str(error)))
    return found


def _segment(volume: Volume, path: Location, out: Path, asked: Asked, began: float) -> SegmentedImage:
    image = read_image(volume)
    settings = asked.settings(image, volume.voxel_size)
    dims = asked.dims_of(image.shape[0])
    found = find_objects(image, settings, volume.voxel_size, dims)
    writer = LabelsWriter(out, volume.shape, voxel_size=volume.voxel_size, max_id=found.count, image=path)
    with writer:
        writer.write(volume.region, found.labels)
    atomic_write_text(Path(f"{out}.json"), json.dumps(provenance(volume, settings, found), indent=2))
    size = spoken_size(settings.minimum_size, volume.voxel_size, dims)
    seconds, warning = time.monotonic() - began, warning_of(found, volume.name)
    return SegmentedImage(path, out, settings, size, found.count, seconds, warning)


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


def warning_of(found: Found, name: str) -> str:
    """Return what a person should know of a result; empty if that is nothing."""
    if not found.clear:
        return f"Nothing in {name} stands out from its background; are the objects dark, or of another channel?"
    if not found.count:
        return f"All that was found in {name} is below the minimum size."
    return ""


def provenance(volume: Volume, settings: AutosegmentSettings, found: Found, **more: Any) -> dict[str, Any]:
    """Return what is kept of how labels were made, and what else is known."""
    return {
        "made_by": f"napari-aitrain {version('napari-aitrain')}, automatic segmentation",
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "image": str(volume.path or volume.name),
        "fingerprint": volume.fingerprint,
        "settings": settings.model_dump(),
        "objects": found.count,
        **more,
    }
