"""Training sources that are no layer: typed, chosen, dropped, here or on a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog

from napari_aitrain.errors import ConfigError
from napari_aitrain.gui.train import adding
from napari_aitrain.gui.train.adopting import AdoptDialog
from napari_aitrain.gui.train.files_dialog import FilesDialog, fields_of
from napari_aitrain.location import Url
from napari_aitrain.training.config import Source

NML = """<things><parameters><experiment name="x"/><scale x="4" y="4" z="40"/>
<userBoundingBox id="1" name="all of it" topLeftX="8" topLeftY="16" topLeftZ="0" width="32" height="24" depth="1"/>
</parameters></things>"""


@pytest.fixture
def dialog(qtbot: Any) -> FilesDialog:
    made = FilesDialog()
    qtbot.addWidget(made)
    made.show()
    return made


def press(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def press_ok(qtbot: Any, dialog: Any) -> None:
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    press(ok)
    qtbot.waitUntil(lambda: dialog.isHidden() or ok.isEnabled(), timeout=30_000)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """An image as zarr and its labels as TIFF."""
    zarr.save_array(str(tmp_path / "raw.zarr"), np.zeros((1, 64, 96), np.uint8))
    tifffile.imwrite(tmp_path / "raw_mask.tif", np.zeros((1, 64, 96), np.uint8))
    return tmp_path / "raw.zarr", tmp_path / "raw_mask.tif"


def drop(widget: Any, *urls: QUrl) -> None:
    data = QMimeData()
    data.setUrls(list(urls))
    place = widget.rect().center()
    event = QDropEvent(
        QPoint(place).toPointF(), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    widget.dropEvent(event)
    assert event.isAccepted()
    QApplication.processEvents()


def test_a_folder_and_a_file_are_chosen_by_their_buttons(
    dialog: FilesDialog, files: tuple[Path, Path], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = files
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(image))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(labels), ""))
    press(dialog.places["image"].folder)
    press(dialog.places["labels"].file)
    press_ok(qtbot, dialog)
    assert dialog.source == Source(image=image, labels=labels)


def test_an_address_is_typed_and_stays_an_address(dialog: FilesDialog, qtbot: Any) -> None:
    QTest.keyClicks(dialog.places["image"].line, "https://host/data/raw.ome.zarr")
    QTest.keyClicks(dialog.places["labels"].line, "s3://bucket/labels.zarr/")
    press_ok(qtbot, dialog)
    assert dialog.source is not None
    assert dialog.source.image == Url("https://host/data/raw.ome.zarr")
    assert dialog.source.labels == Url("s3://bucket/labels.zarr")


def test_what_does_not_exist_is_named_and_can_be_mended(
    dialog: FilesDialog, files: tuple[Path, Path], qtbot: Any
) -> None:
    image, labels = files
    dialog.setValue(image=image.with_name("rav.zarr"), labels=labels)
    press_ok(qtbot, dialog)
    assert dialog.source is None and "rav.zarr does not exist" in dialog.trouble.text()
    # As Windows copies paths.
    dialog.places["image"].line.setText(f'"{image}"')
    press_ok(qtbot, dialog)
    assert dialog.source == Source(image=image, labels=labels)


@pytest.mark.parametrize("ending", ["nml", "json"])
def test_boxes_are_read_as_the_command_line_reads_them(
    dialog: FilesDialog, files: tuple[Path, Path], tmp_path: Path, qtbot: Any, ending: str
) -> None:
    image, labels = files
    boxes = tmp_path / f"boxes.{ending}"
    box = {"start": [0, 16, 8], "stop": [1, 40, 40], "name": "all of it"}
    boxes.write_text(NML if ending == "nml" else json.dumps([box]))
    dialog.setValue(image=image, labels=labels, boxes=boxes)
    press_ok(qtbot, dialog)
    assert dialog.source is not None, dialog.trouble.text()
    (found,) = dialog.source.boxes
    assert (found.start, found.stop, found.name) == ((0, 16, 8), (1, 40, 40), "all of it")


def test_a_file_is_dropped_onto_a_field(dialog: FilesDialog, files: tuple[Path, Path]) -> None:
    place = dialog.places["image"]
    drop(place, QUrl.fromLocalFile(str(files[0])))
    assert place.value() == files[0]
    drop(place, QUrl("https://host/a%20b.zarr"))
    assert place.value() == Url("https://host/a%20b.zarr")


def test_the_names_of_dropped_files_say_which_is_which(files: tuple[Path, Path]) -> None:
    image, labels = files
    assert fields_of([labels, image]) == fields_of([image, labels]) == {"image": image, "labels": labels}
    assert fields_of([labels]) == {"labels": labels}
    with pytest.raises(ConfigError, match="3 files"):
        fields_of([image, labels, image])


def test_files_dropped_onto_the_table_are_asked_about_and_trained_on(
    viewer: Any, session: Any, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, qtbot: Any, wait_for: Any
) -> None:
    image, labels = files
    _, dock = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")
    asked: list[dict[str, Any]] = []

    class Answered(FilesDialog):
        def exec(self) -> int:
            asked.append({name: place.value() for name, place in self.places.items()})
            self.show()
            press_ok(qtbot, self)
            return self.result()

    monkeypatch.setattr(adding, "FilesDialog", Answered)
    drop(dock.view.sources, QUrl.fromLocalFile(str(labels)), QUrl.fromLocalFile(str(image)))
    wait_for(session.training_set.rows)
    assert asked == [{"image": image, "labels": labels}]
    assert not viewer.layers
    table = dock.view.sources.table
    assert [table.item(0, column).text() for column in range(2)] == [image.name, labels.name]


def test_open_labels_are_offered_to_be_trained_on(
    viewer: Any, session: Any, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    _, dock = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")
    assert "labels layers" in dock.view.sources.empty.text()
    viewer.add_image(np.zeros((64, 64), np.uint8), name="cells")
    viewer.add_labels(np.ones((10, 10), int), name="of something else")
    viewer.add_labels(np.ones((32, 32), int), name="by hand")
    offered: list[dict[str, list[str]]] = []

    class Answered(AdoptDialog):
        def exec(self) -> int:
            offered.append(self._offered)
            self.mode.setCurrentIndex(1)
            self.show()
            press(self.buttons.button(QDialogButtonBox.StandardButton.Ok))
            return self.result()

    monkeypatch.setattr(adding, "AdoptDialog", Answered)
    dock.view.sources.add.menu().actions()[0].trigger()
    assert offered == [{"by hand": ["cells"]}]
    (truth,) = session.truths.all()
    assert (truth.layer, truth.image, truth.mode, truth.magnification) == ("by hand", "cells", "classes", (1, 2, 2))
    assert dock.view.sources.table.rowCount() == 1


def test_without_any_layer_it_is_said_what_would_do(viewer: Any, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_aitrain.gui import notify

    told: list[str] = []
    monkeypatch.setattr(notify, "show_error", told.append)
    _, dock = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")
    dock.view.sources.add.menu().actions()[0].trigger()
    assert len(told) == 1 and "no labels that fit" in told[0]
