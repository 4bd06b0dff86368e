"""The dock: ground truth, classes, the table of boxes, undo, and what is said in trouble."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_aitrain.errors import GroundTruthError, VolumeError
from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.annotate.truths import LabelClass


@pytest.fixture
def dock(viewer):
    dock = AnnotateDock(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    return dock


def test_new_ground_truth_lies_on_the_image(viewer, session, dock):
    assert not dock.truth_view.new.isEnabled()
    assert dock.truth_view.hint.isVisible()
    data = np.zeros((5, 41, 60), np.uint8)
    options = {"scale": (4, 0.5, 0.5), "translate": (8, 1, 2), "units": "micrometer", "axis_labels": ("z", "y", "x")}
    viewer.add_image([data, data[:, ::2, ::2]], name="pyramid", **options)
    dock.truth_view.mode.setCurrentIndex(1)
    dock.truth_view.magnification.setCurrentText("2-2-1")
    dock.truth_view.new.click()
    (truth,) = session.truths.all()
    labels = session.truths.layer(truth)
    assert (labels.data.shape, labels.data.dtype) == ((5, 21, 30), np.int32)
    assert tuple(labels.scale) == (4, 1, 1)
    assert tuple(labels.translate) == (8, 1.25, 2.25)
    assert labels.axis_labels == ("z", "y", "x")
    assert [str(unit) for unit in labels.units] == ["micrometer"] * 3
    assert "pyramid" in labels.name
    assert "classes" in labels.name
    assert labels.mode == "paint"
    with pytest.raises(GroundTruthError, match="voxels"):
        session.truths.adopt(viewer.add_labels(np.zeros((5, 40, 7), int), name="other"), "pyramid")


def test_classes_are_named_coloured_counted_and_undone(viewer, session, dock):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    dock.truth_view.mode.setCurrentIndex(1)
    dock.truth_view.new.click()
    labels = session.truths.layer(session.truths.current)
    assert [row.name for row in dock.class_view.rows] == ["background", "class 1"]
    dock.class_view.add.click()
    assert labels.selected_label == 3
    dock.class_view.renamed.emit(3, "membrane")
    dock.class_view.recoloured.emit(3, "#ff0000")
    assert session.truths.current.classes[-1] == LabelClass(3, "membrane", "#ff0000")
    assert np.allclose(labels.get_color(3), (1, 0, 0, 1))
    assert labels.get_color(0) is None or labels.get_color(0)[3] == 0
    labels.paint((20, 20), 3)
    session.saver.flush()
    assert dock.class_view.rows[-1].count != "0 voxels"
    session.history.undo()
    session.history.undo()
    session.history.undo()
    assert [one.id for one in session.truths.current.classes] == [1, 2]
    session.history.redo()
    assert len(session.truths.current.classes) == 3
    dock.truths._ask = lambda question: "voxels" in question
    dock.class_view.remove_asked.emit(3)
    assert not labels.data.any()
    labels.undo()
    assert labels.data.any()


def test_instances_have_next_ids_and_a_background_brush(viewer, session, dock):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    dock.truth_view.new.click()
    truth = session.truths.current
    labels = session.truths.layer(truth)
    labels.paint((20, 20), labels.selected_label)
    dock.class_view.next.click()
    assert labels.selected_label == 3
    dock.class_view.background.click()
    assert labels.selected_label == truth.background_id
    colours = [tuple(labels.get_color(number)) for number in (truth.background_id, 2, 3)]
    assert len(set(colours)) == 3


def test_the_table_edits_boxes_and_warns(viewer, session, dock, wait_for):
    viewer.add_image(np.zeros((40, 96, 96), np.uint8), name="em", scale=(1, 0.5, 0.5), units="micrometer")
    dock.truth_view.new.click()
    session.truths.layer(session.truths.current).data[4:8, 50:52, 50:52] = 5
    viewer.reset_view()
    dock.box_view.add.click()
    table = dock.box_view.table
    model = table.model()
    titles = [model.headerData(i, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole) for i in range(9)]
    role, tags = (model.index(0, titles.index(title)) for title in ("Role", "Tags"))
    assert model.setData(role, "validation", Qt.ItemDataRole.EditRole)
    model.setData(tags, "good, rim ", Qt.ItemDataRole.EditRole)
    (box,) = session.boxes
    assert (box.role, box.tags) == ("validation", ("good", "rim"))
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    (box,) = session.boxes
    assert (box.role, box.tags) == ("validation", ())
    assert not table.rows[0].findings
    dock.box_view._numbers[1][0].setValue(8)
    assert "fewer than 32" in model.data(model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert model.data(model.index(0, 0), Qt.ItemDataRole.DecorationRole) is not None
    assert table.rows[0].micrometres == (32, 16, 4)
    dock.box_view._numbers[1][0].setValue(64)
    session.saver.flush()
    wait_for(lambda: table.rows[0].objects == 1, what="the count of objects")
    dock.box_view.on_selected["duplicate"].click()
    dock.box_view.on_selected["delete"].click()
    assert len(session.boxes) == 1
    viewer.layers.remove("em")
    assert "not open" in model.data(model.index(0, 0), Qt.ItemDataRole.ToolTipRole)


def test_a_disk_that_fails_is_told_once_and_nothing_is_lost(viewer, session, dock, monkeypatch):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    dock.truth_view.new.click()
    labels = session.truths.layer(session.truths.current)
    assert session.saver.flush()
    told = []
    session.saver.failed.connect(told.append)
    put = sys.modules["zarr.storage._local"]._put

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.storage._local._put", full)
    labels.paint((20, 20), 5)
    assert not session.saver.flush()
    assert not session.saver.flush()
    assert len(told) == 1
    assert "full" in told[0]
    assert dock.project_view.retry.isVisible()
    with pytest.raises(OSError, match="full"):
        session.saver.sources(session.truths.current)
    monkeypatch.setattr("zarr.storage._local._put", put)
    dock.project_view.retry.click()
    assert not session.saver.problem
    assert not dock.project_view.retry.isVisible()
    (source,) = session.saver.sources(session.truths.current)
    from napari_aitrain.volumes import open_volume

    stored = open_volume(source.labels, kind="labels")
    assert np.array_equal(stored.read(stored.region)[0, 0], labels.data)


def test_renamed_and_rotated_images_and_reopened_docks(viewer, session, dock):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    dock.truth_view.new.click()
    viewer.layers["cells"].name = "nuclei"
    assert session.truths.current.image == "nuclei"
    viewer.window.remove_dock_widget(dock)
    again = AnnotateDock(viewer)
    assert again.truth_view.truth.currentText() == session.truths.current.layer
    again.close()
    viewer.add_image(np.zeros((40, 50), np.uint8), name="turned", rotate=30)
    with pytest.raises(VolumeError, match="rotated"):
        session.truths.create("turned")
    viewer.layers.remove(session.truths.current.layer)
    assert session.truths.current is None
    session.saver.open(session.saver.project.folder)
    assert session.truths.current.image == "nuclei"
