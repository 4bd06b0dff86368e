"""Pair the images of a folder with the labels of a folder by file name."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import VolumeError
from ..location import Location, Url, located
from .n5 import is_n5
from .opening import SUPPORTED, is_volume_path, split_key
from .webknossos import find_webknossos
from .zarr_files import is_zarr

_log = logging.getLogger(__name__)
_IMAGE_WORD = re.compile("(image|img|im|raw|input|photo|em)s?", re.IGNORECASE)
_LABEL_WORD = re.compile(
    "(label|lbl|mask|gt|seg|segmentation|truth|groundtruth|ground|annotation|annotated|target|instance)s?"
    "|painted|manual|auto|cp",
    re.IGNORECASE,
)
_BESIDE_PREDICTIONS = (".scores.csv", ".prediction")
_SPLIT = re.compile(r"[\s_.\-]+")


@dataclass(frozen=True)
class Pair:
    """An image and its labels.

    Parameters
    ----------
    image, labels : Path or Url
        What `open_volume` takes.
    name : str
        What the two file names have in common, or the name of the image.
    """

    image: Location
    labels: Location
    name: str


@dataclass(frozen=True)
class Matching:
    """What `match_files` found.

    Parameters
    ----------
    pairs : list of Pair
        In the order of their names.
    images_alone, labels_alone : list of Path
        Files without a partner.
    ignored : list of Path
        Files that are no images; hidden files are not listed.
    """

    pairs: list[Pair]
    images_alone: list[Path] = field(default_factory=list)
    labels_alone: list[Path] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)


def pair_files(images: str | Location, labels: str | Location) -> list[Pair]:
    """Pair images with labels: a file with a file, or a folder with a folder by file name.

    Strays are named in the log; `match_files` gives them as data.

    Parameters
    ----------
    images, labels : str, Path or Url
        Two files, or two folders; one folder may be given twice if names say which files are labels.

    Raises
    ------
    VolumeError
        If one is a file and the other a folder, something does not exist, nothing pairs, or two files of one folder
        would pair with the same partner.
    """
    found = match_files(images, labels)
    for what, strays in (("image", found.images_alone), ("labels", found.labels_alone), ("unknown", found.ignored)):
        if strays:
            _log.warning("%d %s files without a partner are left out: %s", len(strays), what, _names(strays))
    return found.pairs


def match_files(images: str | Location, labels: str | Location) -> Matching:
    """Pair files as `pair_files` does, and say which files were left over.

    Names are compared without words such as *image*, *labels*, *mask* or *seg* at their beginning and end; if that
    is not enough, also without the words that all remaining files of a folder begin or end with. A single image and
    a single labels file pair whatever their names.

    Parameters and errors are those of `pair_files`.
    """
    image_path, label_path = located(images), located(labels)
    if isinstance(image_path, Url) or isinstance(label_path, Url):
        return Matching([Pair(image_path, label_path, _stem(image_path))])
    folders = [_is_folder(path) for path in (image_path, label_path)]
    if folders == [False, False]:
        return Matching([Pair(image_path, label_path, _stem(image_path))])
    if folders != [True, True]:
        single = label_path if folders[0] else image_path
        raise VolumeError(
            f"{single} is a file, but its counterpart is a folder",
            "two files or two folders",
            "give the folder in which the file lies, or the single image that belongs to it",
        )
    image_files, ignored = _list(image_path)
    if image_path.resolve() == label_path.resolve():
        label_files = [path for path in image_files if says_labels(path)]
        image_files = [path for path in image_files if not says_labels(path)]
    else:
        label_files, more = _list(label_path)
        ignored += more
    return _match(image_files, label_files, ignored, image_path, label_path)


def _match(
    images: Sequence[Path], labels: Sequence[Path], ignored: list[Path], image_folder: Path, label_folder: Path
) -> Matching:
    if len(images) == len(labels) == 1:
        return Matching([Pair(images[0], labels[0], _stem(images[0]))], ignored=ignored)
    pairs: list[Pair] = []
    for deep in (False, True):
        image_keys, label_keys = _keys(images, deep, _IMAGE_WORD), _keys(labels, deep, _LABEL_WORD)
        for key in sorted(image_keys.keys() & label_keys.keys()):
            image, label = _only(image_keys[key]), _only(label_keys[key])
            pairs.append(Pair(image, label, key or _stem(image)))
        paired = {path for pair in pairs for path in (pair.image, pair.labels)}
        images = [path for path in images if path not in paired]
        labels = [path for path in labels if path not in paired]
    if not pairs:
        raise VolumeError(
            f"no image of {image_folder} has labels of a like name in {label_folder}"
            f" (images: {_names(images)}; labels: {_names(labels)})",
            "names that differ only in words such as image, labels or mask: image_01.tif and labels_01.tif",
            "rename the files so that an image and its labels share a name",
        )
    return Matching(sorted(pairs, key=lambda pair: pair.name), list(images), list(labels), ignored)


def _keys(files: Sequence[Path], deep: bool, word: re.Pattern[str]) -> dict[str, list[Path]]:
    stripped = [_strip(_words(path), word) for path in files]
    if deep and len(stripped) > 1:
        first, last = _common(stripped), _common([part[::-1] for part in stripped])
        stripped = [part[first : len(part) - last] for part in stripped]
    keys: dict[str, list[Path]] = {}
    for path, part in zip(files, stripped, strict=True):
        keys.setdefault("_".join(part).casefold(), []).append(path)
    return keys


def _strip(words: list[str], known: re.Pattern[str]) -> list[str]:
    words = list(words)
    while words and known.fullmatch(words[0]):
        words.pop(0)
    while words and known.fullmatch(words[-1]):
        words.pop()
    return words


def _common(parts: Sequence[Sequence[str]]) -> int:
    """Return how many words all begin with, leaving each at least one."""
    count = 0
    while count < min(map(len, parts)) - 1 and len({part[count] for part in parts}) == 1:
        count += 1
    return count


def _only(paths: Sequence[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    raise VolumeError(
        f"{_names(paths)} in {paths[0].parent} would all pair with the same file",
        "one image and one labels file per name",
        "remove or rename all but one",
    )


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    visible = [path for path in visible if not path.name.endswith(_BESIDE_PREDICTIONS)]
    known = [path for path in visible if is_volume_path(path)]
    if not known:
        raise VolumeError(f"{folder} holds no images", SUPPORTED, "choose the folder in which the images lie")
    return known, [path for path in visible if path not in set(known)]


def _is_folder(path: Path) -> bool:
    if find_webknossos(path) is not None:
        return False
    if not path.exists() and split_key(path)[1] is None:
        raise VolumeError(f"{path} does not exist", "a file or a folder", "check the path")
    if path.is_dir() and path.suffix.lower() == ".zarr" and not is_zarr(path):
        raise VolumeError(
            f"{path} is named like a zarr, but holds no array or group",
            "a zarr folder with its .zarray, .zgroup or zarr.json",
            "copy the zarr folder again: a copy that was broken off looks like this",
        )
    return path.is_dir() and not is_zarr(path) and not is_n5(path)


def says_labels(path: Location) -> bool:
    """Return whether the name of a file says that it holds labels, such as ``cells_mask.tif``."""
    words = _words(path)
    return any(_LABEL_WORD.fullmatch(word) for word in (words[:1] + words[-1:]))


def _stem(path: Location) -> str:
    name = split_key(path)[0].name
    for ending in (".ome.zarr", ".ome.tif", ".ome.tiff"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _words(path: Location) -> list[str]:
    return [word for word in _SPLIT.split(_stem(path)) if word]


def _names(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:5])
    return (shown or "none") + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
