"""A starter model in the Auto-segment dock, and a folder segmented beside the window; with a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tiny_starter import SHAPES, balls, make_starter, photographed

from napari_aitrain.errors import ModelError
from napari_aitrain.gui.autosegment import controller as controllers
from napari_aitrain.gui.autosegment import finder as finders
from napari_aitrain.gui.autosegment import folder_controller as folders
from napari_aitrain.gui.autosegment.dock import AutosegmentDock
from napari_aitrain.gui.autosegment.preview import NAME
from napari_aitrain.gui.autosegment.taking import NOTES
from napari_aitrain.jobs.segmenter import Segmenter
from napari_aitrain.models import read_card

LOADED = 150
"""Seconds for a process to import torch, beside others."""


@pytest.fixture(scope="session")
def starter_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Train a model of slices and one of volumes; a worker, which is another program, knows them by their folders."""
    folder = tmp_path_factory.mktemp("starters")
    made = [make_starter(folder / f"nuclei-{dims}d", dims).folder for dims in (2, 3)]
    return {str(path): read_card(path) for path in made}


@pytest.fixture(scope="module")
def worker() -> Iterator[Segmenter]:
    """Start a process once for all tests: torch takes seconds to be imported."""
    segmenter = Segmenter()
    yield segmenter
    segmenter.close()


@pytest.fixture
def open_dock(viewer: Any, starter_models: dict[str, Any], worker: Segmenter, monkeypatch: pytest.MonkeyPatch) -> Any:
    class Kept(Segmenter):
        """A segmenter that leaves its process to the next test."""

        def __init__(self) -> None:
            self.__dict__.update(worker.__dict__)

        def _at_work(self) -> Any:
            self._worker = worker._at_work()
            return self._worker

        def close(self) -> None:
            self._closed = True

    monkeypatch.setattr(controllers, "starters_of_objects", lambda: starter_models)
    monkeypatch.setattr(finders.Finder.__init__, "__defaults__", (Kept,))
    monkeypatch.setattr(folders.FolderController.__init__, "__defaults__", (Kept,))

    def opened() -> Any:
        dock = AutosegmentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Auto-segment", area="right")
        return dock

    return opened


def choose(view: Any, preset: str) -> None:
    """Choose a preset with the keys."""
    box = view.numbers.preset
    box.setFocus()
    while box.currentData() != preset:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() > before


def type_into(box: Any, text: str) -> None:
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


def found_on(viewer: Any) -> int:
    return int(viewer.layers[NAME].data.max()) if NAME in viewer.layers else -1


def test_only_numbers_that_count_are_shown_and_the_slice_follows_the_model(viewer, open_dock, wait_for, monkeypatch):
    truth = balls(SHAPES[2], 12, seed=1)
    viewer.add_image(photographed(truth)[0], name="nuclei")
    dock = open_dock()
    view, numbers = dock.view, dock.view.numbers
    wait_for(lambda: found_on(viewer) == 64)
    assert numbers.sigma.isVisibleTo(dock) and not numbers.diameter.isVisibleTo(dock)
    choose(view, "starter")
    assert not numbers.sigma.isVisibleTo(dock) and not numbers.minimum.isVisibleTo(dock)
    assert numbers.diameter.isVisibleTo(dock) and numbers.threshold.isVisibleTo(dock) and numbers.model.count() == 1
    wait_for(lambda: "being loaded" in view.status.text())
    wait_for(lambda: "Diameter" in view.status.text(), LOADED)
    assert found_on(viewer) > 40 and numbers.diameter.text() == "auto"
    type_into(numbers.diameter, "24")
    wait_for(lambda: "Diameter: 24" in view.status.text(), 30)
    asks: list[Any] = []
    monkeypatch.setattr(dock.controller._finder, "_ask", lambda *given: asks.append(given))
    type_into(numbers.threshold, "1")
    wait_for(lambda: found_on(viewer) == 0)
    assert "sure of nothing" in view.status.text() and not asks, "a threshold needs no network"
    QTest.mouseClick(view.suggest, Qt.MouseButton.LeftButton)
    assert numbers.diameter.text() == "auto" and numbers.threshold.value() == 0.5


def test_a_volume_is_written_with_how_it_was_made(viewer, session, open_dock, wait_for):
    truth = balls(SHAPES[3], 12, seed=1)
    viewer.add_image(photographed(truth), name="stack")
    dock = open_dock()
    viewer.dims.set_point(0, 8)
    choose(dock.view, "starter")
    numbers = dock.view.numbers
    assert [numbers.model.itemText(row) for row in range(2)] == ["nuclei-3d (3-D)", "nuclei-2d (2-D)"]
    wait_for(lambda: found_on(viewer) > 0 and "Diameter" in dock.view.status.text(), LOADED)
    assert viewer.layers[NAME].data.shape[0] == 1, "of the slices around one only that is shown"
    type_into(numbers.threshold, "0.2")
    assert not session.truths.all()
    QTest.mouseClick(dock.view.take["whole"], Qt.MouseButton.LeftButton)
    wait_for(lambda: "written" in dock.view.status.text(), LOADED)
    labels = np.asarray(session.truths.layer(session.truths.all()[0]).data)
    assert labels.shape == truth.shape and labels.any(axis=(1, 2)).sum() > 4
    viewer.dims.set_point(0, 9)
    QTest.qWait(400)
    assert "written" in dock.view.status.text(), "what was written is still told on another slice"
    note = (session.saver.project.folder / NOTES).read_text(encoding="utf-8")
    assert '"preset": "starter"' in note and '"weights_sha256"' in note and '"diameter"' in note


def test_cancel_keeps_no_empty_ground_truth(viewer, session, open_dock, wait_for):
    viewer.add_image(photographed(balls(SHAPES[2], 12))[0], name="nuclei")
    dock = open_dock()
    wait_for(lambda: found_on(viewer) > 0)
    choose(dock.view, "starter")
    dock.view.take_pressed.emit("whole")
    assert dock.view.cancel.isVisibleTo(dock)
    QTest.mouseClick(dock.view.cancel, Qt.MouseButton.LeftButton)
    wait_for(lambda: "Cancelled" in dock.view.status.text() and not dock.view.busy.isVisibleTo(dock))
    assert not session.truths.all() and session.saver.project is None
    assert [layer.name for layer in viewer.layers if layer.name != NAME] == ["nuclei"]


def test_a_worker_that_goes_is_told_and_the_next_one_answers(viewer, open_dock, worker, wait_for):
    viewer.add_image(photographed(balls(SHAPES[2], 12))[0], name="nuclei")
    dock = open_dock()
    choose(dock.view, "starter")
    wait_for(lambda: "Diameter" in dock.view.status.text(), LOADED)
    worker._worker.kill()
    worker._worker.process.wait()
    type_into(dock.view.numbers.diameter, "12")
    wait_for(lambda: "Diameter: 12" in dock.view.status.text(), LOADED)


def test_a_model_that_is_damaged_is_told(viewer, open_dock, wait_for, monkeypatch):
    def damaged(*_: Any) -> None:
        raise ModelError("the weights are damaged", "", "")

    viewer.add_image(photographed(balls(SHAPES[2], 12))[0], name="nuclei")
    dock = open_dock()
    monkeypatch.setattr(dock.controller._finder, "_ask", damaged)
    choose(dock.view, "starter")
    wait_for(lambda: "damaged" in dock.view.status.text())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "Bilder ü"
    folder.mkdir()
    for number in (1, 2):
        tifffile.imwrite(folder / f"{number}.tif", photographed(balls(SHAPES[2], 12, number))[0])
    (folder / "broken.tif").write_bytes(b"II*\0nothing")
    (folder / "notes.txt").write_text("stray")
    return folder


def test_a_folder_is_segmented_beside_the_window(viewer, session, open_dock, images, hand, wait_for):
    dock = open_dock()
    assert dock.view.folder.isVisibleTo(dock), "no image needs to be open"
    hand.click(dock.view.folder)
    dialog = dock.controller.folder._dialog
    assert not dialog.start.isEnabled() and "sigma of each image" in dialog.numbers.text()
    dialog.images.line.insert(str(images))
    assert dialog.labels.value() == images.with_name("Bilder ü labels")
    assert not dialog.own.isVisibleTo(dialog) and not dock.view.numbers.sigma.isVisibleTo(dock)
    hand.click(dialog.start)
    assert dialog.cancel.isVisibleTo(dialog) and not dialog.start.isEnabled()
    assert list(session.ending.values()) == ["The folder Bilder ü is still being segmented."]
    wait_for(lambda: "segmented" in dialog.status.text(), LOADED)
    assert not session.ending
    assert "2 images" in dialog.status.text() and "1 could not be" in dialog.status.text()
    rows = [dialog.table.topLevelItem(row) for row in range(3)]
    assert [row.text(0) for row in rows] == ["broken.tif", "1.tif", "2.tif"]
    assert rows[0].text(2) and [row.text(1) for row in rows[1:]] == ["64", "64"]
    assert sorted(path.name for path in images.with_name("Bilder ü labels").glob("*.tif")) == ["1.tif", "2.tif"]
    hand.click(dialog.correct)
    wait_for(lambda: session.truths.all())
    assert session.truths.all()[0].image == "1" and viewer.layers["1 ground truth"].data.max() == 64
    hand.click(dialog.train)
    assert [row.image for row in session.training_set.rows()][-2:] == ["1.tif", "2.tif"]
    hand.click(dialog.start)
    wait_for(lambda: "exists" in dialog.status.text())


def test_a_folder_by_the_numbers_that_are_shown(viewer, open_dock, images, hand, wait_for):
    viewer.add_image(photographed(balls(SHAPES[2], 12))[0], name="nuclei")
    dock = open_dock()
    wait_for(lambda: found_on(viewer) > 0)
    type_into(dock.view.numbers.minimum, "9000")
    hand.click(dock.view.folder)
    dialog = dock.controller.folder._dialog
    assert "9,000" in dialog.numbers.text() and dialog.own.isVisibleTo(dialog)
    dialog.images.line.insert(str(images))
    hand.click(dialog.start)
    wait_for(lambda: "segmented" in dialog.status.text(), LOADED)
    assert "0 objects" in dialog.status.text()
    rows = [dialog.table.topLevelItem(row) for row in range(3)]
    assert [row.text(1) for row in rows] == ["", "0", "0"] and "minimum size" in rows[1].text(2)


def test_a_folder_ends_with_its_dock(viewer, session, open_dock, images, hand, wait_for):
    dock = open_dock()
    hand.click(dock.view.folder)
    folder = dock.controller.folder
    folder._dialog.images.line.insert(str(images))
    hand.click(folder._dialog.start)
    dock.controller.close()
    assert folder._dialog is None and folder._cancelled and not session.ending


def test_a_folder_by_a_starter_model_is_cancelled(viewer, open_dock, images, hand, wait_for):
    dock = open_dock()
    choose(dock.view, "starter")
    hand.click(dock.view.folder)
    dialog = dock.controller.folder._dialog
    assert "found in each image" in dialog.numbers.text() and not dialog.own.isVisibleTo(dialog)
    dialog.images.line.insert(str(images))
    hand.click(dialog.start)
    hand.click(dialog.cancel)
    wait_for(lambda: "Cancelled" in dialog.status.text(), LOADED)
    assert dialog.start.isEnabled()
    hand.click(dialog.start)
    wait_for(lambda: "segmented" in dialog.status.text() or "exists" in dialog.status.text(), LOADED)


@pytest.mark.parametrize(
    ("where", "word"), [("empty", "no image"), ("same", "folder of the images"), ("file", "folder")]
)
def test_folders_that_cannot_be_segmented(viewer, open_dock, images, hand, wait_for, tmp_path, where, word):
    dock = open_dock()
    hand.click(dock.view.folder)
    dialog = dock.controller.folder._dialog
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    dialog.images.setValue(tmp_path / "empty" if where == "empty" else images)
    if where != "empty":
        dialog.labels.setValue(images if where == "same" else tmp_path / "file" / "out")
    hand.click(dialog.start)
    wait_for(lambda: word in dialog.status.text(), LOADED)
    assert dialog.start.isEnabled() and not dialog.bar.isVisibleTo(dialog)
