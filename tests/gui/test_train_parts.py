"""The parts of the Train dock alone: the form, the status panel, the checker, rows of sources."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import tifffile
from pydantic import BaseModel, Field
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton

from napari_aitrain.annotation.findings import Finding
from napari_aitrain.errors import AitrainError, ConfigError, VolumeError
from napari_aitrain.gui.annotate.truth import GroundTruth, LabelClass
from napari_aitrain.gui.train import checker as checker_module
from napari_aitrain.gui.train.checker import Checked, Checker
from napari_aitrain.gui.train.classes import classes_of
from napari_aitrain.gui.train.fields import make_field
from napari_aitrain.gui.train.files_dialog import FilesDialog
from napari_aitrain.gui.train.form import TrainForm
from napari_aitrain.gui.train.magnifications import choices, choices_of_files
from napari_aitrain.gui.train.rows import row_of_source, sources_of_folder
from napari_aitrain.gui.train.settings_fields import ELSEWHERE
from napari_aitrain.gui.train.status import Problem, Status, StatusPanel
from napari_aitrain.gui.train.telling import status_of, status_of_error
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.config_file import config_to_yaml, parse_config
from napari_aitrain.training.readiness import Readiness


def test_form_shows_every_setting_with_its_description_and_changes_none(qtbot: Any) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    assert parse_config(form.value()) == TrainConfig()
    for name, info in TrainConfig.model_fields.items():
        if name not in ELSEWHERE:
            assert form._fields[name].widget.tooltip == info.description, name


def test_form_gives_back_what_it_was_given(qtbot: Any, tmp_path: Path) -> None:
    config = TrainConfig(
        name="neurons",
        comments="two\nlines",
        task="semantic",
        task_settings={"dice_weight": 2.0},
        dims="3",
        statuses=("done",),
        tags=("a", "b"),
        classes=(2, 5),
        validation_fraction=0.35,
        minutes=2.5,
        steps=7,
        seed=3,
        device="cuda:1",
        threads=2,
        network="large",
        start_from=str(tmp_path / "model"),
        batch_size=4,
        patch_shape=(1, 64, 96),
        learning_rate=0.0005,
        augmentation="light",
        preview_interval=1.5,
    )
    form = TrainForm()
    qtbot.addWidget(form)
    form.setValue(config.model_dump(exclude={"sources", "version"}))
    assert parse_config(form.value()) == config
    form.setValue(TrainConfig().model_dump(exclude={"sources", "version"}) | {"task_settings": {"dice_weight": 1.0}})
    assert parse_config(form.value()) == TrainConfig()


CLASSES = (
    LabelClass(1, "background", "#7f7f7f"),
    LabelClass(2, "membrane", "#e69f00"),
    LabelClass(5, "mito", "#56b4e9"),
)


def test_classes_are_ticked_by_name_where_labels_are_classes(qtbot: Any) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    form.show()
    form.set_classes(*classes_of([GroundTruth("l", "i", "classes", classes=CLASSES, background_id=1)], {0, 5, 7}))
    ticks = form._settings.classes.native
    assert not ticks.isVisible()
    form.task.widget.value = "semantic"
    assert ticks.isVisible()
    assert [ticks.item(n).text() for n in range(ticks.count())] == ["membrane", "mito", "class 7"]
    assert not ticks.item(0).icon().isNull() and form.value()["classes"] == ()

    with qtbot.waitSignal(form.valueChanged):
        ticks.setCurrentRow(1)
        qtbot.keyClick(ticks, Qt.Key.Key_Space)
    assert form.value()["classes"] == (2, 7)
    qtbot.keyClick(ticks, Qt.Key.Key_Space)
    assert form.value()["classes"] == ()
    for row in range(3):
        ticks.item(row).setCheckState(Qt.CheckState.Unchecked)
    assert form.value()["classes"] == (0,)

    form.setValue({"classes": (5, 9)})
    assert {ticks.item(n).text(): ticks.item(n).checkState() == Qt.CheckState.Checked for n in range(4)} == {
        "membrane": False, "mito": True, "class 7": False, "class 9": True}  # fmt: skip
    form.task.widget.value = "instances"
    assert not ticks.isVisible() and form.value()["classes"] == ()
    form.task.widget.value = "semantic"
    assert form.value()["classes"] == (5, 9)


def test_magnifications_that_leave_too_few_voxels_are_not_offered(tmp_path: Path) -> None:
    assert choices((1, 96, 192)) == ("1", "2-2-1")
    assert choices((64, 512, 512)) == ("1", "2-2-1", "2", "4-4-1", "4-4-2", "8-8-1")
    assert choices((64, 40, 40), [(1, 3, 3)]) == ("1", "3-3-1")
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((128, 128), np.uint8))
    files = Source(image=tmp_path / "a.tif", labels=tmp_path / "b.tif", magnification="3")
    assert choices_of_files(files) == ("1", "2-2-1", "4-4-1", "3")
    assert "8-8-1" in choices_of_files(files.model_copy(update={"image": tmp_path / "none.tif"}))


def test_a_setting_that_is_new_in_the_config_appears() -> None:
    class New(BaseModel):
        ratio: Annotated[float | None, Field(gt=0, lt=1, description="A share.")] = None
        mode: Annotated[Literal["a", "b"], Field(description="Which.")] = "b"
        on: Annotated[bool, Field(description="Whether.")] = True

    ratio, mode, on = (make_field(name, info, name) for name, info in New.model_fields.items())
    assert (ratio.value, mode.value, on.value) == (None, "b", True)
    ratio.value = 0.5
    assert ratio.value == 0.5
    assert mode.widget.tooltip == "Which."


def test_form_tells_of_changes_and_brings_a_setting_into_view(qtbot: Any) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    form.show()
    with qtbot.waitSignal(form.valueChanged):
        form.task.widget.value = "semantic"
    assert form.description.text().startswith("A class for every voxel")
    assert form.focus("seed") and form.more.isExpanded()
    assert form.focus("dice_weight")
    qtbot.waitUntil(form._task_fields["dice_weight"].widget.native.isVisible)
    assert not form.focus("nonsense")


def test_status_panel_shows_counts_and_goes_to_what_is_meant(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    asked: list[str] = []
    panel.show_requested.connect(asked.append)
    problems = [Problem("error", "Box <1> is outside.", "Move it.", "box:1"), Problem("warning", "Few objects.")]
    panel.setValue(Status(problems, {"train": (2, 1000, 0)}, ["Validation is cut off."], "First result after 3 s"))
    panel.show()
    assert "1 thing to mend" in panel.headline.text()
    (button,) = [one for one in panel.findChildren(QToolButton) if one.isVisible()]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked == ["box:1"]
    assert not panel.value().ready
    panel.setValue(Status([problems[1]]))
    assert panel.value().ready and "Ready" in panel.headline.text()


def test_findings_become_problems_with_a_target() -> None:
    found = Readiness(
        (
            Finding("error", "box-outside", "lies outside", "Move it.", "box 1"),
            Finding("error", "no-boxes", "There are no boxes.", "Draw one."),
            Finding("warning", "few-annotations", "There are 3.", "Train."),
        )
    )
    shown = status_of(Checked(TrainConfig(), found), lambda where: "box:abc" if where == "box 1" else "")
    assert [problem.target for problem in shown.problems] == ["box:abc", "row:0", ""]
    assert shown.problems[0].text == "Lies outside"
    wrong = status_of_error(ConfigError("the form: minutes is -1", "more than 0", "change it"))
    assert wrong.problems[0].target == "field:minutes"
    assert not wrong.ready


def test_checker_answers_the_newest_question_alone_and_ends(
    qapp: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, gate, told = [], threading.Event(), []

    def check(config: TrainConfig) -> Readiness:
        asked.append(config.name)
        gate.wait(10)
        return Readiness(())

    monkeypatch.setattr("napari_aitrain.training.readiness.check", check)
    checker = Checker(told.append, lambda config, old: None)
    for name in ("first", "second", "third"):
        checker.ask(TrainConfig(name=name))
        if name == "first":
            wait_for(lambda: asked)
    gate.set()
    wait_for(lambda: len(told) == 2)
    assert asked == ["first", "third"]
    assert {one.config.name for one in told} == {"third"}
    checker.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "readiness"]
    assert checker_module.Checker is Checker


def test_checker_says_why_there_is_no_estimate(qapp: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(config: TrainConfig, old: Any) -> None:
        raise AitrainError("the GPU is full")

    monkeypatch.setattr("napari_aitrain.training.readiness.check", lambda config: Readiness(()))
    told: list[Checked] = []
    checker = Checker(told.append, measure)
    checker.ask(TrainConfig())
    wait_for(lambda: len(told) == 2)
    checker.close()
    assert told[1].trouble == "No estimate: the GPU is full."


def test_sources_of_an_earlier_training_are_rows(tmp_path: Path) -> None:
    source = Source(image=tmp_path / "a.tif", labels=tmp_path / "b.tif", magnification="2-2-1")
    (tmp_path / "job.yaml").write_text(config_to_yaml(TrainConfig(sources=(source,))), encoding="utf-8")
    (found,) = sources_of_folder(tmp_path)
    row = row_of_source(found)
    assert (row.image, row.labels, row.magnification, row.source) == ("a.tif", "b.tif", "2-2-1", found)
    with pytest.raises(ConfigError, match="neither a job nor a project"):
        sources_of_folder(tmp_path / "nothing")


def test_sources_of_an_earlier_project_have_their_boxes(tmp_path: Path) -> None:
    from napari_aitrain.annotation.project import KeptImage, KeptTruth, Project, ProjectState
    from napari_aitrain.annotation.world import WorldBox

    tifffile.imwrite(tmp_path / "image.tif", np.zeros((64, 96), np.uint8))
    project = Project.create(tmp_path / "project")
    image = KeptImage(name="cells", path=str(tmp_path / "image.tif"), shape=(64, 96), scale=(0.5, 0.5),
                      translate=(0, 0), units=("micrometer",) * 2, axis_labels=("y", "x"))  # fmt: skip
    truth = KeptTruth(key="cells-1", layer="cells truth", image="cells", shape=(64, 96), scale=(0.5, 0.5),
                      translate=(0, 0), units=("micrometer",) * 2, axis_labels=("y", "x"))  # fmt: skip
    box = WorldBox(start=(-0.5, -0.25, -0.25), stop=(0.5, 15.75, 15.75), image="cells")
    project.save_state(ProjectState(images=(image,), truths=(truth,), boxes=(box,)))
    project.labels("cells-1", (), (1, 64, 96), flat=True)
    (source,) = sources_of_folder(project.folder)
    assert source.boxes[0].stop == (1, 32, 32)
    assert source.voxel_size == (500.0, 500.0, 500.0)
    (tmp_path / "image.tif").unlink()
    with pytest.raises(VolumeError, match="not where it was"):
        sources_of_folder(project.folder)


def test_dialog_for_files_says_what_is_missing(qtbot: Any, tmp_path: Path) -> None:
    dialog = FilesDialog()
    qtbot.addWidget(dialog)
    dialog.accept()
    assert dialog.source is None and dialog.trouble.text().startswith("Image: ")
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((64, 96), np.uint8))
    dialog.setValue(image=tmp_path / "a.tif", labels=tmp_path / "b.tif", voxel_size=(40, 4, 4))
    dialog.accept()
    qtbot.waitUntil(lambda: dialog.source is not None)
    assert dialog.source == Source(image=tmp_path / "a.tif", labels=tmp_path / "b.tif", voxel_size=(40, 4, 4))


def test_preferences_are_those_of_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from napari_aitrain.gui import settings

    assert settings.preferences() == settings.Preferences()
    chosen = SimpleNamespace(
        training=SimpleNamespace(device="cpu"),
        folders=SimpleNamespace(jobs=str(tmp_path), projects=" "),
        intervals=SimpleNamespace(autosave=9.0, preview=1.0),
    )
    monkeypatch.setattr(settings, "_chosen", lambda: chosen)
    assert settings.preferences() == settings.Preferences("cpu", tmp_path, None, 9.0, 1.0)
