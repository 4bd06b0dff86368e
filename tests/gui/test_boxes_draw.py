"""Boxes are drawn with the mouse, in every view, on images of any place, scale and number of axes."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.frames import LayerFrame


def canvas_of(viewer):
    return viewer.window._qt_window._qt_viewer.canvas


def to_canvas(viewer, world):
    """Return the pixel of the canvas at which a world point of the displayed axes lies."""
    scene = canvas_of(viewer).view.scene
    x, y = scene.transform.map([world[1], world[0], 0, 1])[:2]
    return float(x), float(y)


def drag(viewer, first, last):
    """Drag with the left button between two points of the displayed axes, as Qt sends it."""
    native = canvas_of(viewer).native
    points = [to_canvas(viewer, p) for p in (first, [(a + b) / 2 for a, b in zip(first, last, strict=True)], last)]
    start, middle, end = (QPoint(round(x), round(y)) for x, y in points)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for point in (middle, end):
        _move(native, point)
        QApplication.processEvents()
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)
    QApplication.processEvents()


def _move(native, point):
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    where, globally = QPointF(point), QPointF(native.mapToGlobal(point))
    QApplication.sendEvent(native, QMouseEvent(QEvent.Type.MouseMove, where, globally, button, button, none))


@pytest.fixture
def dock(viewer, wait_for):
    dock = AnnotateDock(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    wait_for(lambda: dock.isVisible())
    return dock


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_a_box_is_drawn_in_each_view(viewer, session, dock, wait_for, order):
    scale, translate = (2.0, 0.5, 0.5), (10.0, -3.0, 100.0)
    viewer.add_image(np.zeros((60, 120, 140), np.uint8), name="em", scale=scale, translate=translate)
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 40)
    viewer.reset_view()
    wait_for(lambda: viewer.dims.displayed == order[1:])
    frame = LayerFrame.of(viewer.layers["em"])
    dock.box_view.deep.setValue(20)
    dock.box_view.draw.click()
    first, last = (
        [translate[axis] + scale[axis] * place for axis, place in zip(order[1:], places, strict=True)]
        for places in ((10, 12), (50, 55))
    )
    drag(viewer, first, last)
    (box,) = session.boxes
    region = frame.to_region(box.start, box.stop)
    assert region.shape[order[0]] == 20
    assert region.start[order[0]] <= 40 < region.stop[order[0]]
    for axis, low, high in zip(order[1:], (10, 12), (50, 55), strict=True):
        assert abs(region.start[axis] - low) <= 1
        assert abs(region.stop[axis] - 1 - high) <= 1
    assert not dock.box_view.draw.isChecked()
    (outline,) = session.scene.outlines
    assert outline.bright
    viewer.dims.set_current_step(order[0], region.stop[order[0]])
    assert not session.scene.outlines[0].bright
    viewer.dims.set_current_step(order[0], region.stop[order[0]] - 1)
    assert session.scene.outlines[0].bright
    viewer.dims.ndisplay = 3
    assert session.scene.outlines[0].lines.shape == (24, 3)
    before = box
    viewer.layers["em"].scale = (4.0, 1.0, 1.0)
    viewer.layers["em"].name = "renamed"
    (after,) = session.boxes
    assert (after.start, after.stop, after.image) == (before.start, before.stop, "renamed")


def test_two_axes_and_five(viewer, session, dock, wait_for):
    viewer.add_image(np.zeros((90, 80), np.uint8), name="flat")
    viewer.reset_view()
    dock.box_view.draw.click()
    drag(viewer, (10, 10), (60, 50))
    (flat,) = session.boxes
    assert (flat.start[0], flat.stop[0], flat.frame) == (-0.5, 0.5, ())
    viewer.layers.clear()
    viewer.add_image(np.zeros((3, 2, 40, 90, 80), np.uint8), name="movie", axis_labels=("t", "c", "z", "y", "x"))
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 1)
    viewer.dims.set_current_step(2, 20)
    viewer.reset_view()
    dock.box_view.draw.click()
    drag(viewer, (10, 10), (60, 50))
    assert [box.frame for box in session.boxes] == [(), (2, 0)]
    assert len(session.scene.outlines) == 1
    viewer.dims.set_current_step(0, 1)
    assert len(session.scene.outlines) == 0
    session.truths.create("movie")
    labels = session.truths.layer(session.truths.current)
    assert labels.data.shape == (3, 1, 40, 90, 80)
    (source,) = session.saver.sources(session.truths.current)
    assert source.boxes[0].start[1:] == (10, 10)


def test_drawing_leaves_the_tool_in_hand_and_draws_on_no_3d(viewer, session, dock):
    viewer.add_image(np.zeros((40, 64, 64), np.uint8), name="em")
    labels = session.truths.create("em")
    viewer.layers.selection.active = labels
    labels.mode = "paint"
    viewer.reset_view()
    dock.box_view.draw.click()
    drag(viewer, (10, 10), (40, 50))
    assert len(session.boxes) == 1
    assert not labels.data.any()
    assert labels.mode == "paint"
    dock.box_view.draw.click()
    QTest.keyClick(canvas_of(viewer).native, Qt.Key.Key_Escape)
    assert not dock.box_view.draw.isChecked()
    viewer.dims.ndisplay = 3
    dock.box_view.draw.click()
    assert not dock.box_view.draw.isChecked()
