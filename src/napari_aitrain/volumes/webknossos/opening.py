"""Open a layer of a WEBKNOSSOS dataset, or a volume layer of an annotation, as a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import AitrainError, GroundTruthError, VolumeError
from ...geometry import Triple, format_magnification, parse_magnification
from ..axes import Kind
from ..opened import Opened
from ..place import Place
from ..units import magnified
from . import nml
from .archive import Archive, Files, Folder, open_archive, open_inner
from .fallback import not_stored, painted_over
from .layer import Missing, StoredLayer, open_layer, open_level
from .nml import Annotation, parse_nml
from .properties import MAX_BYTES, PROPERTIES, Layer, Properties, parse_properties

_AXES = "czyx"
_MARKS = ("header.wkw", "zarr.json", ".zarray", ".zattrs", ".zgroup")
_AGAIN = "download the annotation from WEBKNOSSOS again, with its volume data"


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
        layers = _properties(Folder(path.parent), "").dataLayers
        return Named(path.parent, path.name) if path.name in {layer.name for layer in layers} else None
    return None


def open_webknossos(named: Named, kind: Kind, onto: Place | None) -> Opened:
    """Open a layer without reading its voxels.

    Parameters
    ----------
    named : Named
        As `find` gave it; where it names no layer, there must be only one that fits.
    kind : {'image', 'labels'}
        Images are color layers, labels segmentation layers, unless another one is named.
    onto : Place, optional
        The image that labels are to lie on. Without it a layer fills its own bounding box.

    Raises
    ------
    VolumeError
        If it is damaged, not there, or several layers could be meant.
    GroundTruthError
        If labels lie somewhere else than the image.
    """
    annotation = read_annotation(named)
    if annotation is None:
        return _open_dataset(named, kind, onto)
    if kind == "image":
        raise VolumeError(
            f"{named.path.name} is an annotation: it holds ground truth and boxes, and no image",
            "an image",
            f"give the dataset {annotation.dataset!r} that was annotated as the image: download its folder or a cutout",
        )
    stored = _annotated(named, annotation, onto)
    place = place_labels(stored, onto)
    return _opened(stored, place, annotation.voxel_size, kind)


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
    files = _archive(named.path)
    names = [name for name in files.under("") if name.lower().endswith(".nml")]
    if len(names) == 1:
        data = files.get(names[0], nml.MAX_BYTES)
        assert data is not None
        return parse_nml(data, f"{names[0]} in {named.path.name}")
    if not names and _dataset_folder(files) is not None:
        return None
    raise VolumeError(
        f"{named.path.name} holds {len(names)} NML files and no dataset",
        "the archive of one annotation, or of one dataset with " + PROPERTIES,
        "unpack it and give one of the annotations in it" if names else _AGAIN,
    )


def place_labels(stored: StoredLayer, onto: Place | None) -> Place:
    """Say which part of its dataset ground truth is to show, so that it lies on an image voxel by voxel.

    An image from a dataset says where it lies. One that does not is taken for the whole dataset from its origin, or, if
    it has just the extent of the annotated layer, for a copy of that.

    Raises
    ------
    GroundTruthError
        If they have nothing in common.
    """
    own = stored.own_place
    if onto is None:
        return own
    place = onto
    if not onto.in_dataset and stored.region is not None and stored.region.shape == onto.shape:
        place = replace(onto, origin=stored.region.start)
    fits = own.finest.overlaps(place.finest)
    if not onto.in_dataset and stored.region is not None:
        fits = fits and place.finest.contains(stored.region)
    if fits:
        return place
    raise GroundTruthError(
        f"{stored.name} lies at {own}, and the image at {onto}",
        "ground truth of the place that the image shows",
        "give the dataset that was annotated as the image"
        + ("" if onto.in_dataset else "; a file in another format does not say which part of the dataset it shows"),
    )


def _opened(stored: StoredLayer, place: Place, voxel_size: tuple[float, float, float] | None, kind: Kind) -> Opened:
    return Opened(
        stored.seen_from(place, kind == "labels"),
        _AXES,
        voxel_size=magnified(voxel_size, place.magnification),
        place=replace(place, in_dataset=True),
    )


def _open_dataset(named: Named, kind: Kind, onto: Place | None) -> Opened:
    files, folder, properties = _dataset(named)
    layer = _choose(named, properties.dataLayers, kind)
    stored = open_layer(files, layer, folder)
    _check_stored(files, stored, kind)
    place = stored.own_place if kind == "image" else place_labels(stored, onto)
    return _opened(stored, replace(place, dataset=named.path), properties.voxel_size, kind)


def _dataset(named: Named) -> tuple[Files, str, Properties]:
    files: Files = _archive(named.path) if named.is_archive else Folder(named.path)
    folder = _dataset_folder(files) or ""
    return files, folder, _properties(files, folder)


def _choose(named: Named, layers: Sequence[Layer], kind: Kind) -> Layer:
    category = "color" if kind == "image" else "segmentation"
    fitting = [one for one in layers if (one.name == named.layer if named.layer else one.category == category)]
    if len(fitting) == 1:
        return fitting[0]
    raise _not_one(named, category + " layers", [one.name for one in fitting or layers], len(fitting))


def _annotated(named: Named, annotation: Annotation, onto: Place | None) -> StoredLayer:
    volumes = [v for v in annotation.volumes if named.layer in (None, v.name)]
    if len(volumes) != 1:
        names = [v.name for v in volumes or annotation.volumes]
        raise _not_one(named, "volume layers", names, len(volumes))
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
    files, folder, properties = _dataset(Named(dataset))
    layer = next((layer for layer in properties.dataLayers if layer.name == name), None)
    return None if layer is None else open_layer(files, layer, folder)


def _open_volume(files: Archive, name: str, missing: Missing | None) -> StoredLayer:
    """Open the archive of one volume layer: zarr with the metadata of a dataset, or WKW with none."""
    if files.get(PROPERTIES, MAX_BYTES) is not None:
        layers = _properties(files, "").dataLayers
        if len(layers) != 1:
            raise VolumeError(f"{name} holds {len(layers)} layers", "one", _AGAIN)
        stored = replace(open_layer(files, layers[0], missing=missing), name=name)
    else:
        folders = {file.split("/")[0] for file in files.under("") if file.endswith(".wkw") and "/" in file}
        levels = [open_level(files, folder, True, _magnification(folder, name), missing=missing) for folder in folders]
        levels.sort(key=lambda level: (sum(level.magnification), level.magnification))
        stored = StoredLayer(name, None, tuple(levels))
    if not any(_has_voxels(files, level.folder) for level in stored.levels):
        raise GroundTruthError(f"nothing is painted in {name}", "painted ground truth", "paint some, or " + _AGAIN)
    _check_stored(files, stored, "labels")
    return stored


def _magnification(folder: str, name: str) -> Triple:
    try:
        return parse_magnification(folder)
    except AitrainError as error:
        raise VolumeError(f"{name} has a folder {folder!r}", "folders named by magnification", _AGAIN) from error


def _has_voxels(files: Files, folder: str) -> bool:
    return any(not name.endswith(_MARKS) for name in files.under(folder))


def _check_stored(files: Files, stored: StoredLayer, kind: Kind) -> None:
    """Refuse a layer of which a whole magnification is lost; single chunks may be left out where all is background.

    Coarse labels may be empty: what is small vanishes there.
    """
    there = [_has_voxels(files, level.folder) for level in stored.levels]
    lost = [level for level, has in zip(stored.levels, there, strict=True) if not has]
    if lost and (kind == "image" or not there[0]):
        raise VolumeError(
            f"nothing of magnification {format_magnification(lost[0].magnification)} of {stored.name} is stored",
            "voxels of every magnification that it lists",
            "copy the dataset again: a copy that was broken off looks like this",
        )


def _archive(path: Path) -> Archive:
    if not path.is_file():
        raise VolumeError(f"{path} does not exist", "an archive from WEBKNOSSOS", "check the path")
    return open_archive(path)


def _dataset_folder(files: Files) -> str | None:
    """Return where in an archive the dataset lies: at its top or in the only folder there; None if it is not there."""
    if files.get(PROPERTIES, MAX_BYTES, 0, 1) is not None:
        return ""
    if isinstance(files, Folder):
        return None
    tops = {name.partition("/")[0] for name in files.under("")}
    return next((top for top in tops if files.get(f"{top}/{PROPERTIES}", MAX_BYTES) is not None), None)


def _properties(files: Files, folder: str) -> Properties:
    data = files.get(f"{folder}/{PROPERTIES}".lstrip("/"), MAX_BYTES)
    if data is None:
        raise VolumeError(f"{files.name} has no {PROPERTIES}", "a WEBKNOSSOS dataset", "check the path")
    return parse_properties(data, files.name)


def _not_one(named: Named, what: str, names: Sequence[str], count: int) -> VolumeError:
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
