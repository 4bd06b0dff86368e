"""The Label next dock with real mouse and keys: a search, places one after the other, a restart, and training again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.box_actions import BoxActions
from napari_aitrain.gui.review.viewing import camera_of, canvas_size
from napari_aitrain.gui.scrolling import UpDownScroll
from napari_aitrain.gui.suggest import retraining as retraining_module
from napari_aitrain.gui.suggest.dock import SuggestDock
from napari_aitrain.gui.suggest.suggestions import FOLDER
from napari_aitrain.gui.suggest.uncertainty_layer import UncertaintyLayer
from napari_aitrain.inference import predict_volume
from napari_aitrain.models import ModelCard, load_model, save_model
from napari_aitrain.nets import NetworkConfig, build_network
from napari_aitrain.suggestions.maps import ArrayMap
from napari_aitrain.suggestions.queue import FILE, SuggestionQueue
from napari_aitrain.suggestions.retraining import RetrainPolicy
from napari_aitrain.volumes import Volume

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def model(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in the store that tells two classes apart, badly."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    network = NetworkConfig(
        dims=2, in_channels=1, heads=2, stem=(1, 2, 2), widths=(8, 8), pools=((1, 2, 2),), kernels=((1, 3, 3),) * 2
    )
    torch.manual_seed(0)
    card = ModelCard(
        task="semantic", dims=2, name="tiny", network=network.model_dump(mode="json"), channels=("0",),
        class_names={0: "background", 1: "cell"},
    )  # fmt: skip
    return save_model(home / "models" / "tiny" / "v1", card, build_network(network).state_dict()).folder


@pytest.fixture
def open_dock(viewer: Any) -> Any:
    def opened() -> SuggestDock:
        dock = SuggestDock(viewer)
        viewer.window.add_dock_widget(dock, name="Label next", area="right")
        return dock

    return opened


@pytest.fixture
def image(viewer: Any, tmp_path: Path) -> Any:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, (700, 900), np.uint8))
    return viewer.open(str(path), plugin="napari", layer_type="image")[0]


def choose(dock: SuggestDock, hand: Any, wait_for: Any, count: int = 6) -> None:
    """Find places."""
    hand.click(dock.view.choices.fold)
    dock.view.choices.count.setFocus()
    dock.view.choices.count.selectAll()
    QTest.keyClicks(dock.view.choices.count, str(count))
    dock.view.choices.share.setValue(50)
    hand.click(dock.view.search)
    wait_for(lambda: not dock.controller.suggestions.doing, 300, "the search")
    assert not dock.controller.suggestions.trouble


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_an_empty_dock_says_what_to_do_and_every_widget_has_a_tooltip(viewer, session, open_dock, home, wait_for):
    dock = open_dock()
    assert dock.view.empty.isVisibleTo(dock) and "train" in dock.view.empty.text()
    assert not dock.view.search.isVisibleTo(dock)
    dock.view.set_models([("tiny", Path("tiny"))], Path("tiny"))
    dock.view.choices.fold.setChecked(True)
    assert dock.view.search.isVisibleTo(dock) and not dock.view.search.isEnabled()
    assert dock.view.minimumSizeHint().width() <= 420
    for widget in dock.view.findChildren(QWidget):
        focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(widget, UpDownScroll)
        if widget.isVisibleTo(dock) and focus:
            assert widget.toolTip() or widget.parentWidget().toolTip(), widget


def test_from_place_to_place_and_after_a_restart(viewer, session, model, image, open_dock, hand, wait_for):
    labels = session.truths.create(image, "classes")
    taken = BoxActions(session).make(image, Region((0, 0, 0), (1, 96, 96)), role="validation")
    session.boxes.add(taken)
    dock = open_dock()
    view, suggestions = dock.view, session.suggestions
    choose(dock, hand, wait_for)
    queue = suggestions.queue
    assert [one.kind for one in queue.open()] == ["uncertain", "random"] * 3
    assert not any(one.region.overlaps(Region((0, 0, 0), (1, 96, 96))) for one in queue.open())
    assert view.places.topLevelItemCount() == 6 and "Not known yet" in view.verdict.text()
    assert not view.steps["done"].isEnabled()

    hand.click(view.steps["next"])
    first, box = queue.open()[0], session.boxes.selected
    assert box.id == first.box and BoxActions(session).region(box) == first.region
    assert (box.status, box.sparse, box.tags) == ("in progress", True, ("suggested",))
    middle = [(a + b) / 2 for a, b in zip(box.start, box.stop, strict=True)][1:]
    assert np.allclose(camera_of(viewer).center[-2:], middle)
    assert 0.2 < (box.stop[1] - box.start[1]) * camera_of(viewer).zoom / min(canvas_size(viewer)) <= 1
    assert viewer.layers.selection.active is labels
    y, x = (int(n) for n in middle)
    labels.data_setitem((np.arange(y - 5, y + 5), np.arange(x - 5, x + 5)), 2)
    hand.click(view.steps["done"])
    wait_for(lambda: queue.find(first.id).error is not None, 30, "the error")
    assert session.boxes[box.id].status == "done" and session.boxes[box.id].sparse is None
    assert view.places.topLevelItem(0).text(3).endswith(" %")

    hand.click(view.steps["next"])
    second, skipped = queue.open()[0], session.boxes.selected
    assert skipped.tags == ("random",) and "Chance has chosen" in view.told.text()
    hand.click(view.steps["skip"])
    assert queue.find(second.id).state == "skipped" and skipped.id not in [one.id for one in session.boxes]
    third = queue.open()[0]
    assert suggestions.current.id == third.id and session.boxes.selected.id == third.box

    session.saver.flush()
    folder, count = session.saver.project.folder, len(session.boxes)
    viewer.layers.clear()
    session.boxes.reset(())
    assert SuggestionQueue(folder / FOLDER).state == suggestions.queue.state
    session.saver.open(folder)
    assert len(session.boxes) == count
    suggestions.go_next()
    assert len(session.boxes) == count and suggestions.current.id == third.id
    assert [one.state for one in suggestions.queue.all][:3] == ["done", "skipped", "open"]

    # Clicking the one that was skipped opens it again.
    item = view.places.topLevelItem(1)
    QTest.mouseClick(view.places.viewport(), Qt.MouseButton.LeftButton, pos=view.places.visualItemRect(item).center())
    assert suggestions.current.id == second.id and len(session.boxes) == count + 1

    # Another search leaves what was begun, and asks for no place twice.
    hand.click(view.search)
    wait_for(lambda: not suggestions.doing and len(suggestions.queue.open()) > 2, 300, "another search")
    regions = [one.region for one in suggestions.queue.all if one.state != "skipped"]
    assert not any(a.overlaps(b) for n, a in enumerate(regions) for b in regions[:n])
    hand.click(view.map)
    assert suggestions.map.present and suggestions.map.layer.data.shape == (700, 900)
    hand.click(view.map)
    assert not suggestions.map.present


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_training_again_is_asked_for_or_begins(viewer, session, model, image, open_dock, wait_for, monkeypatch):
    labels = session.truths.create(image, "instances")
    session.boxes.add(BoxActions(session).make(image, Region((0, 0, 0), (1, 200, 400))))
    asked, begun = [], []
    monkeypatch.setattr(retraining_module, "inform", asked.append)
    monkeypatch.setattr(retraining_module, "train_again", lambda session, folder: begun.append(folder))
    retraining = session.suggestions.retraining
    dock = open_dock()
    assert dock.view.policy.value() == RetrainPolicy()
    ids = np.kron(np.arange(2, 62).reshape(5, 12), np.ones((8, 8), int))
    labels.data_setitem(tuple(np.nonzero(ids)), ids[np.nonzero(ids)])
    session.saver.flush()
    wait_for(lambda: retraining.total == 60, 30, "the count")
    assert "60 annotations" in dock.view.policy.text.text() and not asked
    session.suggestions.need_queue().set(model=str(model))
    for mode, found in (("ask", asked), ("automatic", begun)):
        session.suggestions.queue.set(policy=RetrainPolicy(), trained_with=5)
        dock.view.policy.mode.setCurrentIndex(dock.view.policy.mode.findData(mode))
        dock.view.policy.after.setCurrentIndex(0)
        dock.view.policy.mode.activated.emit(0)
        wait_for(lambda found=found: len(found) == 1, 10, mode)
        assert "time to train again" in dock.view.policy.text.text()
        session.saver.flush()
        assert len(found) == 1
    assert begun == [model] and "55 new annotations" in asked[0]


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_a_damaged_queue_is_told_of_and_left_alone(viewer, session, model, image, open_dock, wait_for):
    session.truths.create(image, "classes")
    session.saver.flush()
    folder = session.saver.ensure_project().folder / FOLDER
    folder.mkdir()
    (folder / FILE).write_text("{", encoding="utf-8")
    dock = open_dock()
    assert "damaged" in dock.view.status.text() and not dock.view.steps["next"].isEnabled()
    assert (folder / FILE).read_text(encoding="utf-8") == "{"


@pytest.mark.parametrize("shown", [False], indirect=True)
@pytest.mark.parametrize(
    ("shape", "options"),
    [((30, 40), {}), ((5, 30, 40), {"scale": (4, 1, 1)}), ((2, 3, 30, 40), {}), ((6, 1100, 1000), {})],
    ids=["flat", "stack", "series", "large"],
)
def test_the_map_is_seen_as_it_is(viewer, session, model, tmp_path, wait_for, shape, options):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    layer = viewer.add_image(pixels, name="cells", **options)
    leading = shape[:-3]
    spatial = shape[-3:] if len(shape) > 2 else (1, *shape)
    small = Volume.from_array(np.zeros((1, 16, 16), np.uint8), axes="zyx")
    stored = predict_volume(load_model(model), small, tmp_path / "p")
    stored.info = stored.info.model_copy(update={"shape": spatial})
    values = np.random.default_rng(1).random(spatial)
    shown = UncertaintyLayer(session)
    shown.show(ArrayMap(values), stored, layer, (1,) * len(leading))
    found = shown.layer
    assert found.multiscale == (spatial[1] > 1000) and found.extent.world[0, -1] == layer.extent.world[0, -1]
    finest = found.data[0] if found.multiscale else found.data
    assert finest.shape == (*(1,) * len(leading), *(spatial if len(shape) > 2 else spatial[1:]))
    at = (0,) * len(leading) + ((2,) if len(shape) > 2 else ())
    wanted = np.rint(255 * values[2 if len(shape) > 2 else 0, :30, :40])
    part = (*at, slice(0, 30), slice(0, 40))
    wait_for(lambda: np.array_equal(np.asarray(finest[part]), wanted), 10, "the tiles")
    shown.hide()
    assert found not in viewer.layers
    shown.close()
