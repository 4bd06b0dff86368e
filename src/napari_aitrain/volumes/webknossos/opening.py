"""Open a layer of a WEBKNOSSOS dataset, or a volume layer of an annotation, as a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...errors import GroundTruthError, VolumeError
from ..axes import Kind
from ..opened import Opened
from ..place import Place
from ..units import magnified
from .annotations import open_annotated, read_annotation
from .layer import StoredLayer, open_layer
from .named import Named, check_stored, dataset_of, not_one
from .properties import Layer

_AXES = "czyx"


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
    stored = open_annotated(named, annotation, onto)
    place = place_labels(stored, onto)
    return _opened(stored, place, annotation.voxel_size, kind)


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
    files, folder, properties = dataset_of(named)
    layer = _choose(named, properties.dataLayers, kind)
    stored = open_layer(files, layer, folder)
    check_stored(files, stored, kind)
    place = stored.own_place if kind == "image" else place_labels(stored, onto)
    return _opened(stored, replace(place, dataset=named.path), properties.voxel_size, kind)


def _choose(named: Named, layers: Sequence[Layer], kind: Kind) -> Layer:
    category = "color" if kind == "image" else "segmentation"
    fitting = [one for one in layers if (one.name == named.layer if named.layer else one.category == category)]
    if len(fitting) == 1:
        return fitting[0]
    raise not_one(named, category + " layers", [one.name for one in fitting or layers], len(fitting))
