"""The config of a training from what a Python program holds: paths, arrays and boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..annotation.boxes import Box, read_boxes
from ..errors import ConfigError
from ..location import Location, absolute
from ..training.config import Source, TrainConfig
from ..training.config_file import parse_config
from ..volumes.atomic import atomic_write_array, storage_errors

PathLike = Path | str
Array = npt.NDArray[Any]
Images = PathLike | Array | Sequence[PathLike | Array]


def config_from(
    image: Images | None, labels: Images | None, boxes: Any, folder: Path, settings: Mapping[str, Any]
) -> TrainConfig:
    """Return the config of a training of images and labels that are given as files or arrays.

    Parameters
    ----------
    image, labels, boxes
        As for `napari_aitrain.train`.
    folder : Path
        The job's folder; arrays are saved beside it, in ``FOLDER-arrays``.
    settings : mapping
        Those of `TrainConfig`, and those of `Source`, which hold for all images.

    Raises
    ------
    ConfigError, BoxError
        If they do not go together.
    """
    images, truths = _listed(image), _listed(labels)
    if not images or len(images) != len(truths):
        raise ConfigError(
            f"there are {len(images)} images and {len(truths)} labels",
            "one labels per image, in the same order",
            "write for example train(image='a.tif', labels='a-labels.tif', minutes=5)",
        )
    shared = {key: settings[key] for key in Source.model_fields.keys() & settings.keys()}
    sources: list[dict[str, Any]] = []
    for number, (one, truth) in enumerate(zip(images, truths, strict=True)):
        paths = {
            "image": _saved(one, folder, f"{number:03d}-image"),
            "labels": _saved(truth, folder, f"{number:03d}-labels"),
        }
        sources.append(paths | shared)
    if boxes is not None:
        for source, some in zip(sources, _boxes_per_image(boxes, len(sources)), strict=True):
            source["boxes"] = [box.model_dump() for box in some]
    rest = {key: value for key, value in settings.items() if key not in shared}
    return parse_config({"sources": sources, **rest}, "train()")


def _boxes_per_image(boxes: Any, count: int) -> list[Sequence[Box]]:
    several = not isinstance(boxes, (str, Path)) and not all(isinstance(box, Box) for box in boxes)
    given = list(boxes) if several else [boxes]
    if len(given) != count:
        raise ConfigError(f"there are boxes for {len(given)} of {count} images", "boxes per image", "give [] for none")
    return [read_boxes(Path(some)) if isinstance(some, (str, Path)) else some for some in given]


def _listed(images: Images | None) -> list[PathLike | Array]:
    if images is None:
        return []
    return [images] if isinstance(images, (str, Path, np.ndarray)) else list(images)


def _saved(image: PathLike | Array, folder: Path, name: str) -> Location:
    if isinstance(image, (str, Path)):
        return absolute(image)
    path = folder.absolute().with_name(folder.name + "-arrays") / f"{name}.npy"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_array(path, image)
    return path
