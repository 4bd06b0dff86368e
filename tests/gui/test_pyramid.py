"""Painting on a pyramid: what is on screen or in a box, of an image that nothing could hold."""

from __future__ import annotations

import numpy as np
import pytest
from pyramids import virtual_pyramid

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.review.viewing import camera_of
from napari_aitrain.volumes import open_volume, read_labels

SIDE = 100_000


def look_at(viewer, y, x, zoom):
    camera_of(viewer).center = (*camera_of(viewer).center[:-2], y, x)
    camera_of(viewer).zoom = zoom


@pytest.fixture
def image(viewer):
    """A slide of 100,000² pixels of 250 nm, whose corner lies somewhere in the world."""
    return viewer.add_image(
        virtual_pyramid((SIDE, SIDE)),
        multiscale=True,
        name="slide",
        scale=(0.25, 0.25),
        translate=(10, 20),
        units=("um", "um"),
        contrast_limits=(0, 255),
    )


@pytest.fixture
def dock(viewer):
    made = AnnotateDock(viewer)
    viewer.window.add_dock_widget(made, name="Annotate", area="right")
    yield made
    made.leave()


def saved_at(session, truth, y, x, size=20):
    """Return what programs find on disk around a pixel of the slide."""
    session.saver.flush()
    store = session.saver.writer(truth).store(session.saver.project, ())
    volume = open_volume(store.path, kind="labels")
    return read_labels(volume, Region((0, y - size, x - size), (1, y + size, x + size)))[0]


def test_strokes_of_the_mouse_reach_the_sparse_labels(viewer, session, image, dock, hand, wait_for):
    assert dock.truth_view.where.currentText() == "On screen"
    # The view shows the pixels around y 50,000, x 60,000.
    y, x = 10 + 0.25 * 50_000, 20 + 0.25 * 60_000
    look_at(viewer, y, x, 4.0)
    hand.click(dock.truth_view.new)
    truth = session.truths.current
    layer = session.truths.layer(truth)
    assert viewer.layers.selection.active is layer and str(layer.mode) == "paint"
    assert truth.window.region.size < 2**24
    assert tuple(layer.scale) == (0.25, 0.25) and layer.units == image.units
    start = truth.window.region.start
    assert np.allclose(layer.translate, [10 + 0.25 * start[1], 20 + 0.25 * start[2]])
    layer.brush_size = 9
    hand.drag((y, x - 5), (y, x), (y, x + 5))
    number = layer.selected_label
    here = saved_at(session, truth, 50_000, 60_000)
    assert (here[20] == number).all() and not here[0].any()
    assert hand.pixels()[:, :, :3].std() > 0
    layer.undo()
    assert not saved_at(session, truth, 50_000, 60_000).any()
    layer.redo()
    assert np.array_equal(saved_at(session, truth, 50_000, 60_000), here)


def test_one_ground_truth_is_painted_here_and_there_and_undone_after_coming_back(viewer, session, image, dock, hand):
    places = [(20_000, 20_000), (70_000, 80_000)]
    centre = [(10 + 0.25 * y, 20 + 0.25 * x) for y, x in places]
    look_at(viewer, *centre[0], 4.0)
    hand.click(dock.truth_view.new)
    layer = session.truths.layer(session.truths.current)
    layer.brush_size = 9
    hand.drag(centre[0], centre[0])
    first = layer.selected_label
    look_at(viewer, *centre[1], 4.0)
    hand.click(dock.truth_view.here)
    assert not layer.data.any() and session.truths.layer(session.truths.current) is layer
    dock.truths._next_object()
    assert layer.selected_label != first
    hand.drag(centre[1], centre[1])
    elsewhere = session.elsewhere.layer(session.truths.current)
    assert viewer.layers.index(elsewhere) == viewer.layers.index(layer) - 1
    assert viewer.layers.selection.active is layer
    values = elsewhere.data[0][places[0][0], places[0][1] - 2 : places[0][1] + 2]
    assert (np.asarray(values) == first).all(), "what is painted elsewhere is shown"
    session.saver.flush()
    window = session.truths.current.window.region
    assert not np.asarray(elsewhere.data[0][window.slices[1:]]).any(), "but not twice"
    look_at(viewer, *centre[0], 4.0)
    hand.click(dock.truth_view.here)
    assert (layer.data == first).any() and (layer.data == first).sum() == (layer.data != 0).sum()
    layer.undo()
    assert not saved_at(session, session.truths.current, *places[0]).any()
    assert saved_at(session, session.truths.current, *places[1]).any()


def test_a_coarser_view_of_the_same_ground_truth_leaves_the_fine_one(viewer, session, image, dock, hand):
    y, x = 10 + 0.25 * 50_000, 20 + 0.25 * 60_000
    look_at(viewer, y, x, 4.0)
    hand.click(dock.truth_view.new)
    layer = session.truths.layer(session.truths.current)
    layer.brush_size = 5
    hand.drag((y, x), (y, x))
    fine = saved_at(session, session.truths.current, 50_000, 60_000) == layer.selected_label
    dock.truth_view.magnification.setCurrentText("16")
    look_at(viewer, y, x, 0.25)
    hand.click(dock.truth_view.here)
    assert session.truths.current.magnification == (1, 16, 16)
    assert tuple(layer.scale) == (4, 4)
    layer.selected_label, layer.brush_size = 40, 9
    hand.drag((y, x), (y, x))
    here = saved_at(session, session.truths.current, 50_000, 60_000)
    assert np.array_equal(here == 40, ~fine) and np.array_equal(here != 40, fine)


def test_too_much_at_once_is_refused_with_what_fits(viewer, session, image, dock, hand, monkeypatch):
    told = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    viewer.reset_view()
    hand.click(dock.truth_view.new)
    assert session.truths.all() == ()
    assert "too much to be painted at once" in told[0] and "magnification 16" in told[0]
    dock.truth_view.magnification.setCurrentText("16")
    hand.click(dock.truth_view.new)
    assert session.truths.current.magnification == (1, 16, 16)
    assert len(told) == 1


def test_a_box_of_a_volume_is_painted_and_trained_on(viewer, session, dock, hand, monkeypatch):
    told = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    image = viewer.add_image(
        virtual_pyramid((200, 40_000, 40_000)), multiscale=True, name="em", scale=(40, 8, 8), contrast_limits=(0, 255)
    )
    dock.truth_view.where.setCurrentText("Selected box")
    hand.click(dock.truth_view.new)
    assert "no box is selected" in told[0]
    start, stop = LayerFrame.of(image).to_world(Region((50, 20_000, 20_010), (70, 20_200, 20_300)))
    box = WorldBox(start=start, stop=stop, image="em", name="one")
    session.boxes.add(box)
    session.boxes.select(box.id)
    hand.click(dock.truth_view.new)
    truth = session.truths.current
    assert truth.window.region == Region((32, 19_968, 19_968), (96, 20_224, 20_352))
    layer = session.truths.layer(truth)
    layer.data_setitem((np.array([60 - 32]), np.array([20_100 - 19_968]), np.array([20_100 - 19_968])), 7)
    session.saver.flush()
    store = session.saver.writer(truth).store(session.saver.project, ())
    volume = open_volume(store.path, kind="labels")
    assert volume.shape == (200, 40_000, 40_000)
    assert volume.magnifications[:2] == ((1, 1, 1), (1, 4, 4))
    found = np.argwhere(read_labels(volume, Region((55, 20_090, 20_090), (65, 20_110, 20_110))))
    assert found.tolist() == [[5, 10, 10]]
    assert session.saver.counts(truth) == {7: 1}
