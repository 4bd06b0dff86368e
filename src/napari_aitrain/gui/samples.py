"""Sample data for napari: an image, its exact labels and the boxes, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..annotation.boxes import Box
from ..samples import Sample, em_volume_3d, nuclei_2d

LayerData = tuple[Any, dict[str, Any], str]

_COLOURS = {"train": "#4c9be8", "validation": "#e8b84c", "test": "#e8624c"}


def nuclei() -> list[LayerData]:
    """Return layers of fluorescent nuclei in 2-D."""
    return as_layers(nuclei_2d())


def em_volume() -> list[LayerData]:
    """Return layers of a 3-D electron microscopy volume."""
    return as_layers(em_volume_3d())


def as_layers(sample: Sample) -> list[LayerData]:
    """Return an image layer, one or two labels layers and the boxes as shapes, in µm."""
    flat = sample.labels.shape[0] == 1
    scale = tuple(v / 1000 for v in sample.voxel_size)[1 if flat else 0 :]
    shared = {"scale": scale, "units": "micrometer"}

    def squeezed(array: Any) -> Any:
        return array[0] if flat else array

    layers: list[LayerData] = [
        (squeezed(sample.image[0]), {"name": sample.name, **shared}, "image"),
        (squeezed(sample.labels), {"name": f"{sample.name} labels", **shared}, "labels"),
    ]
    if sample.classes is not None:
        names = ", ".join(f"{number} {name}" for number, name in enumerate(sample.class_names))
        options = {"name": f"{sample.name} classes ({names})", "visible": False, **shared}
        layers.append((squeezed(sample.classes), options, "labels"))
    return [*layers, _boxes_layer(sample, shared)]


def _boxes_layer(sample: Sample, shared: dict[str, Any]) -> LayerData:
    """Draw y and x of the boxes; napari shows such shapes on every slice."""
    options: dict[str, Any] = {
        "name": f"{sample.name} boxes",
        "shape_type": "rectangle",
        "face_color": "transparent",
        "edge_color": [_COLOURS[box.role] for box in sample.boxes],
        "edge_width": 2,
        "features": {"name": [box.name for box in sample.boxes], "role": [box.role for box in sample.boxes]},
        **shared,
        "scale": shared["scale"][-2:],
    }
    return [_rectangle(box) for box in sample.boxes], options, "shapes"


def _rectangle(box: Box) -> Any:
    (_, top, left), (_, bottom, right) = box.start, box.stop
    corners = [[top, left], [top, right], [bottom, right], [bottom, left]]
    return np.array(corners, float) - 0.5
