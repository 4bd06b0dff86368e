"""From an image on screen to the config of its prediction, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.image_copy import copies_of
from ...errors import BoxError, VolumeError
from ...geometry import FINEST, Region
from ...jobs.predict_config import PredictConfig
from ...location import Location, absolute, located
from ..annotate.copies import MOST_COPIED
from ..annotate.sources import frame_volume, on_disk
from ..frames import LayerFrame
from ..settings import preferences
from .run import Where
from .viewing import seen, seen_region

if TYPE_CHECKING:
    from ..session import Session


def image_of(viewer: Any, config: PredictConfig) -> Any:
    """Return the layer of the image that was predicted.

    Raises
    ------
    VolumeError
        If it is not open.
    """
    images = [layer for layer in viewer.layers if hasattr(layer, "contrast_limits")]
    same = [layer for layer in images if layer.source.path and absolute(layer.source.path) == config.image]
    same += [layer for layer in images if config.name == prediction_name(layer)]
    if isinstance(config.image, Path):
        copies = config.image.parent
        same += [layer for layer in images if config.image in copies_of(layer.name, copies)]
    if not same:
        raise VolumeError(
            f"the image of this prediction is not open: {config.image}", "the image in this window", "open it first"
        )
    return same[0]


def prediction_name(image: Any) -> str:
    """Return what a prediction of an image is called."""
    return f"{image.name} prediction"


def region_of(session: Session, image: Any, frame: LayerFrame, where: Where, dims: int) -> Region | None:
    """Return what of an image is meant; None is all of it.

    Raises
    ------
    AitrainError
        If nothing is.
    """
    if where == "volume":
        return None
    whole = Region.from_shape(frame.shape)
    if where == "box":
        box = session.boxes.selected
        if box is None or box.image != image.name:
            raise BoxError(f"no box of {image.name} is selected", "a box to predict", "select one in the Annotate dock")
        region = frame.to_region(box.start, box.stop).intersect(whole)
    else:
        part = seen(session.viewer, frame, FINEST, dims)
        region = Region.from_shape((0, 0, 0)) if part is None else part.wanted
    if region.empty:
        raise VolumeError(
            f"nothing of {image.name} is {'on screen' if where == 'view' else 'in the box'}",
            "a part of the image",
            "press the house below the list of layers to see all of it, or choose another image",
        )
    return region


def near_of(viewer: Any, frame: LayerFrame) -> tuple[float, float, float] | None:
    """Return the middle of what is on screen of an image, in its voxels; None if nothing of it is."""
    region = seen_region(viewer, frame, FINEST)
    if region is None:
        return None
    z, y, x = ((a + b) / 2 for a, b in zip(region.start, region.stop, strict=True))
    return z, y, x


def config_of(
    model: Path,
    image: Any,
    frame: LayerFrame,
    index: tuple[int, ...],
    region: Region | None,
    copies: Path,
    near: tuple[float, float, float] | None = None,
) -> PredictConfig:
    """Return what is to be predicted of an image; one that is no file is copied first.

    Raises
    ------
    AitrainError
        If it cannot be read or copied.
    """
    from ...annotation.image_copy import copy_image

    path: Location
    opened = on_disk(image, frame)
    if opened is None:
        path, channels, axes = copy_image(frame_volume(image, frame, index), copies, MOST_COPIED), None, None
    else:
        volume, channels = opened
        path, axes = located(image.source.path), volume.axes if volume.axes_guessed else None
    return PredictConfig(
        name=prediction_name(image),
        model=model,
        image=path,
        channels=channels,
        axes=axes,
        voxel_size=frame.voxel_size,
        region=region,
        near=near,
        device=preferences().device,
    )
