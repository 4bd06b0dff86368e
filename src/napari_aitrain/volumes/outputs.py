"""Which output belongs to which image: one to one, or a folder to a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, VolumeError
from ..location import Location, Url
from .opening import is_volume_path


def holds_images(place: Location) -> bool:
    """Whether a place is a folder of images, and no image itself."""
    return not isinstance(place, Url) and place.is_dir() and not is_volume_path(place)


def pair_outputs(image: Location, out: Path) -> Iterator[tuple[Location, Path]]:
    """Yield each image with its output.

    Parameters
    ----------
    image : path or URL
        An image, or a folder of images; what else lies in the folder is left out.
    out : Path
        An output; for a folder of images a folder.

    Raises
    ------
    VolumeError
        If the folder holds no image.
    ConfigError
        If the outputs of a folder would be one file.
    """
    if isinstance(image, Url) or not holds_images(image):
        yield image, out
        return
    images = sorted(p for p in image.iterdir() if not p.name.startswith(".") and is_volume_path(p))
    if not images:
        raise VolumeError(f"{image} holds no image", "a folder with TIFF, PNG, JPEG, NPY or zarr", "check the path")
    if out.is_file() or out.suffix.lower() in (".tif", ".tiff", ".zarr", ".webknossos"):
        raise ConfigError(
            f"{image} is a folder, and {out.name} would be one file",
            "a folder for the outputs, one per image",
            f"write for example --out {out.with_suffix('').name}",
        )
    stems = Counter(_stem(p) for p in images)
    for path in images:
        ending = ".ome.zarr" if path.is_dir() else ".tif"
        yield path, out / ((_stem(path) if stems[_stem(path)] == 1 else path.name) + ending)


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".ome.zarr", ".ome.tiff", ".ome.tif"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem
