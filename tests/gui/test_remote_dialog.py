"""The dialog of remote models with servers on this computer: add, test, change, keys, and servers that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keyring
import numpy as np
import pytest
from documented_server import Handler, documented
from memory_keyring import MemoryKeyring
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit

from napari_aitrain.errors import VolumeError
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.remote.boxes import boxes_around_objects, boxes_of_prediction
from napari_aitrain.gui.remote.dialog import RemoteDialog, open_remote
from napari_aitrain.gui.remote.draft import Draft
from napari_aitrain.gui.remote.steps_view import StepsView
from napari_aitrain.gui.remote.view import RemoteView
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.review.prediction_layer import Placement
from napari_aitrain.inference.remote import remotes
from napari_aitrain.inference.remote.config import RemoteConfig
from napari_aitrain.inference.remote.steps import Clip, Multiply, ToType

KEY = "open-sesame-please"


@pytest.fixture(autouse=True)
def keys() -> Iterator[MemoryKeyring]:
    before, mine = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


@pytest.fixture
def dialog(viewer: Any) -> Iterator[RemoteDialog]:
    dialog = open_remote(viewer)
    yield dialog
    dialog.close()


def click(widget: Any) -> None:
    QApplication.processEvents()
    assert widget.isVisible() and widget.isEnabled(), widget.text()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def write(line: QLineEdit, text: str) -> None:
    assert line.isVisible()
    line.selectAll()
    QTest.keyClicks(line, text)


def choose(box: QComboBox, value: str) -> None:
    index = box.findData(value)
    assert index >= 0
    box.setFocus()
    while box.currentIndex() != index:
        QTest.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < index else Qt.Key.Key_Up)


def fill(dialog: RemoteDialog, name: str, url: str, answer: str = "classes") -> None:
    view = dialog.view
    write(view.server.name, name)
    choose(view.server.form, "multipart")
    write(view.server.url, url)
    choose(view.server.answer, answer)


def map_output(dialog: RemoteDialog, output: str, number: str) -> None:
    outputs = dialog.view.outputs
    dialog.view.tabs.setCurrentIndex(1)
    click(outputs.add)
    row = outputs.table.rowCount() - 1
    editor = outputs.table.findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, number)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    outputs.table.item(row, 0).setText(output)
    dialog.view.tabs.setCurrentIndex(0)


def test_add_test_and_use(viewer: Any, dialog: RemoteDialog, wait_for: Callable[..., None]) -> None:
    review = ReviewDock(viewer)
    viewer.window.add_dock_widget(review, name="Review")
    view = dialog.view
    with documented() as server:
        fill(dialog, "lab", f"{server.url}/segmentation")
        click(view.test)
        wait_for(lambda: "No output is mapped" in view.result.text(), 20)
        map_output(dialog, "1", "3")
        click(view.test)
        wait_for(lambda: "The mask can be used" in view.result.text(), 20)
        click(view.save)
        wait_for(lambda: "Saved" in view.result.text(), 20)
        assert server.seen[0].dtype == np.uint8
    model = remotes()[0]
    assert (model.card.name, model.card.classes) == ("lab", (0, 3))
    wait_for(lambda: any("lab" in review.view.models.itemText(n) for n in range(review.view.models.count())))
    assert view.models.currentData() == model.folder


def test_the_key_is_kept_by_the_system_alone(
    viewer: Any, dialog: RemoteDialog, wait_for: Callable[..., None], keys: MemoryKeyring, home: Path
) -> None:
    view = dialog.view
    with documented(key=KEY) as server:
        fill(dialog, "lab", f"{server.url}/objects", "objects")
        click(view.test)
        wait_for(lambda: "wants a key" in view.result.text(), 20)
        view.server.header.setCurrentText("X-Api-Key")
        write(view.server.key, "another-key-12345")
        assert view.server.key.echoMode() == QLineEdit.EchoMode.Password
        click(view.test)
        wait_for(lambda: "refuses the key" in view.result.text(), 20)
        assert "another-key" not in view.result.text()
        write(view.server.key, KEY)
        click(view.save)
        wait_for(lambda: "Saved" in view.result.text(), 20)
        assert (view.server.key.text(), view.server.key.placeholderText()) == ("", "the one in the keyring")
        click(view.test)
        wait_for(lambda: "The mask can be used" in view.result.text(), 20)
    assert [value for value in keys.kept.values() if KEY in value]
    assert not any(KEY.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_changed_address_wants_its_own_key(
    dialog: RemoteDialog, wait_for: Callable[..., None], keys: MemoryKeyring
) -> None:
    view = dialog.view
    with documented(key=KEY) as server, documented(key=KEY) as other:
        fill(dialog, "lab", f"{server.url}/objects", "objects")
        view.server.header.setCurrentText("X-Api-Key")
        write(view.server.key, KEY)
        click(view.save)
        wait_for(lambda: "Saved" in view.result.text(), 20)
        write(view.server.url, f"{other.url}/objects")
        click(view.test)
        wait_for(lambda: "each address has its own" in view.result.text(), 20)
        assert not other.asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<!DOCTYPE html><b>hello</b>", "text/html"), "web page"),
        ((503, b"", "text/plain"), "busy"),
        ((500, b"<img src='http://evil.org/a.png'>", "text/plain"), "<img src="),
        ((200, b"II*\0", "image/tiff"), "damaged TIFF"),
        ((302, b"", "text/plain"), "elsewhere"),
    ],
)
def test_troubles_are_told_apart(
    dialog: RemoteDialog, wait_for: Callable[..., None], answer: tuple[int, bytes, str], said: str
) -> None:
    def misbehave(handler: Handler, path: str, body: bytes) -> bool:
        handler.answer(*answer, {"Location": "http://evil.org/"} if answer[0] == 302 else None)
        return True

    with documented(misbehave) as server:
        fill(dialog, "lab", server.url)
        click(dialog.view.test)
        wait_for(lambda: said in dialog.view.result.text(), 20)
    assert dialog.view.result.textFormat() == Qt.TextFormat.PlainText


def test_a_test_can_be_stopped(dialog: RemoteDialog, wait_for: Callable[..., None]) -> None:
    import threading

    asked, over = threading.Event(), threading.Event()

    def hang(handler: Handler, path: str, body: bytes) -> bool:
        asked.set()
        return over.wait(30)

    with documented(hang) as server:
        fill(dialog, "lab", server.url)
        click(dialog.view.test)
        wait_for(asked.is_set, 20)
        assert dialog.view.test.text() == "S&top"
        click(dialog.view.test)
        assert dialog.view.result.text() == "The test was stopped."
        assert dialog.view.save.isEnabled()
        over.set()


def test_what_is_missing_is_told(dialog: RemoteDialog) -> None:
    view = dialog.view
    click(view.save)
    assert "no name" in view.result.text()
    write(view.server.name, "lab")
    click(view.save)
    assert "address" in view.result.text()
    write(view.server.url, "https://me:secret@lab.org")
    click(view.save)
    assert "password" in view.result.text()
    assert not remotes()


def test_a_form_gives_back_what_it_shows(qtbot: Any) -> None:
    view = RemoteView()
    qtbot.addWidget(view)
    config = RemoteConfig(
        url="https://lab.org/a", form="json", answer="boxes", headers=("X-Api-Key",), encoding="list", channels=3,
        before=(Multiply(by=2.5), Clip(low=-1, high=3), ToType(dtype="uint16")), tile=None, overlap=0, relative=True,
        outputs=[{"output": "cell", "id": 2, "name": "Zelle"}, {"output": "dirt"}], corners="cxcywh",
        waiting={"read": 5.5},
    )  # fmt: skip
    settings = config.model_dump(mode="json", exclude={"headers", "format_version"})
    view.setValue(Draft("lab", settings, "X-Api-Key"), True)
    assert view.value().config() == config


def test_steps_are_put_in_order(qtbot: Any) -> None:
    steps = StepsView([Multiply, Clip, ToType], "none")
    qtbot.addWidget(steps)
    steps.show()
    changes: list[int] = []
    steps.valueChanged.connect(lambda: changes.append(1))
    for index in (3, 1):
        steps.adding.activated.emit(index)
    click(steps.rows[1].buttons["up"])
    assert [step["step"] for step in steps.value()] == ["multiply", "type"]
    click(steps.rows[1].buttons["remove"])
    assert steps.value() == [{"step": "multiply", "by": 255.0}]
    assert len(changes) == 4


def test_the_classes_of_the_ground_truth_are_filled_in(viewer: Any, dialog: RemoteDialog, session: Any) -> None:
    view = dialog.view
    choose(view.server.form, "json")
    view.tabs.setCurrentIndex(1)
    click(view.outputs.mine)
    assert "no classes" in view.result.text()
    layer = viewer.add_image(np.zeros((32, 32), np.uint8), name="cells")
    session.truths.create(layer, mode="classes")
    click(view.outputs.mine)
    truth = session.truths.current
    assert [row["id"] for row in view.outputs.value()] == [one.id for one in truth.classes]


def test_it_opens_once_and_needs_no_torch(viewer: Any, dialog: RemoteDialog) -> None:
    assert open_remote(viewer) is dialog


def test_boxes_around_objects_want_objects(viewer: Any, session: Any) -> None:
    with pytest.raises(VolumeError, match="no finished prediction"):
        boxes_of_prediction(session)
    boxes_around_objects(viewer)
    assert len(session.boxes) == 0


def test_boxes_lie_on_the_voxels_of_the_image(viewer: Any, session: Any, tmp_path: Path) -> None:
    layer = viewer.add_image(np.zeros((64, 64), np.uint8), name="cells", scale=(0.5, 0.5), translate=(3, 4))
    start, stop = np.array([[0] * 3, [0, 4, 6], [0, 1, 1]]), np.array([[0] * 3, [1, 10, 9], [1, 2, 2]])
    table = SimpleNamespace(
        score=np.array([0, 0.8, 0.2]), size=np.array([0, 18, 1]), start=start, stop=stop, class_id=np.array([0, 5, 5])
    )
    stored = SimpleNamespace(objects=table, info=SimpleNamespace(instances=True))
    current = SimpleNamespace(
        stored=stored, agglomerates=False, class_names={5: "nucleus"}, placement=Placement(layer, (1, 2, 2), (0, 8, 0))
    )
    shown = SimpleNamespace(current=current, threshold=0.5)
    (box,) = boxes_of_prediction(SimpleNamespace(predictions=shown))
    session.boxes.add(box)
    found = LayerFrame.of(layer).to_box(session.boxes[box.id])
    assert (found.start, found.stop) == ((0, 24, 12), (1, 36, 18))
    assert (found.name, found.status, found.tags) == ("nucleus 0.80", "in progress", ("predicted",))
