"""Boxes are moved, resized and selected with the mouse, in every view; each drag is one step of undo."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.review.viewing import camera_of

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Mouse:
    """A mouse over the canvas, at points of the displayed axes in world units; every event is Qt's own."""

    def __init__(self, viewer, wait_for):
        self.wait_for = wait_for
        self.canvas = viewer.window._qt_window._qt_viewer.canvas

    def at(self, point):
        x, y = self.canvas.view.scene.transform.map([point[1], point[0], 0, 1])[:2]
        return QPoint(round(float(x)), round(float(y)))

    def press(self, point):
        QTest.mousePress(self.canvas.native, LEFT, NONE, self.at(point))

    def move(self, point, held=True):
        # vispy drops moves that follow each other within 10 ms.
        self.wait_for(lambda: perf_counter() - self.canvas.native._last_time > 0.01)
        place, buttons = self.at(point), LEFT if held else Qt.MouseButton.NoButton
        where, globally = QPointF(place), QPointF(self.canvas.native.mapToGlobal(place))
        event = QMouseEvent(QEvent.Type.MouseMove, where, globally, buttons, buttons, NONE)
        QApplication.sendEvent(self.canvas.native, event)
        QApplication.processEvents()

    def release(self, point):
        QTest.mouseRelease(self.canvas.native, LEFT, NONE, self.at(point))
        QApplication.processEvents()

    def drag(self, first, last):
        self.press(first)
        self.move([(a + b) / 2 for a, b in zip(first, last, strict=True)])
        self.move(last)
        self.release(last)

    def hover(self, point, shape):
        """Wait for a cursor: napari looks at moves every few milliseconds."""
        self.move(point, held=False)
        self.wait_for(lambda: self.canvas.native.cursor().shape() == shape, what=f"{shape} at {point}")


@pytest.fixture
def mouse(viewer, wait_for):
    return Mouse(viewer, wait_for)


@pytest.fixture
def dock(viewer, wait_for):
    dock = AnnotateDock(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    wait_for(lambda: dock.isVisible())
    return dock


def image(viewer, wait_for, shape=(60, 120, 140), order=(0, 1, 2), **options):
    """Add an image, look at its middle slice in an order of axes, and return its frame."""
    layer = viewer.add_image(np.zeros(shape, np.uint8), name="em", **options)
    first = len(shape) - 3
    viewer.dims.order = (*range(first), *(first + axis for axis in order))
    viewer.dims.set_current_step(first + order[0], shape[first + order[0]] // 2)
    viewer.reset_view()
    wait_for(lambda: viewer.dims.displayed == tuple(first + axis for axis in order[1:]))
    return LayerFrame.of(layer)


def draw(session, place, start, stop, frame=()):
    low, high = place.to_world(Region(start, stop))
    box = WorldBox(start=low, stop=high, image="em", name="one", frame=frame)
    session.boxes.add(box)
    return box.id


def region(session, frame, box_id):
    box = session.boxes[box_id]
    return frame.to_region(box.start, box.stop)


def faces(session, box_id, order):
    """Return low and high faces along the axes on screen."""
    box = session.boxes[box_id]
    return [box.start[axis] for axis in order[1:]], [box.stop[axis] for axis in order[1:]]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_a_face_a_corner_and_the_whole_box_are_dragged_in_each_view(viewer, session, dock, mouse, wait_for, order):
    scale, hidden, rows, columns = (2.0, 0.5, 0.5), *order
    frame = image(viewer, wait_for, order=order, scale=scale, translate=(10.0, -3.0, 100.0))
    box = draw(session, frame, (16, 30, 40), (46, 80, 90))
    before = session.boxes[box]
    dock.box_view.edit.click()
    camera = camera_of(viewer).center
    low, high = faces(session, box, order)
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    by = [5 * scale[axis] for axis in (rows, columns)]
    mouse.hover([middle[0], high[1]], Qt.CursorShape.SizeHorCursor)
    mouse.hover([low[0], middle[1]], Qt.CursorShape.SizeVerCursor)
    mouse.hover(high, Qt.CursorShape.SizeFDiagCursor)
    mouse.hover([low[0], high[1]], Qt.CursorShape.SizeBDiagCursor)
    mouse.hover(middle, Qt.CursorShape.SizeAllCursor)

    mouse.drag([middle[0], high[1]], [middle[0] + by[0], high[1] + by[1]])
    start, stop = [16, 30, 40], [46, 80, 90]
    stop[columns] += 5
    assert region(session, frame, box) == Region(start, stop)
    assert camera_of(viewer).center == camera

    mouse.drag(low, [a - b for a, b in zip(low, by, strict=True)])
    start[rows], start[columns] = start[rows] - 5, start[columns] - 5
    assert region(session, frame, box) == Region(start, stop)

    moved = [a + b for a, b in zip(middle, by, strict=True)]
    mouse.press(middle)
    mouse.move(moved)
    wait_for(lambda: dock.box_view._numbers[0][2 - rows].value() == start[rows] + 5, what="the live numbers")
    dock.boxes.refresh()
    assert dock.box_view._numbers[0][2 - rows].value() == start[rows] + 5, "as after a save meanwhile"
    (outline,) = session.scene.outlines
    assert outline.name.endswith("voxels")
    assert region(session, frame, box) == Region(start, stop)
    mouse.release(moved)
    for axis in (rows, columns):
        start[axis], stop[axis] = start[axis] + 5, stop[axis] + 5
    assert region(session, frame, box) == Region(start, stop)
    assert (before.start[hidden], before.stop[hidden]) == (
        session.boxes[box].start[hidden],
        session.boxes[box].stop[hidden],
    )

    for _ in range(3):
        session.history.undo()
    assert session.boxes[box] == before
    session.history.redo()
    assert region(session, frame, box).shape[columns] == 55


def test_escape_gives_up_a_drag_then_the_tool(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    box = draw(session, frame, (16, 30, 40), (46, 80, 90))
    before = session.boxes[box]
    dock.box_view.edit.click()
    camera = camera_of(viewer).center
    mouse.press((50, 60))
    mouse.move((70, 70))
    wait_for(lambda: dock.box_view._numbers[0][0].value() == 50, what="the live numbers")
    QTest.keyClick(mouse.canvas.native, Qt.Key.Key_Escape)
    assert dock.box_view._numbers[0][0].value() == 40
    mouse.move((90, 90))
    mouse.release((90, 90))
    assert session.boxes[box] == before
    assert camera_of(viewer).center == camera
    assert dock.box_view.edit.isChecked()
    assert session.scene.outlines[0].handles is not None
    mouse.press((50, 60))
    mouse.release((50, 60))
    QTest.keyClick(mouse.canvas.native, Qt.Key.Key_Escape)
    assert not dock.box_view.edit.isChecked()
    assert session.scene.outlines[0].handles is None
    session.history.undo()
    assert not len(session.boxes), "a click and a drag that was given up are no steps"


def test_editing_and_painting_keep_out_of_each_others_way(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    dock.truth_view.new.click()
    labels = session.truths.layer(session.truths.current)
    box = draw(session, frame, (16, 30, 40), (46, 80, 90))
    assert labels.mode == "paint"
    mouse.drag((50, 60), (60, 70))
    assert labels.data.any()
    assert region(session, frame, box).start == (16, 30, 40)
    painted = labels.data.copy()
    dock.box_view.edit.click()
    mouse.drag((50, 60), (60, 70))
    assert region(session, frame, box).start == (16, 40, 50)
    assert np.array_equal(labels.data, painted)
    QTest.keyClick(dock, Qt.Key.Key_Escape)
    assert labels.mode == "paint"
    dock.box_view.edit.click()
    labels.mode = "erase"
    assert not dock.box_view.edit.isChecked()
    assert labels.mode == "erase"
    dock.box_view.edit.click()
    dock.box_view.draw.click()
    assert not dock.box_view.edit.isChecked()
    assert dock.box_view.draw.isChecked()


def test_a_click_on_an_edge_selects(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    first = draw(session, frame, (16, 10, 10), (46, 50, 60))
    second = draw(session, frame, (16, 70, 80), (46, 110, 130))
    table = dock.box_view.table
    assert table.selected_id == second
    mouse.press((30, 59.5))
    mouse.release((30, 59.5))
    assert (session.boxes.selected.id, table.selected_id) == (first, first)
    camera = camera_of(viewer).center
    mouse.drag((69.5, 100), (75, 100))
    assert session.boxes.selected.id == first, "that was a drag: it moves the view"
    assert camera_of(viewer).center != camera
    dock.box_view.edit.click()
    mouse.drag((69.5, 100), (59.5, 100))
    assert session.boxes.selected.id == second
    assert region(session, frame, second) == Region((16, 60, 80), (46, 110, 130))
    assert region(session, frame, first) == Region((16, 10, 10), (46, 50, 60))


def test_no_handles_in_3d(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    box = draw(session, frame, (16, 30, 40), (46, 80, 90))
    dock.box_view.edit.click()
    assert session.scene.outlines[0].handles.shape == (8, 2)
    viewer.dims.ndisplay = 3
    assert not dock.box_view.edit.isChecked()
    assert session.scene.outlines[0].handles is None
    mouse.drag((50, 60), (70, 80))
    dock.box_view.edit.click()
    assert not dock.box_view.edit.isChecked()
    dock.box_view.on_selected["first_here"].click()
    assert region(session, frame, box) == Region((16, 30, 40), (46, 80, 90))


def test_the_slice_on_screen_becomes_first_or_last(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    box = draw(session, frame, (16, 30, 40), (46, 80, 90))
    viewer.dims.set_current_step(0, 10)
    dock.box_view.on_selected["first_here"].click()
    assert region(session, frame, box) == Region((10, 30, 40), (46, 80, 90))
    viewer.dims.set_current_step(0, 20)
    QTest.keyClicks(dock.box_view.table, "]")
    assert region(session, frame, box) == Region((10, 30, 40), (21, 80, 90))
    viewer.dims.set_current_step(0, 12)
    dock.box_view.edit.click()
    QTest.keyClicks(mouse.canvas.native, "[")
    assert region(session, frame, box) == Region((12, 30, 40), (21, 80, 90))
    viewer.dims.set_current_step(0, 30)
    dock.box_view.on_selected["first_here"].click()
    assert region(session, frame, box) == Region((12, 30, 40), (21, 80, 90)), "it would be empty"
    session.history.undo()
    assert region(session, frame, box) == Region((10, 30, 40), (21, 80, 90))


def test_what_is_dragged_keeps_to_the_magnification_and_the_image(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for, shape=(61, 122, 142))
    dock.truth_view.magnification.setCurrentText("4-4-2")
    dock.truth_view.new.click()
    box = draw(session, frame, (15, 29, 41), (46, 80, 90))
    dock.box_view.on_selected["snap"].click()
    assert region(session, frame, box) == Region((16, 32, 44), (46, 80, 88))
    session.history.undo()
    assert region(session, frame, box) == Region((15, 29, 41), (46, 80, 90))
    dock.box_view.edit.click()
    mouse.drag((50, 89.5), (50, 96.5))
    assert region(session, frame, box) == Region((15, 29, 41), (46, 80, 96))
    mouse.drag((50, 60), (50, 63))
    assert region(session, frame, box).start == (15, 29, 44)
    mouse.drag((50, 98.5), (50, 300))
    assert region(session, frame, box).stop == (46, 80, 140), "the last whole voxel of the magnification"
    mouse.drag((50, 139.5), (50, 10))
    assert region(session, frame, box).shape[2] == 4, "a face stops one voxel before the other"


def test_a_box_partly_outside_the_image_is_not_torn_and_goes_no_further_out(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    box = draw(session, frame, (16, -20, 40), (46, 60, 90))
    dock.box_view.edit.click()
    mouse.drag((30, 60), (30, 70))
    assert region(session, frame, box) == Region((16, -20, 50), (46, 60, 100))
    mouse.drag((30, 60), (20, 60))
    assert region(session, frame, box) == Region((16, -20, 50), (46, 60, 100))
    mouse.drag((30, 60), (40, 60))
    assert region(session, frame, box) == Region((16, -10, 50), (46, 70, 100))
    mouse.drag((-10.5, 60), (9.5, 60))
    assert region(session, frame, box) == Region((16, 10, 50), (46, 70, 100))
    mouse.drag((9.5, 60), (-30, 60))
    assert region(session, frame, box) == Region((16, 0, 50), (46, 70, 100))


def test_a_box_of_five_axes_and_of_two(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for, shape=(3, 2, 40, 90, 80), axis_labels=("t", "c", "z", "y", "x"))
    viewer.dims.set_current_step(0, 2)
    box = draw(session, frame, (4, 10, 10), (36, 60, 50), frame=(2, 0))
    dock.box_view.edit.click()
    viewer.dims.set_current_step(1, 1)
    mouse.drag((30, 49.5), (30, 59.5))
    assert region(session, frame, box) == Region((4, 10, 10), (36, 60, 60))
    viewer.dims.set_current_step(0, 1)
    mouse.drag((30, 30), (40, 40))
    assert region(session, frame, box) == Region((4, 10, 10), (36, 60, 60)), "it is at another time"
    viewer.dims.order = (2, 1, 3, 0, 4)
    mouse.drag((2, 30), (1, 30))
    assert session.boxes[box].frame == (2, 0)
    viewer.layers.clear()
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    flat = LayerFrame.of(viewer.add_image(np.zeros((90, 80), np.uint8), name="em", scale=(-1, 1), translate=(89, 0)))
    viewer.reset_view()
    box = draw(session, flat, (0, 10, 10), (1, 60, 50))
    if not dock.box_view.edit.isChecked():
        dock.box_view.edit.click()
    low = session.boxes[box].start
    mouse.drag((low[1], 30), (low[1] - 10, 30))
    assert region(session, flat, box) == Region((0, 10, 10), (1, 70, 50)), "its rows run upwards"
    assert not dock.box_view.on_selected["first_here"].isEnabled()


def test_buttons_and_keys_on_boxes_are_undone_one_by_one(viewer, session, dock, mouse, wait_for):
    frame = image(viewer, wait_for)
    dock.box_view.deep.setValue(20)
    dock.box_view.add.click()
    (box,) = session.boxes
    added = region(session, frame, box.id)
    assert (added.shape[0], added.start[0]) == (20, 20)
    assert min(added.shape[1:]) >= 32
    assert [abs(a + b - n) <= 1 for a, b, n in zip(added.start, added.stop, frame.shape, strict=True)] == [True] * 3
    viewer.dims.set_current_step(0, 50)
    camera_of(viewer).center = (0, 500, 500)
    dock.box_view.on_selected["go_to"].click()
    assert viewer.dims.current_step[0] == 29 or viewer.dims.current_step[0] == 30
    middle = [(a + b) / 2 for a, b in zip(box.start, box.stop, strict=True)]
    assert np.allclose(camera_of(viewer).center[-2:], middle[1:])
    dock.box_view.on_selected["duplicate"].click()
    assert len(session.boxes) == 2
    copy = region(session, frame, session.boxes.selected.id)
    assert copy.shape == added.shape
    assert not copy.overlaps(added)
    dock.box_view.table.setFocus()
    QTest.keyClick(dock.box_view.table, Qt.Key.Key_Delete)
    assert [one.id for one in session.boxes] == [box.id]
    dock.box_view.many.setValue(3)
    dock.box_view.wide.setValue(16)
    dock.box_view.generate.click()
    placed = [region(session, frame, one.id) for one in session.boxes]
    assert len(placed) == 4
    assert not any(a.overlaps(b) for n, a in enumerate(placed) for b in placed[:n])
    assert {one.shape for one in placed[1:]} == {(16, 16, 16)}
    counts = []
    for _ in range(4):
        dock.box_view.undo.click()
        counts.append(len(session.boxes))
    assert counts == [1, 2, 1, 0]
    assert not dock.box_view.edit.isEnabled()
    dock.box_view.redo.click()
    assert [one.id for one in session.boxes] == [box.id]
