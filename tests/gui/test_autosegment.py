"""The Auto-segment dock with real mouse and keys: numbers from the image, a live slice, and ground truth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget
from scipy import ndimage

from napari_aitrain.annotation.world import WorldBox, new_id
from napari_aitrain.geometry import Region
from napari_aitrain.gui.autosegment.dock import AutosegmentDock
from napari_aitrain.gui.autosegment.part import slice_on_screen
from napari_aitrain.gui.autosegment.preview import NAME
from napari_aitrain.gui.autosegment.taking import NOTES
from napari_aitrain.gui.frames import LayerFrame


def cells(shape: tuple[int, ...] = (96, 120), seed: int = 0) -> np.ndarray:
    """Return an image with six bright, round cells, in each slice of a stack."""
    image = np.zeros(shape)
    image[..., 16:96:32, 20:120:80] = 1
    image = ndimage.gaussian_filter(image, [*(0,) * (len(shape) - 2), 4, 4])
    return (100 + 2000 * image / image.max() + np.random.default_rng(seed).normal(0, 15, shape)).astype(np.float32)


@pytest.fixture
def open_dock(viewer: Any, wait_for: Any) -> Any:
    def opened() -> Any:
        dock = AutosegmentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Auto-segment", area="right")
        return dock

    return opened


def found_on(viewer: Any) -> int:
    return int(viewer.layers[NAME].data.max()) if NAME in viewer.layers else -1


def test_every_widget_has_a_tooltip_and_an_empty_window_says_what_to_do(viewer, open_dock):
    dock = open_dock()
    assert "Open an image" in dock.view.empty.text()
    assert dock.view.empty.isVisibleTo(dock) and not dock.view.take["whole"].isVisibleTo(dock)
    viewer.add_image(cells(), name="cells")
    assert dock.view.take["whole"].isVisibleTo(dock) and dock.view.minimumSizeHint().width() <= 420
    for widget in dock.view.findChildren(QWidget):
        if widget.isVisibleTo(dock) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.parentWidget():
            assert widget.toolTip() or widget.parentWidget().toolTip(), widget
    viewer.layers.clear()
    assert dock.view.empty.isVisibleTo(dock)


@pytest.mark.parametrize("shown", [True], indirect=True)
def test_numbers_from_the_image_and_a_live_slice(viewer, open_dock, wait_for, qtbot):
    image = viewer.add_image(cells(), name="cells", scale=(0.5, 0.5), translate=(3, 7), units=("um", "um"))
    dock = open_dock()
    view = dock.view
    wait_for(lambda: found_on(viewer) == 6)
    assert LayerFrame.of(viewer.layers[NAME]) == LayerFrame.of(image)
    own = view.value()
    assert 1 < own.sigma < 5 and view.numbers.physical.text().endswith("µm²")
    assert "6 objects" in view.status.text()
    view.numbers.minimum.setFocus()
    view.numbers.minimum.selectAll()
    QTest.keyClicks(view.numbers.minimum, "9000")
    QTest.keyClick(view.numbers.minimum, Qt.Key.Key_Return)
    wait_for(lambda: found_on(viewer) == 0)
    assert "minimum size" in view.status.text()
    QTest.mouseClick(view.suggest, Qt.MouseButton.LeftButton)
    wait_for(lambda: found_on(viewer) == 6)
    assert view.value() == own
    view.numbers.preset.setCurrentIndex(2)
    view.numbers.preset.activated.emit(2)
    wait_for(lambda: view.value().preset == "organoids" and view.value().sigma != own.sigma)
    QTest.mouseClick(view.live, Qt.MouseButton.LeftButton)
    wait_for(lambda: NAME not in viewer.layers)


def test_the_slice_follows_and_lies_on_the_image(viewer, open_dock, wait_for):
    stack = cells((5, 96, 120))
    stack[3:, 40:] = 100
    image = viewer.add_image(stack, name="stack", scale=(2, 0.5, 0.5), translate=(10, 3, 4))
    dock = open_dock()
    viewer.dims.set_point(0, 12.0)
    wait_for(lambda: found_on(viewer) == 6)
    viewer.dims.set_point(0, 16.0)
    wait_for(lambda: found_on(viewer) == 2)
    layer = viewer.layers[NAME]
    place = LayerFrame.of(layer)
    assert place.translate == (16.0, 3.0, 4.0) and place.scale == LayerFrame.of(image).scale
    viewer.dims.ndisplay = 3
    wait_for(lambda: NAME not in viewer.layers)
    assert "2-D" in dock.view.status.text() or "slice" in dock.view.status.text()
    viewer.dims.ndisplay = 2
    wait_for(lambda: found_on(viewer) == 2)


def test_objects_become_ground_truth_and_what_is_painted_stays(viewer, session, open_dock, wait_for):
    image = viewer.add_image(cells(), name="cells")
    layer = session.truths.create(image)
    layer.data_setitem((np.repeat(np.arange(8, 26), 18), np.tile(np.arange(12, 30), 18)), 7)
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    QTest.mouseClick(dock.view.take["whole"], Qt.MouseButton.LeftButton)
    wait_for(lambda: "written" in dock.view.status.text())
    assert "5 objects written" in dock.view.status.text() and "1 were left out" in dock.view.status.text()
    assert sorted(np.unique(layer.data)) == [0, 7, 8, 9, 10, 11, 12]
    assert viewer.layers.selection.active is layer
    assert NAME not in viewer.layers, "the preview would lie over what was written"
    notes = (session.saver.project.folder / NOTES).read_text(encoding="utf-8").splitlines()
    made = json.loads(notes[0])
    assert made["settings"] == dock.view.value().used() and made["objects"] == 6
    layer.undo()
    assert sorted(np.unique(layer.data)) == [0, 7]


def test_a_box_of_a_stack_is_segmented_in_3d(viewer, session, open_dock, wait_for):
    image = viewer.add_image(cells((6, 96, 120)), name="stack")
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    assert not dock.view.take["box"].isEnabled()
    start, stop = LayerFrame.of(image).to_world(Region((1, 0, 0), (5, 96, 60)))
    session.boxes.add(WorldBox(id=new_id(), image="stack", start=start, stop=stop))
    assert dock.view.take["box"].isEnabled()
    QTest.mouseClick(dock.view.take["box"], Qt.MouseButton.LeftButton)
    wait_for(lambda: "3 objects written" in dock.view.status.text())
    labels = session.truths.layer(session.truths.all()[0]).data
    assert not labels[0].any() and not labels[5].any() and not labels[:, :, 60:].any()
    ids = [np.unique(part).tolist() for part in labels[1:5]]
    assert ids == [ids[0]] * 4 and len(ids[0]) == 4, "an object goes through all slices of the box"


def test_cancel_writes_nothing_and_a_removed_image_ends_it(viewer, session, open_dock, wait_for):
    viewer.add_image(cells(), name="cells")
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    dock.view.take_pressed.emit("whole")
    assert dock.view.cancel.isVisibleTo(dock)
    QTest.mouseClick(dock.view.cancel, Qt.MouseButton.LeftButton)
    assert "Cancelled" in dock.view.status.text()
    wait_for(lambda: not dock.view.busy.isVisibleTo(dock))
    viewer.layers.remove("cells")
    wait_for(lambda: NAME not in viewer.layers)
    assert not any(layer.data.any() for layer in viewer.layers)


def test_ground_truth_at_another_magnification_and_of_one_time_point(viewer, session, open_dock, wait_for):
    film = np.stack([cells(), np.full((96, 120), 100.0), cells()]).astype(np.float32)
    image = viewer.add_image(film, name="film", axis_labels=("t", "y", "x"), scale=(1, 0.5, 0.5))
    viewer.dims.set_point(0, 2)
    session.truths.create(image, magnification=(1, 2, 2))
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    viewer.dims.set_point(0, 1)
    wait_for(lambda: found_on(viewer) == 0)
    assert "stands out" in dock.view.status.text()
    viewer.dims.set_point(0, 2)
    wait_for(lambda: found_on(viewer) == 6)
    QTest.mouseClick(dock.view.take["slice"], Qt.MouseButton.LeftButton)
    wait_for(lambda: "6 objects written" in dock.view.status.text())
    labels = session.truths.layer(session.truths.all()[0]).data
    assert labels.shape == (3, 48, 60)
    assert not labels[:2].any() and len(np.unique(labels[2])) == 7
    assert labels[2, 8, 10] and labels[2, 24, 50]


def test_the_frame_that_was_segmented_is_written_whatever_is_on_screen_then(viewer, session, open_dock, wait_for):
    film = np.stack([cells(), cells()])
    session.truths.create(viewer.add_image(film, name="film", axis_labels=("t", "y", "x")))
    viewer.dims.set_point(0, 0)
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    dock.view.take_pressed.emit("whole")
    viewer.dims.set_point(0, 1)
    labels = session.truths.layer(session.truths.all()[0]).data
    wait_for(lambda: labels.any())
    assert labels[0].any() and not labels[1].any()


def test_a_preview_that_is_switched_off_does_not_come_back(viewer, open_dock, wait_for):
    image = viewer.add_image(cells(), name="cells")
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    preview, told = dock.controller.preview, []
    preview.found.connect(lambda *_: told.append(1))
    preview.show(image, slice_on_screen(viewer, image), dock.view.value())
    preview.hide()
    wait_for(lambda: not preview._busy)
    assert NAME not in viewer.layers and not told


def test_a_disk_that_is_full_is_told_and_nothing_is_written(viewer, session, open_dock, wait_for, monkeypatch):
    from napari_aitrain.errors import StorageError
    from napari_aitrain.gui.autosegment import controller, taking

    told: list[str] = []
    monkeypatch.setattr(controller, "report", lambda error: told.append(str(error)))

    def full(*_: Any) -> None:
        raise StorageError("the disk is full", "some room", "free some")

    monkeypatch.setattr(taking, "keep_provenance", full)
    layer = session.truths.create(viewer.add_image(cells(), name="cells"))
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    dock.view.take_pressed.emit("whole")
    wait_for(lambda: "Nothing was written" in dock.view.status.text())
    assert "disk is full" in told[0] and not layer.data.any()


def test_what_is_too_much_to_be_undone_is_neither_written_nor_noted(viewer, session, open_dock, wait_for, monkeypatch):
    from napari_aitrain.gui.autosegment import controller, taking

    told: list[str] = []
    monkeypatch.setattr(controller, "report", lambda error: told.append(str(error)))
    monkeypatch.setattr(taking, "MOST_VOXELS", 10)
    layer = session.truths.create(viewer.add_image(cells(), name="cells"))
    dock = open_dock()
    wait_for(lambda: found_on(viewer) == 6)
    dock.view.take_pressed.emit("whole")
    wait_for(lambda: told)
    assert "too many voxels" in told[0] and not layer.data.any()
    assert session.saver.project is None or not (session.saver.project.folder / NOTES).exists()
