"""Bad input and trouble: one clear notification each, no traceback, and nothing that was painted is lost."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.QtWidgets import QLabel

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.errors import AitrainError, GroundTruthError
from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.dock import AnnotateDock
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.session import session_of
from napari_aitrain.gui.train.painting import LivePainting
from napari_aitrain.gui.train.sources_model import SourcesModel
from napari_aitrain.jobs import JobFolder
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.config_file import config_to_yaml
from napari_aitrain.volumes import open_volume

PLUGIN = "napari-aitrain"
NAMES = ("Annotate", "Train", "Jobs", "Review")


@pytest.fixture
def told() -> Any:
    """What people are told; an error with a traceback fails the test."""
    messages: list[str] = []

    def take(notification: Any) -> None:
        assert not isinstance(notification, ErrorNotification), notification
        messages.append(str(notification.message))

    notification_manager.notification_ready.connect(take)
    yield messages
    notification_manager.notification_ready.disconnect(take)


def open_docks(viewer: Any, *names: str) -> list[Any]:
    return [viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)[1] for name in names]


def stored(path: Path) -> np.ndarray:
    volume = open_volume(path, kind="labels")
    return np.asarray(volume.read(volume.region)[0])


def test_docks_without_layers_say_what_to_do_first(viewer, told, wait_for):
    docks = dict(zip(NAMES, open_docks(viewer, *NAMES), strict=True))
    for name, dock in docks.items():
        dock.parentWidget().raise_()
        wait_for(dock.isVisible)
        texts = [label.text() for label in dock.findChildren(QLabel) if label.isVisible()]
        assert any("first" in text.casefold() or "press" in text.casefold() for text in texts), name
    assert not docks["Annotate"].truth_view.new.isEnabled()
    assert not docks["Train"].view.start.isEnabled()
    assert not docks["Review"].view.again.isEnabled()
    assert not docks["Annotate"].box_view.draw.isEnabled()
    assert not docks["Annotate"].box_view.add.isEnabled()
    assert told == []


def test_a_dock_without_a_viewer_says_so():
    with pytest.raises(AitrainError, match="viewer"):
        AnnotateDock(None)


def follow_training(session: Any, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[dict[str, Any]]:
    """Have the session believe that a job of its ground truth runs, and return what is sent to it."""
    sources = tuple(session.saver.sources(session.truths.current))
    folder.mkdir()
    (folder / "job.yaml").write_text(config_to_yaml(TrainConfig(sources=sources)))
    job, sent = JobFolder(folder), []
    monkeypatch.setattr(session.jobs, "state", lambda one: "running")
    monkeypatch.setattr(session.jobs, "newest_running", lambda: job)
    monkeypatch.setattr(session.jobs, "send", lambda one, message: sent.append(message))
    return sent


def test_an_image_is_renamed_and_removed_while_its_training_learns_from_strokes(
    viewer, session, told, tmp_path, monkeypatch
):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    labels = session.truths.create("cells")
    session.boxes.add(WorldBox(start=(-0.5, -0.5, -0.5), stop=(0.5, 39.5, 39.5), image="cells"))
    sent = follow_training(session, monkeypatch, tmp_path / "job")
    painting = LivePainting(session, SourcesModel(session))
    painting.set_on(True)
    assert len(sent) == 1
    viewer.layers["cells"].name = "nuclei"
    labels.paint((20, 20), 5)
    session.saver.flush()
    assert len(sent) == 2
    assert sent[1]["sources"][0]["labels"] == sent[0]["sources"][0]["labels"]
    assert told == []
    image = viewer.layers["nuclei"]
    viewer.layers.remove(image)
    for place in (10, 25, 30):
        labels.paint((place, place), 6)
        assert session.saver.flush()
    assert len(told) == 1
    assert "nuclei is not open" in told[0]
    assert len(sent) == 2
    truth = session.truths.current
    assert np.array_equal(stored(session.saver.project.labels_path(truth.key, ()))[0], labels.data)
    viewer.layers.append(image)
    labels.paint((35, 35), 7)
    session.saver.flush()
    assert len(sent) == 3
    painting.close()


def test_labels_that_do_not_fit_are_refused_with_one_sentence(viewer, session, hand, told):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    (dock,) = open_docks(viewer, "Annotate")
    viewer.add_labels(np.ones((30, 50), int), name="of another image")
    hand.click(dock.truth_view.adopt)
    assert len(told) == 1
    assert "50×30" in told[0]
    huge = np.zeros((40, 50), np.int64)
    huge[3, 4] = 2**31
    viewer.layers.remove("of another image")
    layer = viewer.add_labels(huge, name="huge ids")
    hand.click(dock.truth_view.adopt)
    assert len(told) == 2
    assert "2,147,483,648" in told[1]
    layer.data = np.where(huge, -1, 0)
    with pytest.raises(GroundTruthError, match="-1"):
        session.truths.adopt(layer, "cells")
    assert session.truths.all() == ()
    layer.data = np.where(huge, 2**31 - 1, 0)
    truth = session.truths.adopt(layer, "cells")
    assert session.saver.flush()
    assert stored(session.saver.project.labels_path(truth.key, ())).max() == 2**31 - 1
    # An id that the brush took later is told as well, and does not become another one on disk.
    layer.paint((20, 20), 2**31 + 5)
    assert not session.saver.flush()
    assert "2,147,483,653" in session.saver.problem
    layer.undo()
    assert session.saver.flush()


def test_two_viewers_have_sessions_of_their_own(make_napari_viewer, told):
    one, two = make_napari_viewer(show=False), make_napari_viewer(show=False)
    first, second = session_of(one), session_of(two)
    assert first is not second
    assert session_of(one) is first
    for viewer in (one, two):
        viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    labels = first.truths.create("cells")
    first.boxes.add(WorldBox(start=(0, 0, 0), stop=(1, 20, 20), image="cells"))
    assert second.truths.all() == ()
    assert len(second.boxes) == 0
    second.truths.create("cells")
    labels.paint((20, 20), 5)
    assert first.saver.flush()
    assert second.saver.flush()
    assert first.saver.project.folder != second.saver.project.folder
    second.close()
    labels.paint((10, 10), 6)
    assert first.saver.flush()
    truth = first.truths.current
    assert np.array_equal(stored(first.saver.project.labels_path(truth.key, ()))[0], labels.data)
    first.close()
    assert told == []


def test_every_kind_of_image_can_be_annotated_and_read_by_a_training(viewer, session, told):
    flat = np.random.default_rng(0).integers(0, 255, (64, 72)).astype(np.uint8)
    deep = np.random.default_rng(1).integers(0, 255, (6, 64, 72)).astype(np.uint8)
    kinds = {
        "flat": (flat, {}, flat[None, None]),
        "rgb": (np.stack([flat, 255 - flat, flat // 2], -1), {}, None),
        "pyramid": ([deep, deep[:, ::2, ::2]], {}, deep[None]),
        "lazy": (dask.array.from_array(deep, chunks=(3, 32, 32)), {"scale": (2, 1, 1)}, deep[None]),
        "lazy pyramid": ([dask.array.from_array(deep[:, ::n, ::n]) for n in (1, 2)], {"multiscale": True}, deep[None]),
        "movie": (np.stack([np.stack([deep, deep // 2])] * 2), {"axis_labels": tuple("tczyx")}, None),
    }
    for name, (data, options, expected) in kinds.items():
        layer = viewer.add_image(data, name=name, **options)
        labels = session.truths.create(layer)
        frame = LayerFrame.of(layer)
        labels.paint((*(0,) * (labels.ndim - 2), 20, 20), 5)
        start, stop = frame.to_world(Region((0, 0, 0), (1 if frame.flat else 4, 40, 50)))
        session.boxes.add(WorldBox(start=start, stop=stop, image=name, frame=(0,) * len(frame.leading)))
        (source,) = session.saver.sources(session.truths.current)
        image = open_volume(source.image, axes=source.axes)
        assert image.shape == frame.shape, name
        assert len(image.channels) == {"rgb": 3, "movie": 2}.get(name, 1), name
        if expected is not None:
            assert np.array_equal(image.read(image.region), expected), name
        painted = np.asarray(labels.data)[(0,) * len(frame.leading)]
        assert painted.any()
        assert np.array_equal(stored(source.labels), painted[None] if frame.flat else painted), name
        assert source.boxes[0].region == Region((0, 0, 0), (1 if frame.flat else 4, 40, 50)), name
        viewer.layers.clear()
        session.boxes.remove(*[one.id for one in session.boxes])
    assert told == []


def test_a_disk_that_takes_no_project_is_told_once_without_any_dock(viewer, session, told, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "file" / "home"))
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    labels = session.truths.create("cells")
    labels.paint((20, 20), 5)
    assert not session.saver.flush()
    assert not session.saver.flush()
    assert len(told) == 1
    assert "Nothing is lost" in told[0]
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    assert session.saver.flush()
    truth = session.truths.current
    assert np.array_equal(stored(session.saver.project.labels_path(truth.key, ()))[0], labels.data)
    assert len(told) == 1


def test_docks_that_are_closed_and_opened_again_show_the_same(viewer, session, hand, told):
    viewer.add_image(np.zeros((40, 50), np.uint8), name="cells")
    annotate, train = open_docks(viewer, "Annotate", "Train")
    hand.click(annotate.truth_view.new)
    hand.click(annotate.box_view.add)
    session.truths.layer(session.truths.current).paint((20, 20), 5)
    train.view.form.setValue({"name": "mine", "seed": 9})
    followed = len(session.truths.changed)
    for dock in (annotate, train):
        viewer.window.remove_dock_widget(dock)
    del annotate, train, dock
    gc.collect()
    assert len(session.truths.changed) < followed
    annotate, train = open_docks(viewer, "Annotate", "Train")
    assert len(session.truths.changed) == followed
    assert annotate.truth_view.truth.currentText() == session.truths.current.layer
    assert len(annotate.box_view.table.rows) == 1
    assert train.view.form.value()["name"] == "mine"
    assert train.view.form.value()["seed"] == 9
    assert [row.truth for row in train.controller.model.rows()] == [session.truths.current.key]
    assert session.truths.layer(session.truths.current).data[20, 20] == 5
    assert told == []
