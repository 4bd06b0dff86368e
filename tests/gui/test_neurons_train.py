"""The tasks for electron micrographs in the Train dock: which settings are shown, and where the voxel size is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialogButtonBox, QToolButton

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.train.form import TrainForm
from napari_aitrain.gui.train.voxel_size import VoxelSizeDialog
from napari_aitrain.training.config import Source
from napari_aitrain.training.config_file import parse_config

WaitFor = Callable[..., Any]
OFFSETS = ((0, 0, 1), (0, 1, 0))


def labels_of(form: Any, layout: Any) -> list[str]:
    """Return the labels of the rows of a layout that are shown."""
    rows = [layout.itemAt(row, layout.ItemRole.LabelRole) for row in range(layout.rowCount())]
    return [item.widget().text() for item in rows if item is not None]


def test_each_task_shows_the_settings_that_matter_to_it(qtbot: Any) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    form.show()
    titles = [form.task.widget.native.itemText(n) for n in range(form.task.widget.native.count())]
    assert {"EM neurons", "EM instances"} <= set(titles)
    form.task.widget.value = "neurons"
    assert "offsets" not in form._task_fields
    assert not [text for text in labels_of(form, form._basic) if "nm" in text]
    form.task.widget.value = "em-instances"
    assert labels_of(form, form._basic)[1] == "Max distance (nm)"
    assert "Seed distance (nm)" in labels_of(form, form._advanced)
    distance = form._task_fields["max_distance"].widget
    qtbot.waitUntil(distance.native.isVisible)
    assert "diameter" in distance.tooltip.casefold()
    assert form.value()["task_settings"] == {}
    distance.native.setValue(800)
    assert form.value()["task_settings"] == {"max_distance": 800}
    # Whoever went back to the default has thought of it.
    distance.native.setValue(1000)
    assert form.value()["task_settings"] == {"max_distance": 1000}
    assert form.focus("max_distance") and not form.more.isExpanded()
    assert form.focus("seed_distance") and form.more.isExpanded()
    form.task.widget.value = "neurons"
    assert form.value()["task_settings"] == {}
    assert "Max distance (nm)" not in labels_of(form, form._basic)


def test_settings_without_a_widget_stay_with_a_training(qtbot: Any) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    form.setValue({"task": "neurons", "task_settings": {"offsets": OFFSETS}})
    assert parse_config(form.value()).task_settings == {"offsets": OFFSETS}
    form.task.widget.value = "instances"
    assert form.value()["task_settings"] == {}


def press_show_me(status: Any) -> None:
    """Press the button beside the problem that names the voxel size."""
    row = next(n for n, problem in enumerate(status.value().problems) if "voxel size" in problem.text)
    button = status._problems.itemAt(row).widget().findChild(QToolButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def give(view: Any, wait_for: WaitFor, *size: float) -> None:
    """Fill in the dialog."""
    dialog = wait_for(lambda: view.findChild(VoxelSizeDialog), what="the dialog")
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    for length, value in zip(dialog.lengths.values(), size, strict=True):
        length.setValue(value)
    QTest.mouseClick(ok, Qt.MouseButton.LeftButton)


@pytest.fixture
def shown() -> bool:
    return True


def test_a_missing_voxel_size_is_given_where_show_me_leads(
    viewer: Any, session: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    view = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")[1].view
    ids = np.kron(np.arange(1, 9).reshape(2, 2, 2), np.ones((8, 24, 24))).astype(np.int32)
    viewer.add_image(np.random.default_rng(0).integers(0, 255, ids.shape, np.uint8), name="stack", scale=(4, 1, 1))
    truth = session.truths.create("stack", "instances")
    truth.data = ids
    for role, x in (("train", 0), ("validation", 24)):
        start, stop = (-2, -0.5, x - 0.5), (62, 47.5, x + 23.5)
        session.boxes.add(WorldBox(start=start, stop=stop, image="stack", name=role, role=role))
    viewer.dims.set_current_step(0, 5)
    before = [LayerFrame.of(viewer.layers["stack"]).to_box(box) for box in session.boxes]
    view.form.setValue({"task": "neurons", "device": "cpu"})
    problems = wait_for(lambda: not view.status.value().checking and view.status.value().problems, 60)
    (problem,) = [one for one in problems if "voxel size" in one.text]
    assert "Show me" in problem.remedy
    assert not view.start.isEnabled()
    press_show_me(view.status)
    give(view, wait_for, 40, 10, 10)
    wait_for(lambda: not view.status.value().checking and view.status.value().ready, 60)
    image = viewer.layers["stack"]
    assert LayerFrame.of(image).voxel_size == (40, 10, 10) == LayerFrame.of(truth).voxel_size
    assert [LayerFrame.of(image).to_box(box) for box in session.boxes] == before
    assert session.training_set.sources()[0].voxel_size == (40, 10, 10)
    assert viewer.dims.current_step[0] == 5 and view.form.value()["task"] == "neurons"


def test_a_missing_voxel_size_of_files_stays_with_the_source(viewer: Any, session: Any, tmp_path: Path) -> None:
    for name in ("image.tif", "labels.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 64, 64), np.uint8))
    session.training_set.add(Source(image=tmp_path / "image.tif", labels=tmp_path / "labels.tif"))
    assert session.training_set.target_of("image.tif") == "row:0"
    session.training_set.set_voxel_size(0, (50, 4, 4))
    assert session.training_set.sources()[0].voxel_size == (50, 4, 4)
