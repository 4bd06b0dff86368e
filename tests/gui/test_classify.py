"""The Classify dock with real clicks and keys: marks, undo, training, threshold, files, boxes, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.classification.marks import read_sheet
from napari_aitrain.gui.classify.dock import ClassifyDock

SQUARE, BAR = 1, 2


def shapes(shape: tuple[int, ...] = (160, 200)) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
    """Return an image, labels of 20 squares and bars, and the class of each id."""
    labels, classes = np.zeros(shape, np.int32), {}
    for number in range(20):
        y, x = (40 * n + 8 for n in divmod(number, 5))
        height, width = (6, 26 + number % 3) if number % 2 else (12 + number % 3, 13)
        labels[..., y : y + height, x : x + width] = 10 * number + 7
        classes[10 * number + 7] = BAR if number % 2 else SQUARE
    image = np.random.default_rng(0).normal(60 + 80 * (labels > 0), 6).astype(np.float32)
    return image, labels, classes


@pytest.fixture
def open_dock(viewer: Any) -> Any:
    def opened() -> Any:
        dock = ClassifyDock(viewer)
        viewer.window.add_dock_widget(dock, name="Classify", area="right")
        QApplication.processEvents()
        return dock

    return opened


def click(hand: Any, y: float, x: float, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
    """Click the canvas at a place of the displayed axes, in world units."""
    from qtpy.QtCore import QPoint

    scene = hand._viewer.window._qt_window._qt_viewer.canvas.view.scene
    place = scene.transform.map([x, y, 0, 1])[:2]
    point = QPoint(round(float(place[0])), round(float(place[1])))
    QTest.mouseMove(hand.canvas, point)
    QTest.mouseClick(hand.canvas, Qt.MouseButton.LeftButton, keys, point)
    QApplication.processEvents()


def middle(labels: np.ndarray, identity: int) -> tuple[float, float]:
    y, x = np.argwhere(labels == identity).mean(axis=0)[-2:]
    return float(y), float(x)


def test_every_widget_has_a_tooltip_and_an_empty_window_says_what_to_do(viewer, open_dock):
    dock = open_dock()
    assert "Open an image" in dock.view.empty.text() and dock.view.empty.isVisibleTo(dock)
    image, labels, _ = shapes()
    viewer.add_image(image, name="image")
    viewer.add_labels(labels, name="objects")
    assert dock.view.train.isVisibleTo(dock) and not dock.view.empty.isVisibleTo(dock)
    assert dock.minimumSizeHint().width() <= 420
    for widget in dock.view.findChildren(QWidget):
        if widget.isVisibleTo(dock) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.parentWidget():
            assert widget.toolTip() or widget.parentWidget().toolTip(), widget


def test_click_train_threshold_undo_and_keep(viewer, session, open_dock, hand, wait_for, tmp_path):
    image, labels, classes = shapes()
    viewer.add_image(image, name="image")
    layer = viewer.add_labels(labels, name="objects")
    dock = open_dock()
    controller, view = dock.controller, dock.view
    hand.click(view.tool)
    assert controller.tool.active
    ids = sorted(classes)
    for identity in ids[:10]:
        QTest.keyClick(hand.canvas, Qt.Key.Key_1 if classes[identity] == SQUARE else Qt.Key.Key_2)
        click(hand, *middle(labels, identity))
    sheet = session.classifying.sheets.get(controller.subject)
    assert {mark.id: mark.classes for mark in sheet.marks} == {one: (classes[one],) for one in ids[:10]}
    assert "5" in view.table.table.item(0, 2).text() and "5 more" in view.hint.text()
    shown = controller.shown.layer
    assert {int(shown.data[tuple(int(v) for v in middle(labels, one))]) for one in ids[:10]} == {SQUARE, BAR}
    click(hand, *middle(labels, ids[0]))
    assert len(session.classifying.sheets.get(controller.subject).marks) in (9, 10)
    QTest.keyClick(hand.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.classifying.sheets.get(controller.subject).counts() == {SQUARE: 5, BAR: 5}
    session.classifying.sheets.flush()
    kept = session.saver.project.folder / "classes" / f"{controller.subject.key}.json"
    assert read_sheet(kept) == session.classifying.sheets.get(controller.subject)
    assert layer.contour == 1, "colours of classes are not mixed with those of ids"
    hand.click(view.train)
    assert view.cancel.isVisibleTo(dock)
    wait_for(lambda: session.classifying.result(controller.subject), timeout=150)
    wait_for(lambda: not view.busy.isVisibleTo(dock))
    drawn = np.asarray(controller.shown.layer.data)
    right = [drawn[tuple(int(v) for v in middle(labels, one))] == classes[one] for one in ids]
    assert np.mean(right) >= 0.9
    assert "% right" in view.status.text() and view.table.table.item(0, 3).text()
    assert {"index", "class", "probability"} <= set(layer.features.columns)
    view.sure.slider.setValue(1000)
    marked, unsure = drawn[tuple(int(v) for v in middle(labels, ids[0]))], np.asarray(controller.shown.layer.data)
    assert unsure[tuple(int(v) for v in middle(labels, ids[0]))] == marked, "what a person said stays"
    assert unsure[tuple(int(v) for v in middle(labels, ids[-1]))] == 3
    dock.leave()
    assert layer.contour == 0 and not controller.shown.present
    controller.files.export(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()[0].startswith("id,class,probability")


def test_marks_come_back_with_the_project_and_a_renamed_class_is_told(viewer, session, open_dock, wait_for, tmp_path):
    image, labels, classes = shapes()
    viewer.add_image(image, name="image")
    viewer.add_labels(labels, name="objects")
    dock = open_dock()
    subject, sheets = dock.controller.subject, session.classifying.sheets
    from napari_aitrain.classification.marks import Mark

    for identity in sorted(classes)[:12]:
        y, x = np.argwhere(labels == identity)[0].tolist()
        sheets.mark(subject, Mark(id=identity, at=(0, y, x)), classes[identity])
    hand_trained = session.classifying
    hand_trained.train(subject)
    wait_for(lambda: hand_trained.result(subject), timeout=150)
    dock.view.table.table.item(1, 1).setText("bar")
    assert "“class 2” is “bar” now" in dock.view.status.text()
    assert sheets.get(subject).name_of(BAR) == "bar"
    sheets.flush()
    again = type(sheets)(session)
    assert again.get(subject) == sheets.get(subject)
    again.close()
    # An object that was clicked and has gone is left out, and told.
    viewer.layers["objects"].data[labels == sorted(classes)[0]] = 0
    hand_trained.train(subject)
    wait_for(lambda: hand_trained.result(subject).gone == 1, timeout=150)
    assert "left out" in dock.view.status.text()
    file = tmp_path / "shapes.classifier.json"
    hand_trained.result(subject).classifier.save(file)
    assert json.loads(file.read_text(encoding="utf-8"))["classes"][0]["id"] == SQUARE
    dock.controller.files.apply(file)
    wait_for(lambda: not session.classifying.busy, timeout=150)


def test_attributes_of_objects(viewer, session, open_dock, hand):
    image, labels, classes = shapes()
    viewer.add_image(image, name="image")
    viewer.add_labels(labels, name="objects")
    dock = open_dock()
    dock.view.choice.setCurrentIndex(1)
    dock.view.choice.activated.emit(1)
    hand.click(dock.view.tool)
    one = middle(labels, sorted(classes)[7])
    for key in (Qt.Key.Key_1, Qt.Key.Key_2):
        QTest.keyClick(hand.canvas, key)
        click(hand, *one)
    sheet = session.classifying.sheets.get(dock.controller.subject)
    assert sheet.choice == "multi" and sheet.marks[0].classes == (1, 2)
    click(hand, *one, Qt.KeyboardModifier.AltModifier)
    assert not session.classifying.sheets.get(dock.controller.subject).marks


def test_trouble_is_told_once_and_nothing_is_lost(viewer, session, open_dock, monkeypatch):
    from napari_aitrain.gui.classify import controller

    told: list[str] = []
    monkeypatch.setattr(controller, "report", lambda error: told.append(str(error)))
    image, labels, _ = shapes()
    viewer.add_image(image, name="image")
    viewer.add_labels(labels, name="objects")
    dock = open_dock()
    QTest.mouseClick(dock.view.train, Qt.MouseButton.LeftButton)
    assert len(told) == 1 and "nothing is marked" in told[0] and "What to do" in told[0]
    viewer.layers.remove("objects")
    assert dock.view.empty.isVisibleTo(dock)


def test_boxes_get_classes_by_what_is_in_them(viewer, session, open_dock, hand, wait_for):
    rng = np.random.default_rng(0)
    image = rng.normal(50, 5, (160, 200)).astype(np.float32)
    for number in range(20):
        y, x = (40 * n for n in divmod(number, 5))
        if number % 2:
            image[y : y + 40, x : x + 40] += rng.normal(0, 30, (40, 40))
        session.boxes.add(WorldBox(start=(-0.5, y + 4, x + 4), stop=(0.5, y + 36, x + 36), image="image"))
    viewer.add_image(image, name="image")
    dock = open_dock()
    dock.view.boxes.click()
    hand.click(dock.view.tool)
    for number in range(8):
        y, x = (40 * n + 20 for n in divmod(number, 5))
        QTest.keyClick(hand.canvas, Qt.Key.Key_2 if number % 2 else Qt.Key.Key_1)
        click(hand, y, x)
    subject = dock.controller.subject
    assert session.classifying.sheets.get(subject).counts() == {1: 4, 2: 4}
    hand.click(dock.view.train)
    wait_for(lambda: session.classifying.result(subject), timeout=150)
    best, _ = session.classifying.result(subject).found.best()
    assert np.mean(best == np.where(np.arange(20) % 2, 2, 1)) >= 0.9
    assert dock.controller.shown.layer._type_string == "points" and len(dock.controller.shown.layer.data) == 20


def test_a_network_looks_at_objects_in_the_worker(viewer, session, open_dock, wait_for, tmp_path):
    import torch

    from napari_aitrain.models import ModelCard, save_model
    from napari_aitrain.nets import NetworkConfig, build_network

    network = NetworkConfig(
        dims=2, in_channels=1, heads=5, stem=(1, 2, 2), widths=(8, 12), pools=((1, 2, 2),), kernels=((1, 3, 3),) * 2
    )
    torch.manual_seed(0)
    card = ModelCard(task="instances", dims=2, name="tiny", network=network.model_dump(mode="json"))
    made = save_model(tmp_path / "tiny", card, build_network(network).state_dict())
    image, labels, classes = shapes()
    viewer.add_image(image, name="image")
    viewer.add_labels(labels, name="objects")
    dock = open_dock()
    subject = dock.controller.subject
    from napari_aitrain.classification.marks import Mark

    for identity in sorted(classes)[:12]:
        y, x = np.argwhere(labels == identity)[0].tolist()
        session.classifying.sheets.mark(subject, Mark(id=identity, at=(0, y, x)), classes[identity])
    session.classifying.train(subject, str(made.folder))
    result = wait_for(lambda: session.classifying.result(subject), timeout=150)
    assert result.table.embedding.shape == (20, 20) and result.classifier.embedding.name == "tiny"
