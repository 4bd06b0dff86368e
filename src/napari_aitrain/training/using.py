"""What is to be predicted after a training: whether it can be, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..location import Location
from ..volumes import check_output, open_volume
from ..volumes.outputs import holds_images, pair_outputs
from .config import TrainConfig


def check_use(config: TrainConfig) -> None:
    """Look whether what is to be predicted after a training can be opened, and its labels be written.

    Raises
    ------
    AitrainError
        If it cannot.
    """
    image = config.then_predict
    if image is None:
        if config.then_out is not None:
            raise ConfigError(
                "then_out is given, and nothing to predict after the training",
                "then_predict, an image or a folder of images",
                "name it, or leave then_out away",
            )
        return
    outputs = [out for _, out in pair_outputs(image, config.then_out or Path("labels"))]
    if not holds_images(image):
        open_volume(image, **opened_like(config, image))
    for out in outputs if config.then_out is not None else []:
        check_output(out)


def opened_like(config: TrainConfig, image: Location) -> dict[str, Any]:
    """Return how an image is opened: as the training opened it, or as it opened all of its images."""
    names = ("channels", "axes", "voxel_size")
    own = [source for source in config.sources if source.image == image]
    found = {name: {getattr(source, name) for source in own or config.sources} for name in names}
    return {name: values.pop() for name, values in found.items() if len(values) == 1}
