"""What to train on, in the window: filters, rules, three steps, scripts, the use at once, and the queue."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialogButtonBox, QFileDialog

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.annotation.choosing import Choice
from napari_aitrain.annotation.policy import Policy, read_policy, user_policy, write_policy
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.box_list import BoxList
from napari_aitrain.gui.jobs.view import JobsView
from napari_aitrain.gui.train.form import TrainForm
from napari_aitrain.gui.train.policy_dialog import PolicyDialog, edit_policy
from napari_aitrain.gui.train.script_dialog import ScriptDialog, agree_to
from napari_aitrain.gui.train.telling import left_words
from napari_aitrain.gui.train.view import TrainView
from napari_aitrain.jobs.following import use_of
from napari_aitrain.tasks.script_store import trusted_scripts
from napari_aitrain.training.config_file import parse_config

pytestmark = pytest.mark.timeout(400)
WaitFor = Callable[..., Any]
QUICK = {"batch_size": 1, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small", "threads": 1,
         "device": "cpu", "start_from": "scratch"}  # fmt: skip
TASK = """
from typing import Annotated
from pydantic import Field
from napari_aitrain.tasks.instances import InstancesSettings, InstancesTask

class MySettings(InstancesSettings):
    rim: Annotated[float, Field(ge=1, title="Rim", description="More.", json_schema_extra={"basic": True})] = 2.0

class MyTask(InstancesTask):
    name = "mine"
    title = "Mine"
    description = "What I want."
    Settings = MySettings

TASK = MyTask
"""


def click(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def add_truth(session: Any) -> None:
    labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
    labels = np.tile(labels, (1, 2)).astype(np.int32)
    image = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
    session.viewer.add_image(image, name="cells")
    session.truths.create("cells", "instances").data = labels
    for role, x, tags in (("train", 0, ("rim", "old")), ("validation", 96, ("rim",))):
        box = WorldBox(start=(-0.5, -0.5, x - 0.5), stop=(0.5, 95.5, x + 95.5), image="cells", name=role, role=role,
                       tags=tags)  # fmt: skip
        session.boxes.add(box)


def test_boxes_know_when_they_were_changed() -> None:
    box = WorldBox(start=(0, 0, 0), stop=(1, 9, 9), image="i", id="a")
    boxes = BoxList([box, box.model_copy(update={"id": "b"})])
    assert [one.changed for one in boxes] == [None, None]
    boxes.update("a", tags=("new",))
    first = boxes["a"].changed
    assert first is not None and boxes["b"].changed is None
    boxes.undo()
    assert boxes["a"].changed is None
    # What is painted in a box changes its day, once, and is no step of undo.
    told: list[int] = []
    boxes.changed.connect(lambda: told.append(1))
    can_undo, noon = boxes.can_undo, datetime(2026, 1, 2, 12, tzinfo=UTC)
    boxes.touch(["b", "gone"], noon)
    boxes.touch(["b"], noon.replace(minute=5))
    assert boxes["b"].changed == noon and told == [1] and boxes.can_undo == can_undo
    dated = box.model_copy(update={"id": "c", "changed": noon})
    boxes.add(dated)
    assert boxes["c"].changed == noon


def test_filters_say_what_each_leaves() -> None:
    def box(**fields: Any) -> Box:
        return Box(start=(0, 0, 0), stop=(1, 9, 9), **fields)

    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    boxes = [box(tags=("a",)), box(status="reviewed", changed=noon, tags=("a", "b")), box(status="rejected")]
    statuses = ("done", "reviewed")
    assert left_words(Choice(statuses), boxes[:2]) == "All 2 boxes are used."
    assert left_words(Choice(statuses), []) == ""
    assert left_words(Choice(statuses), boxes) == "Of 3 boxes 2 have such a status."
    assert left_words(Choice(statuses, ("a",), date(2026, 1, 1)), boxes) == (
        "Of 3 boxes 2 have such a status, 2 of these have such a tag, 1 of these were changed then (of 1 nobody knows "
        "when)."
    )


def test_one_page_and_three_steps_are_the_same_form(qtbot: Any) -> None:
    view = TrainView()
    qtbot.addWidget(view)
    view.steps.valueChanged.connect(view.set_step)
    view.resize(400, 700)
    view.show()
    form, fields = view.form, view.form._fields
    form.set_tags({"rim": 2, "old": 1})

    def visible(name: str) -> bool:
        return bool(fields[name].widget.native.isVisible())

    assert all(map(visible, ("name", "statuses", "tags", "then_predict"))) and view.start.isVisible()
    click(view.steps.stepwise)
    assert view.steps.value() == "what" and "What is learned from" in view.steps.hint.text()
    assert visible("statuses") and visible("tags") and view.sources.isVisible()
    assert not (
        visible("name") or visible("then_predict") or view.start.isVisible() or form.task.widget.native.isVisible()
    )
    tags = fields["tags"].widget.native
    assert [tags.item(n).text() for n in range(tags.count())] == ["old (1)", "rim (2)"]
    tags.setFocus()
    tags.setCurrentRow(1)
    QTest.keyClick(tags, Qt.Key.Key_Space)
    since = fields["changed_since"].widget
    click_at = since.tick.rect()
    QTest.mouseClick(since.tick, Qt.MouseButton.LeftButton, pos=click_at.center().__class__(8, click_at.center().y()))
    assert form.value()["tags"] == ("rim",) and form.value()["changed_since"] == date.today()

    click(view.steps.next)
    assert view.steps.value() == "how" and visible("name") and form.task.widget.native.isVisible()
    assert visible("network") and visible("start_from") and not visible("tags") and view.steps.back.isEnabled()
    fields["minutes"].value = 3.0
    click(view.steps.next)
    assert view.steps.value() == "check" and view.start.isVisible() and visible("then_predict")
    assert not view.steps.next.isVisible() and not visible("minutes")
    click(view.steps.steps["what"])
    assert view.steps.value() == "what"
    click(view.steps.stepwise)
    assert view.steps.value() is None and not view.steps.walk.isVisible() and not view.steps.hint.isVisible()
    config = parse_config(form.value())
    assert (config.tags, config.changed_since, config.minutes) == (("rim",), date.today(), 3.0)
    form.setValue({"tags": (), "changed_since": None, "changed_until": date(2026, 1, 2)})
    assert parse_config(form.value()).changed_until == date(2026, 1, 2)
    assert parse_config(form.value()).changed_since is None


def test_rules_are_kept_for_a_person_or_a_project(qtbot: Any, tmp_path: Path) -> None:
    project = tmp_path / "policy.yaml"
    write_policy(user_policy(), Policy(minimum_extent=64))
    dialog = PolicyDialog({"me": user_policy(), "project": project})
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.value() == Policy(minimum_extent=64)
    dialog.whose.setCurrentIndex(1)
    dialog.whose.activated.emit(1)
    assert dialog.value() == Policy() and dialog.path == project
    box = dialog.levels["few-annotations"]
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Up)
    assert box.currentText() == "blocks the start"
    dialog.fields["enough_annotations"].value = 100
    assert dialog.value() == Policy(enough_annotations=100, levels={"few-annotations": "error"})
    assert "no-labels" not in dialog.levels

    def save() -> None:
        opened = next(one for one in qtbot_dialogs() if isinstance(one, PolicyDialog) and one is not dialog)
        opened.fields["enough_per_class"].value = 40
        click(opened.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save))

    QTimer.singleShot(0, save)
    assert edit_policy(None, dialog)
    assert read_policy(user_policy()) == Policy(minimum_extent=64, enough_per_class=40)


def qtbot_dialogs() -> list[Any]:
    from qtpy.QtWidgets import QApplication

    return list(QApplication.topLevelWidgets())


def test_a_script_is_shown_and_asked_about(
    qtbot: Any, tmp_path: Path, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TASK, encoding="utf-8")
    form = TrainForm()
    qtbot.addWidget(form)
    form.show()
    form.tasks.agree = lambda chosen: agree_to(chosen, form)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", staticmethod(lambda *_args: (str(path), "")))
    before = set(sys.modules)
    box = form.task.widget.native
    fields = dict(form._task_fields)
    answers: list[str] = []

    def answer(button: str) -> None:
        dialog = next(one for one in qtbot_dialogs() if isinstance(one, ScriptDialog) and one.isVisible())
        answers.append(dialog.code.toPlainText())
        if button == "run":
            click(dialog.run)
        else:
            QTest.keyClick(dialog, Qt.Key.Key_Return)  # the default is to cancel

    def choose(button: str) -> None:
        QTimer.singleShot(0, lambda: answer(button))
        box.setCurrentIndex(box.count() - 1)
        box.activated.emit(box.count() - 1)

    choose("cancel")
    assert answers == [TASK] and form.value()["task"] == "instances" and form._task_fields == fields
    assert list(trusted_scripts()) == []
    choose("run")
    assert form.value()["task"] == str(path) and box.currentText() == "mine.py (script)"
    assert "What I want." in form.description.text() and "with your rights" in form.description.text()
    assert form._task_fields["rim"].widget.native.isVisible()
    form._task_fields["rim"].value = 3.0
    config = parse_config(form.value())
    assert config.task_settings["rim"] == 3.0
    loaded = set(sys.modules) - before
    assert not any(name.startswith("aitrain_task") for name in loaded) and "torch" not in loaded

    # A change of the file asks again, and what was set stays.
    path.write_text(TASK.replace("What I want.", "What I want now."), encoding="utf-8")
    form.reload_task()
    assert "not confirmed" in form.description.text() and "rim" in form.value()["task_settings"]
    QTimer.singleShot(0, lambda: answer("run"))
    assert agree_to(path, form)
    form.reload_task()
    assert "What I want now." in form.description.text() and form.value()["task_settings"]["rim"] == 3.0
    assert agree_to(path, form), "it does not ask twice"


def test_a_script_that_raises_is_told_in_the_dialog(qtbot: Any, tmp_path: Path, wait_for: WaitFor) -> None:
    path = tmp_path / "bad.py"
    path.write_text("1 / 0\n", encoding="utf-8")
    dialog = ScriptDialog(path)
    qtbot.addWidget(dialog)
    dialog.show()
    click(dialog.run)
    assert dialog.busy.isVisible() and not dialog.run.isEnabled()
    wait_for(lambda: dialog.trouble.isVisible(), 60)
    assert "bad.py failed when it was loaded at line 1: ZeroDivisionError" in dialog.trouble.text()
    assert dialog.run.isEnabled() and list(trusted_scripts()) == []


def test_a_job_that_waits_is_moved_and_taken_back_instead_of_stopped(qtbot: Any) -> None:
    view = JobsView()
    qtbot.addWidget(view)
    view.show()
    pressed: list[str] = []
    view.pressed.connect(pressed.append)
    view.set_empty(False)
    view.set_actions(frozenset({"back", "up"}))
    assert not view.buttons["stop"].isEnabled()
    for name in ("up", "down", "back"):
        click(view.buttons[name])
    assert pressed == ["up", "back"]
    view.set_actions(frozenset({"stop", "pause"}))
    assert view.buttons["stop"].isEnabled() and not view.buttons["back"].isVisible()


def test_the_dock_counts_boxes_keeps_its_step_and_obeys_the_project(
    viewer: Any, session: Any, wait_for: WaitFor
) -> None:
    add_truth(session)
    dock = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")[1]
    view = dock.view
    wait_for(lambda: view.status.value().counts and not view.status.value().checking, 120)
    assert view.status.value().ready
    assert view.form.left.text() == "All 2 boxes are used."
    session.boxes.update(next(iter(session.boxes)).id, status="in progress")
    view.form.setValue({"statuses": ("done",), "tags": ("old",)})
    assert view.form.left.text() == "Of 2 boxes 1 have such a status, 0 of these have such a tag."
    wait_for(lambda: not view.status.value().ready and not view.status.value().checking, 120)
    assert "no boxes to train on" in view.status.value().problems[0].text
    view.form.setValue({"statuses": ("in progress", "done"), "tags": ()})

    # What is painted in a box changes its date, and that of no other.
    old = datetime(2020, 1, 2, 12, tzinfo=UTC)
    session.saver.flush()
    session.boxes.reset([box.model_copy(update={"changed": old}) for box in session.boxes])
    (truth,) = session.truths.all()
    session.truths.layer(truth).data_setitem((np.array([50, 51]), np.array([120, 121])), 9)
    session.saver.flush()
    assert [box.changed == old for box in session.boxes] == [True, False]
    assert session.saver.project.state.boxes == tuple(session.boxes)
    write_policy(session.saver.project.folder / "policy.yaml", Policy(levels={"few-annotations": "error"}))
    view.form.setValue({"name": "strict"})
    wait_for(
        lambda: any(p.level == "error" and "annotated objects" in p.text for p in view.status.value().problems), 120
    )
    assert not view.start.isEnabled()

    click(view.steps.stepwise)
    click(view.steps.steps["check"])
    assert session.training_step == "check"
    then = view.form._fields["then_predict"].widget
    assert [then.native.itemText(n) for n in range(2)] == ["nothing: train only", "the image cells"]
    then.native.setCurrentIndex(1)
    then.native.activated.emit(1)
    config = dock.controller.config()
    assert config.then_predict is not None and config.then_predict.exists()
    viewer.window.remove_dock_widget(dock)
    view = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")[1].view
    assert view.steps.value() == "check" and view.form.value()["then_predict"] == "layer:cells"


@pytest.mark.slow
def test_a_script_trains_and_is_used_at_once_and_the_next_job_waits(
    viewer: Any, session: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TASK, encoding="utf-8")
    agreed = ScriptDialog(path)
    agreed.show()
    click(agreed.run)
    wait_for(lambda: not agreed.isVisible(), 60)
    add_truth(session)
    dock = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")[1]
    jobs = viewer.window.add_plugin_dock_widget("napari-aitrain", "Jobs")[1]
    view = dock.view
    view.form.setValue({**QUICK, "task": str(path), "steps": 3, "name": "mine", "then_predict": "layer:cells"})
    wait_for(lambda: view.status.value().ready and not view.status.value().checking, 120)
    wait_for(lambda: "first run when the training starts" in view.status.value().estimate, 60)
    click(view.start)
    wait_for(lambda: len(session.jobs.all()) == 1 and view.start.isEnabled(), 60)
    (first,) = session.jobs.all()
    view.form.setValue({"name": "next", "then_predict": None})
    wait_for(lambda: view.start.isEnabled(), 60)
    click(view.start)
    wait_for(lambda: len(session.jobs.all()) >= 2, 60)
    second = next(job for job in session.jobs.all() if job.name.startswith("next"))
    wait_for(lambda: session.jobs.state(first) == "done", 120)
    wait_for(lambda: use_of(first) is not None and session.jobs.state(use_of(first)) == "done", 120)
    wait_for(lambda: session.jobs.state(second) == "done" and not session.jobs.running(), 120)
    use = use_of(first)
    times = {job.path: [event.time for event in job.events()] for job in (first, use, second)}
    running = next(event.time for event in second.events() if event.data.get("state") == "running")
    assert times[use.path][-1] <= running, "the use goes before what waits"
    assert jobs.view.table.rowCount() == 3
    assert not any(name.startswith("aitrain_task") for name in sys.modules)
    jobs.view.table.setValue(str(use.path))
    click(jobs.view.buttons["use"])
    wait_for(lambda: any(layer.name.startswith("mine") or "rediction" in layer.name for layer in viewer.layers), 60)
