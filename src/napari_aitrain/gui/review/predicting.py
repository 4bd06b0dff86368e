"""From an image on screen to the config of its prediction, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import VolumeError
from ...geometry import Region
from ...jobs.predict_config import PredictConfig
from ...location import Location, absolute, located
from ..annotate.copies import MOST_COPIED
from ..annotate.sources import frame_volume, on_disk
from ..frames import LayerFrame
from ..settings import preferences


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
    if not same:
        raise VolumeError(
            f"the image of this prediction is not open: {config.image}", "the image in this window", "open it first"
        )
    return same[0]


def prediction_name(image: Any) -> str:
    """Return what a prediction of an image is called."""
    return f"{image.name} prediction"


def config_of(
    model: Path, image: Any, frame: LayerFrame, index: tuple[int, ...], region: Region | None, copies: Path
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
        device=preferences().device,
    )
