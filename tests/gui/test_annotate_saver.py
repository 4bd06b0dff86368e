"""What is painted and drawn reaches the disk, and training can read it."""

from __future__ import annotations

import numpy as np

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.volumes import open_volume, read_labels


def add_image(viewer, shape=(40, 96, 128), **options):
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    return viewer.add_image(data, **{"name": "cells", "scale": (2.0, 0.5, 0.5), "units": "micrometer", **options})


def test_strokes_boxes_and_undo_reach_the_disk(viewer, session):
    image = add_image(viewer)
    labels = session.truths.create(image)
    truth = session.truths.current
    session.boxes.add(WorldBox(start=(0, 0, 0), stop=(64, 40, 40), image="cells", name="one"))
    labels.paint((3, 20, 30), 5)
    (source,) = session.saver.sources(truth)
    stored = open_volume(source.labels, kind="labels")
    assert stored.voxel_size == (2000, 500, 500)
    assert np.array_equal(read_labels(stored, stored.region), labels.data)
    assert source.boxes[0].region == LayerFrame.of(image).to_region((0, 0, 0), (64, 40, 40))
    assert np.array_equal(open_volume(source.image).read(stored.region)[0], image.data)
    labels.undo()
    session.saver.flush()
    assert not open_volume(source.labels, kind="labels").read(stored.region).any()
    labels.redo()
    labels.data[7, 8, 9] = 3
    session.saver.flush()
    assert np.array_equal(open_volume(source.labels, kind="labels").read(stored.region)[0], labels.data)
