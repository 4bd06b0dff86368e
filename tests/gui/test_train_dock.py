"""A real training from the window: docks, worker, process; and the same job from the command line."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QToolButton

from napari_aitrain.annotation.image_copy import copy_image
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.errors import AitrainError
from napari_aitrain.gui.annotate import copies
from napari_aitrain.gui.jobs import center as center_module
from napari_aitrain.gui.jobs.job_list import KnownJob
from napari_aitrain.gui.train import controller as controller_module
from napari_aitrain.jobs import JobFolder
from napari_aitrain.volumes import open_volume

pytestmark = pytest.mark.timeout(400)
QUICK = {"batch_size": 1, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small", "threads": 1,
         "device": "cpu"}  # fmt: skip
WaitFor = Callable[..., Any]
PLUGIN = "napari-aitrain"


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    for module in (center_module, controller_module):
        monkeypatch.setattr(module, "report", lambda error: messages.append(str(error)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return messages


def add_truth(session: Any, size: int = 96) -> None:
    """Add an image with a chessboard of objects, its ground truth and two boxes."""
    labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
    labels = np.tile(labels, (1, 2)).astype(np.int32)
    image = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
    session.viewer.add_image(image, name="cells")
    session.truths.create("cells", "instances").data = labels
    for role, x in (("train", 0), ("validation", 96)):
        box = WorldBox(start=(-0.5, -0.5, x - 0.5), stop=(0.5, 95.5, x + 95.5), image="cells", name=role, role=role)
        session.boxes.add(box)


def click(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def open_dock(viewer: Any, name: str) -> Any:
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


def test_a_training_from_the_window_is_the_one_of_the_command_line(
    viewer: Any, session: Any, wait_for: WaitFor, told: list[str], tmp_path: Path
) -> None:
    dock, jobs = open_dock(viewer, "Train"), open_dock(viewer, "Jobs")
    assert not dock.view.start.isEnabled() or not dock.view.sources.table.rowCount()
    add_truth(session)
    view = dock.view
    view.form.setValue({**QUICK, "steps": 4, "name": "chess"})
    wait_for(lambda: view.status.value().counts and not view.status.value().checking, 120)
    assert view.status.value().ready
    assert {role: counts[0] for role, counts in view.status.value().counts.items()} == {
        "train": 1,
        "validation": 1,
        "test": 0,
    }
    assert view.sources.table.item(0, 2).text() == "1 train, 1 val."

    click(view.start)
    assert "Starting" in view.message.text()
    assert not view.start.isEnabled()
    click(view.start)
    QTest.keyClick(view.start, Qt.Key.Key_Space)
    wait_for(lambda: session.jobs.all())
    (job,) = session.jobs.all()
    wait_for(lambda: session.jobs.state(job) == "done" and not session.jobs.running(), 90)
    assert session.jobs.all() == [job], told
    assert view.message.text() == f"{job.name} has ended."
    click(view.leads["Jobs"])
    wait_for(lambda: jobs.view.visibleRegion().boundingRect().isValid())
    assert jobs.view.table.item(0, 1).text() == "done"
    assert "Done" in jobs.view.log.value()
    assert (job.model / "weights.safetensors").is_file()
    assert view.start.isEnabled() and view.again.isEnabled()

    again = JobFolder.create(job.config(), tmp_path / "again")
    command = [sys.executable, "-m", "napari_aitrain", "train", str(again.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (again.model / "weights.safetensors").read_bytes() == (job.model / "weights.safetensors").read_bytes()

    click(view.again)
    wait_for(lambda: len(session.jobs.all()) == 2)
    second = session.jobs.all()[0]
    wait_for(lambda: session.jobs.state(second) == "done", 90)
    assert second.config().start_from == str(job.model)
    assert told == []


def test_errors_block_start_and_show_me_goes_there(viewer: Any, session: Any, wait_for: WaitFor) -> None:
    dock = open_dock(viewer, "Train")
    view = dock.view
    wait_for(lambda: view.status.value().problems)
    assert "nothing to train on" in view.status.value().problems[0].text
    assert not view.start.isEnabled()
    add_truth(session)
    outside = WorldBox(start=(-0.5, 99.5, -0.5), stop=(0.5, 150.5, 50.5), image="cells", name="lost")
    session.boxes.add(outside)
    session.boxes.select("")
    wait_for(lambda: any("lost" in one.text for one in view.status.value().problems), 120)
    assert not view.start.isEnabled()
    wait_for(lambda: [one for one in view.status.findChildren(QToolButton) if one.isVisible()])
    click(next(one for one in view.status.findChildren(QToolButton) if one.isVisible()))
    assert session.boxes.selected is not None and session.boxes.selected.id == outside.id
    session.boxes.remove(outside.id)
    wait_for(lambda: view.start.isEnabled() and view.status.value().ready, 120)


def test_an_image_that_is_removed_is_told_in_the_dock(viewer: Any, session: Any, wait_for: WaitFor) -> None:
    dock = open_dock(viewer, "Train")
    add_truth(session)
    wait_for(lambda: dock.view.status.value().counts, 120)
    viewer.layers.remove("cells")
    dock.view.form.setValue({"seed": 5})
    wait_for(lambda: any(one.level == "error" and "cells" in one.text for one in dock.view.status.value().problems), 60)
    assert not dock.view.start.isEnabled()


def test_a_start_that_fails_gives_the_button_back(
    viewer: Any, session: Any, wait_for: WaitFor, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dock = open_dock(viewer, "Train")
    add_truth(session)
    wait_for(lambda: dock.view.start.isEnabled() and dock.view.status.value().counts, 120)

    def full(*_: Any) -> None:
        raise AitrainError("the disk is full", "room", "free some space")

    monkeypatch.setattr(JobFolder, "create", full)
    click(dock.view.start)
    wait_for(lambda: told)
    wait_for(dock.view.start.isEnabled)
    assert told == ["the disk is full\nExpected: room\nWhat to do: free some space"]
    assert session.jobs.all() == []


def test_a_row_is_trained_at_the_magnification_that_is_chosen(
    viewer: Any, session: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    dock = open_dock(viewer, "Train")
    add_truth(session)
    wait_for(lambda: dock.view.status.value().counts and not dock.view.status.value().checking, 120)
    before = dock.view.status.value().counts["train"][1]
    box = dock.view.sources.table.cellWidget(0, 3)
    assert [box.itemText(n) for n in range(box.count())] == ["1", "2-2-1"]
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    QTest.keyClick(box, Qt.Key.Key_Return)
    wait_for(lambda: dock.view.status.value().counts["train"][1] == before // 4, 120)
    config = dock.controller.config()
    assert [one.magnification for one in config.sources] == ["2-2-1"]
    assert config.sources[0].boxes[0].stop == (1, 96, 96)
    assert dock.view.sources.table.cellWidget(0, 3).currentText() == "2-2-1"

    job = JobFolder.create(config, tmp_path / "job")
    dock.controller.model.set_magnification(0, "1")
    assert [one.magnification for one in dock.controller._painting._sources_for(job)] == ["2-2-1"]
    dock.fill(config)
    assert [row.magnification for row in dock.controller.model.rows()] == ["2-2-1"]


def test_classes_of_the_ground_truth_can_be_chosen(viewer: Any, session: Any, wait_for: WaitFor) -> None:
    dock = open_dock(viewer, "Train")
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (96, 192)).astype(np.uint8), name="cells")
    layer = session.truths.create("cells", "classes")
    truth = session.truths.current
    more = session.truths.new_class(truth, "mito")
    layer.data = np.tile(np.repeat([1, 2, more.id, 0], 24), (96, 2)).astype(np.int32)
    form = dock.view.form
    wait_for(lambda: dock.view.status.value().counts and not dock.view.status.value().checking, 120)
    assert form.value()["task"] == "semantic"
    ticks = form._settings.classes.native
    assert [ticks.item(n).text() for n in range(ticks.count())] == ["class 1", "mito"]
    ticks.item(0).setCheckState(Qt.CheckState.Unchecked)
    config = dock.controller.config()
    assert (config.classes, config.class_names) == ((more.id,), {0: "background", 2: "class 1", more.id: "mito"})
    wait_for(lambda: any("mito (" in text and "class 1" not in text for text in dock.view.status.value().sentences))
    assert any("background (" in text for text in dock.view.status.value().sentences)


def test_train_again_with_changes_fills_the_dock_in(
    viewer: Any, session: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    add_truth(session)
    truth = session.truths.all()[0]
    train = open_dock(viewer, "Train")
    config = train.controller.config().model_copy(update={"name": "earlier", "seed": 9, "sources": ()})
    config = config.model_copy(update={"sources": tuple(session.saver.sources(truth))})
    job = JobFolder.create(config, tmp_path / "job")
    viewer.window.remove_dock_widget(train)
    session.jobs._found(KnownJob(job))
    jobs = open_dock(viewer, "Jobs")
    wait_for(lambda: jobs.view.buttons["again"].isEnabled())
    click(jobs.view.buttons["again"])
    form = open_dock(viewer, "Train")
    assert form is not train
    assert form.view.form.value()["name"] == "earlier"
    assert form.view.form.value()["seed"] == 9
    assert [row.truth for row in form.controller.model.rows()] == [truth.key]


def test_docks_that_are_closed_leave_no_thread_and_open_again(viewer: Any, session: Any, wait_for: WaitFor) -> None:
    add_truth(session)
    for _ in range(2):
        train, jobs = open_dock(viewer, "Train"), open_dock(viewer, "Jobs")
        wait_for(lambda train=train: train.view.status.value().counts, 120)
        viewer.window.remove_dock_widget(train)
        viewer.window.remove_dock_widget(jobs)
        assert not [thread for thread in threading.enumerate() if thread.name == "readiness"]
    session.boxes.remove(*[box.id for box in session.boxes])
    session.close()
    names = ("readiness", "follow", "warm", "ear", "find", "stop")
    wait_for(lambda: not [one for one in threading.enumerate() if one.name.startswith(names)])


def test_a_large_image_is_copied_beside_the_window_and_start_waits(
    viewer: Any, session: Any, wait_for: WaitFor, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, began = threading.Event(), threading.Event()

    def slow(volume: Any, folder: Path, most: int, tell: Any = None) -> Path:
        began.set()
        while not gate.wait(0.01):
            tell(0.5)
        return copy_image(volume, folder, most, tell)

    monkeypatch.setattr(copies, "AT_ONCE", 0)
    monkeypatch.setattr(copies, "copy_image", slow)
    started: list[Any] = []
    monkeypatch.setattr(session.jobs, "start", lambda config: started.append(config) or JobFolder(Path("none")))
    dock = open_dock(viewer, "Train")
    add_truth(session)
    view = dock.view
    wait_for(lambda: "Copying the image cells… 50%" in view.message.text(), 60)
    assert began.is_set() and view.status.value().checking

    click(view.start)
    wait_for(lambda: "starts after that" in view.message.text())
    assert not started and not view.start.isEnabled()
    gate.set()
    wait_for(lambda: started, 60)
    assert "Copying" not in view.message.text()
    (source,) = started[0].sources
    copied = open_volume(source.image).read(source.boxes[0].region)
    assert np.array_equal(copied[0, 0], viewer.layers["cells"].data[:, :96])
    assert told == []


def test_a_copy_that_fails_is_told_and_a_closed_window_gives_it_up(
    viewer: Any, session: Any, wait_for: WaitFor, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def full(volume: Any, folder: Path, most: int, tell: Any = None) -> Path:
        while not gate.wait(0.01):
            tell(0.1)
        raise AitrainError("the disk is full", "room", "free some space")

    monkeypatch.setattr(copies, "AT_ONCE", 0)
    monkeypatch.setattr(copies, "copy_image", full)
    dock = open_dock(viewer, "Train")
    add_truth(session)
    wait_for(lambda: "Copying" in dock.view.message.text(), 60)
    gate.set()
    wait_for(lambda: any("disk is full" in one.text for one in dock.view.status.value().problems), 60)
    assert dock.view.message.text() == "" and not dock.view.start.isEnabled()
    gate.clear()
    dock.view.form.setValue({"seed": 3})
    wait_for(lambda: "Copying" in dock.view.message.text(), 60)
    session.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "napari-aitrain-copy"]
    assert told == []
