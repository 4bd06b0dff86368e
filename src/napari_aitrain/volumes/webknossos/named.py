"""What of WEBKNOSSOS a path names: a dataset or an annotation, in a folder or an archive, and a layer of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import VolumeError
from ...geometry import format_magnification
from ..axes import Kind
from .archive import Archive, Files, Folder, open_archive
from .layer import StoredLayer
from .properties import MAX_BYTES, PROPERTIES, Properties, parse_properties

_MARKS = ("header.wkw", "zarr.json", ".zarray", ".zattrs", ".zgroup")


@dataclass(frozen=True)
class Named:
    """What a path names: a dataset folder, an archive or an NML, and perhaps one layer of it."""

    path: Path
    layer: str | None = None

    @property
    def is_archive(self) -> bool:
        """Whether it is a zip."""
        return self.path.suffix.lower() == ".zip"


def find(path: Path) -> Named | None:
    """Return what of WEBKNOSSOS a path names; None if it is something else.

    A layer is written behind the dataset or archive it lies in: ``dataset/color``, ``annotation.zip/Volume``.
    """
    if path.suffix.lower() in (".zip", ".nml"):
        return Named(path)
    if (path / PROPERTIES).is_file():
        return Named(path)
    if path.parent.suffix.lower() == ".zip" and path.parent.is_file():
        return Named(path.parent, path.name)
    if (path.parent / PROPERTIES).is_file():
        layers = properties_of(Folder(path.parent), "").dataLayers
        return Named(path.parent, path.name) if path.name in {layer.name for layer in layers} else None
    return None


def archive_at(path: Path) -> Archive:
    """Open an archive; raise `VolumeError` if there is none, or it is damaged."""
    if not path.is_file():
        raise VolumeError(f"{path} does not exist", "an archive from WEBKNOSSOS", "check the path")
    return open_archive(path)


def dataset_of(named: Named) -> tuple[Files, str, Properties]:
    """Return the files of a dataset, its folder among them, and its metadata; raise `VolumeError` if damaged."""
    files: Files = archive_at(named.path) if named.is_archive else Folder(named.path)
    folder = _dataset_folder(files) or ""
    return files, folder, properties_of(files, folder)


def holds_dataset(files: Files) -> bool:
    """Whether a dataset lies at the top of an archive or in the only folder there."""
    return _dataset_folder(files) is not None


def _dataset_folder(files: Files) -> str | None:
    """Return where in an archive the dataset lies: at its top or in the only folder there; None if it is not there."""
    if files.get(PROPERTIES, MAX_BYTES, 0, 1) is not None:
        return ""
    if isinstance(files, Folder):
        return None
    tops = {name.partition("/")[0] for name in files.under("")}
    return next((top for top in tops if files.get(f"{top}/{PROPERTIES}", MAX_BYTES) is not None), None)


def properties_of(files: Files, folder: str) -> Properties:
    """Read the metadata of the dataset in a folder; raise `VolumeError` if there are none."""
    data = files.get(f"{folder}/{PROPERTIES}".lstrip("/"), MAX_BYTES)
    if data is None:
        raise VolumeError(f"{files.name} has no {PROPERTIES}", "a WEBKNOSSOS dataset", "check the path")
    return parse_properties(data, files.name)


def has_voxels(files: Files, folder: str) -> bool:
    """Whether a folder holds more than metadata."""
    return any(not name.endswith(_MARKS) for name in files.under(folder))


def check_stored(files: Files, stored: StoredLayer, kind: Kind) -> None:
    """Refuse a layer of which a whole magnification is lost; single chunks may be left out where all is background.

    Labels may be empty, and coarse ones also where fine ones are not: what is small vanishes there.
    """
    there = [has_voxels(files, level.folder) for level in stored.levels]
    lost = [level for level, has in zip(stored.levels, there, strict=True) if not has]
    if lost and (kind == "image" or (any(there) and not there[0])):
        raise VolumeError(
            f"nothing of magnification {format_magnification(lost[0].magnification)} of {stored.name} is stored",
            "voxels of every magnification that it lists",
            "copy the dataset again: a copy that was broken off looks like this",
        )


def not_one(named: Named, what: str, names: Sequence[str], count: int) -> VolumeError:
    """Return the error for a path that could mean several layers, or none; those that exist are listed."""
    listed = ", ".join(str(named.path / name) for name in names) or "none"
    if named.layer and not count:
        return VolumeError(
            f"{named.path.name} has no layer {named.layer!r}", f"one of its {what}", f"give one of: {listed}"
        )
    return VolumeError(
        f"{named.path.name} has {count} {what}, and it is not said which one is meant"
        if count
        else f"{named.path.name} has no {what.removesuffix('s')}",
        "one",
        f"name it behind the path; there are: {listed}",
    )
