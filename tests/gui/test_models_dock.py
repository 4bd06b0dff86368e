"""The Models dock: what is listed, what its buttons do and undo, and how models are compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox
from safetensors.numpy import save_file

from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_results import (
    EVALUATION,
    BoxResult,
    EvaluatedModel,
    ModelEvaluation,
    write_evaluation,
)
from napari_aitrain.gui.jobs.use import open_dock
from napari_aitrain.gui.models.dock import ModelsDock
from napari_aitrain.gui.models.export_dialog import ExportDialog
from napari_aitrain.jobs import registry
from napari_aitrain.models import (
    ModelCard,
    archive_model,
    delete_model,
    deleted,
    find_version,
    import_model,
    list_versions,
)
from napari_aitrain.tasks.protocol import Objects

NETWORK = {"dims": 2, "in_channels": 1, "heads": 5, "stem": (1, 2, 2), "widths": (4, 8), "pools": ((1, 2, 2),),
           "kernels": ((1, 3, 3), (1, 3, 3))}  # fmt: skip


def make_model(folder: Path, fill: float, **card: Any) -> Path:
    """Write a model without torch."""
    folder.mkdir(parents=True)
    save_file({"w": np.full(4, fill, np.float32)}, folder / "weights.safetensors")
    checksum = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    metrics = {"validation": {"score": 0.7 + fill / 100}, "test": {"score": 0.6}}
    values = {"name": "nuclei", "task": "instances", "dims": 2, "network": NETWORK, "weights_sha256": checksum}
    values |= {"metrics": metrics, "comments": "Confocal"}
    (folder / "model.json").write_text(ModelCard.model_validate(values | card).model_dump_json())
    return folder


@pytest.fixture
def stored(tmp_path: Path, home: Path) -> list[Path]:
    folders = [make_model(tmp_path / f"m{n}", n) for n in range(3)]
    return [import_model(folder).folder for folder in folders]


@pytest.fixture
def dock(stored: list[Path], viewer: Any, wait_for: Any) -> ModelsDock:
    _dock, widget = viewer.window.add_plugin_dock_widget("napari-aitrain", "Models")
    wait_for(lambda: widget.controller.models.rows, what="the list")
    return widget


@pytest.fixture
def chosen(dock: ModelsDock) -> Any:
    """Select rows with the mouse, the further ones with Ctrl."""

    def choose(*names: str) -> None:
        table = dock.view.table
        shown = [table.item(n, 0).text() for n in range(table.rowCount())]
        for number, name in enumerate(names):
            row = next(n for n, text in enumerate(shown) if text.removeprefix("● ").startswith(name))
            where = table.visualItemRect(table.item(row, 0)).center()
            held = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
            QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, held, where)

    return choose


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Type into the next question."""
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: (text, True))
    monkeypatch.setattr(QInputDialog, "getMultiLineText", lambda *a, **k: (text, True))


def first_column(dock: ModelsDock) -> list[str]:
    return [dock.view.table.item(n, 0).text() for n in range(dock.view.table.rowCount())]


def test_versions_are_listed_with_scores_and_the_active_one(
    dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any
) -> None:
    assert first_column(dock)[:3] == ["nuclei v1", "nuclei v2", "● nuclei v3"]
    assert any(text.endswith("(starter)") for text in first_column(dock))
    table = dock.view.table
    assert table.item(1, 1).text() == "0.710" and table.item(1, 2).text() == "0.600"
    assert all(table.sizeHintForColumn(column) <= table.columnWidth(column) for column in (1, 2)), (
        "the active one is bold"
    )
    chosen("nuclei v1")
    assert "Confocal" in dock.view.card.toPlainText() and "0.700" in dock.view.card.toPlainText()
    hand.click(dock.view.buttons["activate"])
    wait_for(lambda: first_column(dock)[0] == "● nuclei v1")
    assert find_version("nuclei").number == 1
    hand.click(dock.view.undo)
    wait_for(lambda: first_column(dock)[2] == "● nuclei v3")


@pytest.mark.parametrize(("button", "title"), [("use", "Review"), ("evaluate", "Evaluate")])
def test_a_starter_is_offered_where_its_buttons_lead(
    dock: ModelsDock, session: Any, hand: Any, chosen: Any, wait_for: Any, button: str, title: str
) -> None:
    chosen("nuclei-2d")
    hand.click(dock.view.buttons[button])
    view = open_dock(session, title).view
    wait_for(view.isVisible)
    models = view.models if button == "use" else view.ask.models
    assert models.currentText() == "nuclei-2d (starter)"


def test_deleting_needs_no_question_since_it_is_undone(dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any) -> None:
    chosen("nuclei v1", "nuclei v2")
    hand.click(dock.view.buttons["delete"])
    wait_for(lambda: first_column(dock)[0] == "● nuclei v3")
    assert "nuclei/v1, nuclei/v2 deleted" in dock.view.undo_text.text() and len(deleted()) == 2
    hand.click(dock.view.undo)
    wait_for(lambda: first_column(dock)[:2] == ["nuclei v1", "nuclei v2"])
    assert not deleted() and not dock.view.undo.isEnabled()


def test_a_model_that_somebody_else_has_deleted(
    dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    chosen("nuclei v1", "nuclei v2")
    delete_model("nuclei/v1")
    hand.click(dock.view.buttons["delete"])
    wait_for(lambda: first_column(dock)[0] == "● nuclei v3")
    assert len(told) == 1 and "nuclei/v1 was deleted" in told[0] and "models restore" in told[0]
    hand.click(dock.view.undo)
    wait_for(lambda: first_column(dock)[0] == "nuclei v2")
    chosen("nuclei v2")
    delete_model("nuclei/v2")
    hand.click(dock.view.buttons["activate"])
    assert len(told) == 2 and "nuclei/v2 was deleted" in told[1]


def test_tags_comments_names_and_the_archive(
    dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen("nuclei v2")
    answer(monkeypatch, "paper, figure 2")
    hand.click(dock.view.buttons["tag"])
    wait_for(lambda: dock.view.table.item(1, 3).text() == "paper, figure 2")
    answer(monkeypatch, "The good one")
    hand.click(dock.view.buttons["comment"])
    wait_for(lambda: "The good one" in dock.view.card.toPlainText())
    QTest.keyClicks(dock.view.look_for, "paper")
    assert first_column(dock) == ["nuclei v2"]
    dock.view.look_for.clear()
    hand.click(dock.view.buttons["archive"])
    wait_for(lambda: "nuclei v2" not in first_column(dock))
    assert find_version("nuclei/v2").state.archived
    hand.click(dock.view.archived)
    assert "nuclei v2" in first_column(dock)
    chosen("nuclei v2")
    assert dock.view.buttons["archive"].text() == "Bring &back"
    answer(monkeypatch, "cells")
    hand.click(dock.view.buttons["rename"])
    wait_for(lambda: first_column(dock)[0] == "cells v1")
    for _ in range(4):
        hand.click(dock.view.undo)
        wait_for(lambda: not dock.controller.models._reading)
    version = find_version("nuclei/v2")
    assert (version.state.tags, version.state.comments, version.state.archived) == ((), None, False)


def test_one_version_moves_to_another_name_when_asked(
    dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_model(make_model(tmp_path / "other", 9), "other")
    dock.controller.models.read()
    wait_for(lambda: "● other v1" in first_column(dock))
    chosen("nuclei v1")
    answer(monkeypatch, "other")
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: QMessageBox.StandardButton.No)
    hand.click(dock.view.buttons["rename"])
    assert len([v for v in list_versions() if v.name == "nuclei"]) == 3
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: QMessageBox.StandardButton.Yes)
    hand.click(dock.view.buttons["rename"])
    wait_for(lambda: "● other v2" in first_column(dock))


def test_a_model_leaves_and_comes_as_one_file(
    dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nuclei-v3.aitrain.zip"
    monkeypatch.setattr(ExportDialog, "exec", lambda self: ExportDialog.DialogCode.Accepted)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(file), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(file), ""))
    chosen("nuclei v3")
    hand.click(dock.view.buttons["export"])
    assert "Writing" in dock.view.busy.text()
    wait_for(lambda: file.exists() and not dock.view.busy.isVisible(), 60)
    hand.click(dock.view.buttons["import"])
    wait_for(lambda: "● nuclei v4" in first_column(dock) and dock.view.undo.isEnabled(), 60)
    hand.click(dock.view.undo)
    wait_for(lambda: "● nuclei v3" in first_column(dock))
    told: list[str] = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    file.write_bytes(file.read_bytes()[:700])
    hand.click(dock.view.buttons["import"])
    assert len(told) == 1 and "cut short" in told[0]


def test_a_starter_model_is_added_to_the_store(dock: ModelsDock, hand: Any, chosen: Any, wait_for: Any) -> None:
    chosen("nuclei-2d")
    assert not dock.view.buttons["delete"].isEnabled() and not dock.view.buttons["rename"].isEnabled()
    hand.click(dock.view.buttons["keep"])
    wait_for(lambda: any(text == "● nuclei-2d v1" for text in first_column(dock)), 30)


def test_damaged_ones_say_why(dock: ModelsDock, stored: list[Path], chosen: Any, wait_for: Any) -> None:
    (stored[0] / "model.json").write_text('{"format_version": 99}')
    dock.controller.models.read()
    wait_for(lambda: dock.view.table.item(0, 4).text() == "damaged")
    chosen("nuclei v1")
    assert "newer version" in dock.view.card.toPlainText()
    assert dock.view.buttons["delete"].isEnabled() and not dock.view.buttons["use"].isEnabled()


def evaluate(folder: Path, tmp_path: Path, right: int) -> None:
    """Keep an evaluation in which so many of four objects were found."""
    from napari_aitrain.models import read_card

    truth = np.kron([[[1, 0, 2], [0, 0, 0], [3, 0, 4]]], np.ones((1, 6, 6), int)).astype(np.int32)
    boxes = []
    for number in range(5):
        found = np.where(truth <= max(1, right - number % 2), truth, 0)
        objects = Objects(found, np.ones(5, np.float32), np.zeros((0, 0), np.float32))
        boxes.append(
            BoxResult(number=number, role="test", name=f"box {number}", source="i.tif", labels="l.tif",
                      start=(0, 0, 20 * number), stop=(1, 18, 20 * number + 18), magnification=(1, 1, 1), voxels=324,
                      **judge_box(objects, truth, 0.0).sums)
        )  # fmt: skip
    model = EvaluatedModel(name="nuclei", version=1, folder=str(folder), task="instances", instances=True, dims=2,
                           threshold=0.0, weights_sha256=read_card(folder).weights_sha256)  # fmt: skip
    job = tmp_path / f"evaluation-{folder.name}"
    job.mkdir()
    registry.add(job)
    write_evaluation(job / EVALUATION, ModelEvaluation(model=model, boxes=tuple(boxes)))


def test_models_are_compared_side_by_side_and_as_difference(
    dock: ModelsDock, stored: list[Path], hand: Any, chosen: Any, wait_for: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[str] = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    chosen("nuclei v1", "nuclei v2")
    hand.click(dock.view.buttons["compare"])
    wait_for(lambda: told, what="that nothing was evaluated")
    assert "was not evaluated" in told[0]
    evaluate(stored[0], tmp_path, 2)
    evaluate(stored[1], tmp_path, 4)
    hand.click(dock.view.buttons["compare"])
    comparison = dock.view.comparison
    found = wait_for(comparison.value, 20)
    assert [column.label for column in found.columns] == ["nuclei v1", "nuclei v2"]
    rows = [comparison.table.verticalHeaderItem(n).text() for n in range(comparison.table.rowCount())]
    recall = rows.index("Recall")
    assert [comparison.table.item(recall, n).text() for n in range(2)] == ["0.400", "0.900"]
    assert rows[-1] == "F1, box 4"
    QTest.keyClick(comparison.as_difference, Qt.Key.Key_Down)
    assert comparison.table.item(recall, 1).text() == "+0.500 (+0.500 … +0.500) ▲"
    assert "surely better" in comparison.table.item(recall, 1).toolTip()
    file = tmp_path / "comparison.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(file), ""))
    hand.click(comparison.save)
    assert file.read_text().count("\n") == 1 + len(found.names) + 5


def test_archived_models_are_not_offered_for_a_training(stored: list[Path], session: Any) -> None:
    from napari_aitrain.gui.train.models import known_models

    archive_model("nuclei/v2")
    assert [name for name, _ in known_models(session.jobs)] == ["nuclei v1", "nuclei v3"]


def test_the_dialog_of_exports_offers_what_a_model_can_be(dock: ModelsDock, qtbot: Any) -> None:
    row = dock.controller.models.rows[0]
    dialog = ExportDialog(row)
    qtbot.addWidget(dialog)
    assert [dialog.kinds.itemData(n) for n in range(dialog.kinds.count())] == ["aitrain", "bioimageio"]
    assert dialog.options() == []
    dialog.kinds.setCurrentIndex(1)
    dialog.author.setText("Ada")
    dialog.title.clear()
    assert dialog.options() == ["--description", "Confocal", "--author", "Ada", "--licence", "CC-BY-4.0"]


def test_the_dock_fits_beside_the_layers(dock: ModelsDock) -> None:
    assert dock.minimumSizeHint().width() <= 420
    for widget in (*dock.view.buttons.values(), dock.view.undo, dock.view.look_for, dock.view.archived):
        assert widget.toolTip()
