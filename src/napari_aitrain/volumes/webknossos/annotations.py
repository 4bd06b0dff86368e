"""The volume layers of an annotation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import AitrainError, GroundTruthError, VolumeError
from ...geometry import Triple, parse_magnification
from ..place import Place
from . import nml
from .archive import Archive, Folder, open_inner
from .fallback import not_stored, painted_over
from .layer import Missing, StoredLayer, open_layer, open_level
from .named import Named, archive_at, check_stored, dataset_of, has_voxels, holds_dataset, not_one, properties_of
from .nml import Annotation, parse_nml
from .properties import MAX_BYTES, PROPERTIES

_AGAIN = "download the annotation from WEBKNOSSOS again, with its volume data"


def read_annotation(named: Named) -> Annotation | None:
    """Read the NML of an annotation; None if it is a dataset.

    Raises
    ------
    VolumeError
        If it is damaged, or an archive of neither.
    """
    if named.path.suffix.lower() == ".nml":
        data = Folder(named.path.parent).get(named.path.name, nml.MAX_BYTES)
        if data is None:
            raise VolumeError(f"{named.path} does not exist", "an NML file", "check the path")
        return parse_nml(data, named.path.name)
    if not named.is_archive:
        return None
    files = archive_at(named.path)
    names = [name for name in files.under("") if name.lower().endswith(".nml")]
    if len(names) == 1:
        data = files.get(names[0], nml.MAX_BYTES)
        assert data is not None
        return parse_nml(data, f"{names[0]} in {named.path.name}")
    if not names and holds_dataset(files):
        return None
    raise VolumeError(
        f"{named.path.name} holds {len(names)} NML files and no dataset",
        "the archive of one annotation, or of one dataset with " + PROPERTIES,
        "unpack it and give one of the annotations in it" if names else _AGAIN,
    )


def open_annotated(named: Named, annotation: Annotation, onto: Place | None) -> StoredLayer:
    """Open a volume layer of an annotation.

    Parameters
    ----------
    named : Named
        The archive; where it names no layer, there must be only one.
    annotation : Annotation
        Its NML.
    onto : Place or None
        The image: what was not changed comes from its dataset, if the annotation was painted over a layer of that.

    Raises
    ------
    GroundTruthError
        If it is without voxels, nothing is painted, or the voxels do not show what was meant.
    VolumeError
        If it is damaged, or it is not clear which layer is meant.
    """
    volumes = [v for v in annotation.volumes if named.layer in (None, v.name)]
    if len(volumes) != 1:
        names = [v.name for v in volumes or annotation.volumes]
        raise not_one(named, "volume layers", names, len(volumes))
    volume = volumes[0]
    name = f"the volume layer {volume.name!r} of {named.path.name}"
    if volume.proofread:
        raise GroundTruthError(
            f"{name} was proofread: its merges and splits are not in its voxels",
            "voxels with the ids that are meant",
            "in WEBKNOSSOS, materialize the annotation as a new layer, and download that",
        )
    files = open_inner(named.path, volume.location) if volume.location and named.is_archive else None
    if files is None:
        raise GroundTruthError(f"{name} is without its voxels", "an archive with volume data", _AGAIN)
    if not volume.fallback:
        return _open_volume(files, name, None)
    stored = _open_volume(files, name, not_stored(name, volume.fallback))
    below = None if onto is None or onto.dataset is None else _fallback(onto.dataset, volume.fallback)
    return stored if below is None else painted_over(stored, below)


def _fallback(dataset: Path, name: str) -> StoredLayer | None:
    """Open a layer of a dataset that an annotation was painted over; None if the dataset has none of that name."""
    files, folder, properties = dataset_of(Named(dataset))
    layer = next((layer for layer in properties.dataLayers if layer.name == name), None)
    return None if layer is None else open_layer(files, layer, folder)


def _open_volume(files: Archive, name: str, missing: Missing | None) -> StoredLayer:
    """Open the archive of one volume layer: zarr with the metadata of a dataset, or WKW with none."""
    if files.get(PROPERTIES, MAX_BYTES) is not None:
        layers = properties_of(files, "").dataLayers
        if len(layers) != 1:
            raise VolumeError(f"{name} holds {len(layers)} layers", "one", _AGAIN)
        stored = replace(open_layer(files, layers[0], missing=missing), name=name)
    else:
        folders = {file.split("/")[0] for file in files.under("") if file.endswith(".wkw") and "/" in file}
        levels = [open_level(files, folder, True, _magnification(folder, name), missing=missing) for folder in folders]
        levels.sort(key=lambda level: (sum(level.magnification), level.magnification))
        stored = StoredLayer(name, None, tuple(levels))
    if not any(has_voxels(files, level.folder) for level in stored.levels):
        raise GroundTruthError(f"nothing is painted in {name}", "painted ground truth", "paint some, or " + _AGAIN)
    check_stored(files, stored, "labels")
    return stored


def _magnification(folder: str, name: str) -> Triple:
    try:
        return parse_magnification(folder)
    except AitrainError as error:
        raise VolumeError(f"{name} has a folder {folder!r}", "folders named by magnification", _AGAIN) from error
