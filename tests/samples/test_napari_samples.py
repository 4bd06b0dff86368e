"""Sample data as napari gets it."""

import numpy as np
import pytest

from napari_aitrain.gui.samples import as_layers, nuclei
from napari_aitrain.samples import em_volume_3d


def test_nuclei_layers_are_flat_and_share_a_scale():
    layers = nuclei()
    assert [kind for _, _, kind in layers] == ["image", "labels", "shapes"]
    (image, image_options, _), (labels, labels_options, _), (boxes, box_options, _) = layers
    assert image.ndim == labels.ndim == 2
    assert image_options["scale"] == labels_options["scale"] == box_options["scale"] == (0.325, 0.325)
    assert len(boxes) == len(box_options["features"]["role"]) == 7


def test_layers_open_in_napari():
    layer_classes = pytest.importorskip("napari.layers", reason="napari comes with the extra 'all'")
    for data, options, kind in as_layers(em_volume_3d(shape=(8, 96, 96))):
        layer = layer_classes.Layer.create(data, options, kind)
        assert layer.name.startswith("em volume")
        assert np.all(np.isfinite(layer.extent.world))
