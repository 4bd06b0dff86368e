"""The dialog of weights with a web server on this computer: agree, cancel, go on, no network, wrong files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from misbehaving_server import Handler, Server, serving
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QToolButton, QWidget

from napari_aitrain.annotation.findings import error
from napari_aitrain.errors import MissingWeightsError
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.train.checker import Checked
from napari_aitrain.gui.train.showing import show_target
from napari_aitrain.gui.train.status import Status
from napari_aitrain.gui.train.telling import status_of
from napari_aitrain.gui.train.view import TrainView
from napari_aitrain.gui.weights.dialog import WeightsDialog, open_weights
from napari_aitrain.gui.weights.downloads import Downloads, Standing
from napari_aitrain.gui.weights.telling import licence_text, progress_text, row_text
from napari_aitrain.models import starter_names
from napari_aitrain.models import weights as catalogue
from napari_aitrain.models.weights import KNOWN, KnownWeights
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.readiness import Readiness

DATA = bytes(range(251)) * 40_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AITRAIN_REMOTE_TIMEOUT", "2")
    monkeypatch.setenv("AITRAIN_REMOTE_ATTEMPTS", "1")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "place"))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "cpsam_v2").write_bytes(DATA)
    with serving(tmp_path / "served") as server:
        yield server


@pytest.fixture
def known(server: Server, monkeypatch: pytest.MonkeyPatch) -> KnownWeights:
    """The known weights are a file of 10 MB on this computer; the second ones are nowhere."""
    checksum = hashlib.sha256(DATA).hexdigest()
    first = replace(KNOWN[0], url=f"{server.url}/cpsam_v2", size=len(DATA), sha256=checksum)
    second = replace(KNOWN[1], url=f"{server.url}/none", size=77)
    monkeypatch.setattr(catalogue, "KNOWN", (first, second))
    return first


@pytest.fixture
def downloads(known: KnownWeights, qtbot: Any) -> Iterator[Downloads]:
    downloads = Downloads()
    yield downloads
    downloads.close()


@pytest.fixture
def dialog(downloads: Downloads, qtbot: Any) -> WeightsDialog:
    dialog = WeightsDialog(downloads)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def click(widget: Any) -> None:
    assert widget.isVisible() and widget.isEnabled(), widget.text()
    where = widget.rect().center()
    if hasattr(widget, "isCheckable") and widget.isCheckable():
        where.setX(8)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=where)
    QApplication.processEvents()


def test_nothing_is_fetched_before_a_person_agrees(
    dialog: WeightsDialog, downloads: Downloads, server: Server, known: KnownWeights, wait_for: Any, tmp_path: Path
) -> None:
    view = dialog.view
    shown = " ".join(label.text() for label in view.fields.values())
    for told in (known.url, "10 MiB", known.licence_url, "Not for commercial use", str(tmp_path / "place"), "GiB"):
        assert told in shown
    assert view.value() == "cpsam_v2"
    assert not view.download.isEnabled()
    click(view.agreed)
    assert not server.asked
    # Who has agreed to one licence has not agreed to another.
    view.setValue("cpsam")
    assert not view.agreed.isChecked()
    view.setValue("cpsam_v2")
    assert not view.download.isEnabled()
    click(view.agreed)
    arrived: list[str] = []
    downloads.arrived.connect(arrived.append)
    click(view.download)
    wait_for(lambda: arrived, what="the file")
    assert (tmp_path / "place" / "cpsam_v2").read_bytes() == DATA
    assert view.list.currentItem().text().endswith("here, 10 MiB")
    assert not view.download.isEnabled()
    assert not view.agreed.isVisible() and not view.bar.isVisible() and not view.hand.isVisible()


def test_it_is_cancelled_and_goes_on(
    dialog: WeightsDialog, downloads: Downloads, server: Server, wait_for: Any, tmp_path: Path
) -> None:
    asked: list[str | None] = []

    def slow(handler: Handler, path: str, times: int) -> bool:
        asked.append(handler.headers.get("Range"))
        if times > 1:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        handler.wfile.write(DATA[:4_000_000])
        handler.wfile.flush()
        # Drop by drop, until the client hangs up.
        sent = 4_000_000
        while not server.end.wait(0.02):
            try:
                handler.wfile.write(DATA[sent : sent + 1])
                sent += 1
            except OSError:
                break
        handler.close_connection = True
        return True

    server.trouble = slow
    view = dialog.view
    click(view.agreed)
    click(view.download)
    wait_for(lambda: "of 10 MiB" in view.progress.text() and "MiB/s" in view.progress.text(), what="progress and rate")
    assert view.bar.isVisible() and view.bar.value() > 300
    assert not view.download.isVisible() and not view.file.isEnabled()
    click(view.cancel)
    wait_for(lambda: not downloads.busy, what="the end")
    assert not view.trouble.isVisible()
    part = tmp_path / "place" / "cpsam_v2.part"
    here = part.stat().st_size
    assert 3_900_000 < here < len(DATA)
    # Another window, later.
    again = Downloads()
    other = WeightsDialog(again)
    other.show()
    assert other.view.download.text().startswith("&Go on")
    click(other.view.agreed)
    click(other.view.download)
    wait_for(lambda: again.all()[0].present, what="the rest")
    assert asked == [None, f"bytes={here}-"]
    assert (tmp_path / "place" / "cpsam_v2").read_bytes() == DATA
    other.close()
    again.close()


def test_a_closed_dialog_ends_no_download(
    dialog: WeightsDialog, downloads: Downloads, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_aitrain.gui.weights.dialog.inform", told.append)
    click(dialog.view.agreed)
    click(dialog.view.download)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    wait_for(lambda: not downloads.busy, what="the file")
    assert (tmp_path / "place" / "cpsam_v2").is_file()
    assert len(told) == 1 and "goes on" in told[0]


def test_without_network_it_says_which_file_to_put_where(
    dialog: WeightsDialog, downloads: Downloads, server: Server, known: KnownWeights, wait_for: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    view = dialog.view
    nobody = replace(known, url="http://127.0.0.1:1/cpsam_v2")
    monkeypatch.setattr(catalogue, "KNOWN", (nobody,))
    downloads.changed.emit()
    click(view.agreed)
    click(view.download)
    wait_for(lambda: view.trouble.isVisible(), what="why")
    place = tmp_path / "place" / "cpsam_v2"
    for text in (view.trouble.text(), view.hand.text()):
        assert nobody.url in text and str(place) in text
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    click(view.folder)
    assert opened == [str(place.parent)] and place.parent.is_dir()
    carried = tmp_path / "usb stick.bin"
    carried.write_bytes(DATA)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *of: (str(carried), ""))
    click(view.file)
    wait_for(lambda: place.is_file() and not downloads.busy, what="the file at its place")
    assert carried.read_bytes() == place.read_bytes() == DATA
    assert not view.trouble.isVisible() and not view.hand.isVisible()


@pytest.mark.parametrize(
    ("content", "said"), [(DATA[:-5], "none of the weights"), (b"x" * len(DATA), "another checksum")]
)
def test_a_wrong_file_is_refused(
    dialog: WeightsDialog, downloads: Downloads, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    content: bytes, said: str,
) -> None:  # fmt: skip
    wrong = tmp_path / "wrong"
    wrong.write_bytes(content)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *of: (str(wrong), ""))
    click(dialog.view.file)
    wait_for(lambda: dialog.view.trouble.isVisible(), what="why")
    assert said in dialog.view.trouble.text()
    assert not (tmp_path / "place" / "cpsam_v2").exists()
    # Nothing is chosen: nothing happens.
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *of: ("", ""))
    click(dialog.view.file)
    assert not downloads.busy


def test_a_file_that_is_not_there_any_more(dialog: WeightsDialog, wait_for: Any) -> None:
    view = dialog.view
    view.setValue("cpsam")
    click(view.agreed)
    click(view.download)
    wait_for(lambda: view.trouble.isVisible(), what="why")
    assert "404" in view.trouble.text()
    view.setValue("cpsam_v2")
    assert not view.trouble.isVisible()


def test_what_is_told_of_weights() -> None:
    half = Standing(KNOWN[0], Path("/place"), False, KNOWN[0].size // 2, 2**40, "download", 2.0 * 2**20)
    assert progress_text(half) == "588 of 1,176 MiB · 2.0 MiB/s · about 5 min left"
    assert row_text(half).endswith(": 49 %")
    assert not replace(half, free=2**20).fits
    assert "<b>" not in licence_text(replace(KNOWN[0], licence="CC BY 4.0"), "black")


def test_it_fits_the_window_and_every_widget_tells_what_it_does(dialog: WeightsDialog) -> None:
    assert dialog.sizeHint().height() < 600 and dialog.width() <= 700
    for widget in dialog.findChildren(QWidget):
        if widget.isVisible() and type(widget).__name__ in ("QPushButton", "QCheckBox", "QListWidget"):
            assert widget.toolTip(), widget


@pytest.mark.parametrize("shown", [False])
def test_the_menu_opens_one_dialog_per_window(viewer: Any, known: KnownWeights) -> None:
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-aitrain.weights").result()
    window = viewer.window._qt_window
    first = window.findChild(WeightsDialog)
    assert first is not None and first.isVisible()
    assert open_weights(viewer, "cpsam") is first
    assert first.view.value() == "cpsam"
    first.close()


@pytest.mark.parametrize("shown", [False])
def test_review_asks_for_weights_that_are_not_here(
    viewer: Any, session: Any, server: Server, known: KnownWeights, wait_for: Any, tmp_path: Path
) -> None:
    viewer.add_image(np.zeros((32, 32), np.uint8))
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    models = dock.view.models
    names = [models.itemText(row) for row in range(models.count())]
    first = len(starter_names())
    assert names[first:] == [f"{one.title} (not here)" for one in catalogue.KNOWN]
    assert not dock.view.empty.isHidden()
    models.setCurrentIndex(first + 1)
    models.activated.emit(first + 1)
    dialog = viewer.window._qt_window.findChild(WeightsDialog)
    assert dialog.isVisible() and dialog.view.value() == "cpsam"
    models.setCurrentIndex(first)
    models.activated.emit(first)
    assert dialog.view.value() == "cpsam_v2"
    assert not dock.view.predict.buttons["view"].isEnabled()
    assert "are not here" in dock.view.predict.text.text()
    assert not server.asked
    click(dialog.view.agreed)
    click(dialog.view.download)
    wait_for(lambda: dock.view.predict.buttons["view"].isEnabled(), what="a model to predict with")
    assert models.currentText() == known.title
    assert models.currentData() == tmp_path / "place" / "cpsam_v2"
    assert not dock.view.again.isEnabled()
    dialog.close()


@pytest.mark.parametrize("shown", [False])
def test_train_offers_to_get_what_a_training_starts_from(viewer: Any, session: Any, known: KnownWeights) -> None:
    missing = catalogue.missing_weights(known)
    assert isinstance(missing, MissingWeightsError)
    found = Readiness((error(type(missing).__name__, missing.what, missing.remedy, "start_from"),))
    problem = status_of(Checked(TrainConfig(), found), lambda place: "").problems[0]
    assert problem.target == "weights:cpsam_v2"
    view = TrainView()
    view.set_status(Status([problem]))
    button = next(one for one in view.findChildren(QToolButton) if one.text() == "Get them…")
    view.status.show_requested.connect(lambda target: show_target(session, view, target, lambda *of: None))
    button.click()
    dialog = viewer.window._qt_window.findChild(WeightsDialog)
    assert dialog.isVisible() and dialog.view.value() == "cpsam_v2"
    dialog.close()
    view.deleteLater()
