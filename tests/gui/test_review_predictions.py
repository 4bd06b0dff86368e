"""Predictions in a viewer: threshold, clicks, and objects taken over into the ground truth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.errors import GroundTruthError, ModelError
from napari_aitrain.gui.annotate.truths import LabelClass
from napari_aitrain.gui.review.prediction import Prediction
from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.models import ModelCard, read_card

MODEL = Path("/model")


def three_objects() -> np.ndarray:
    """Two objects on every slice, and a third on slice 2 alone."""
    labels = np.zeros((4, 32, 32), np.int32)
    labels[:, 4:10, 4:10] = 1
    labels[:, 20:28, 20:28] = 2
    labels[2, 20:24, 4:8] = 3
    return labels


def add(session: Any, image: Any, labels: np.ndarray, scores: Any = (0, 0.9, 0.4, 0.7), **options: Any) -> Prediction:
    """Show a prediction of a whole image."""
    data = options.pop("data", None) or Thresholded(labels, np.array(scores, np.float32))
    placement = options.pop("placement", None) or Placement(image, (1, 1, 1), (0, 0, 0))
    layer = options.pop("layer", None) or PredictionLayer(session.viewer, "Prediction")
    told = {name: value for name, value in options.items() if name not in ("model", "threshold")}
    one = Prediction(options.get("model", MODEL), data, placement, layer, **told)
    session.predictions.show(one)
    session.predictions.set_threshold(options.get("threshold", 0.5))
    return one


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def image(viewer: Any) -> Any:
    return viewer.add_image(np.zeros((4, 32, 32), np.float32), scale=(2, 1, 1), units=("um",) * 3)


def at(viewer: Any, *position: float) -> Any:
    """Return what a mouse event tells of a place in the world."""
    return SimpleNamespace(position=position, dims_displayed=list(viewer.dims.displayed), view_direction=None)


def test_a_threshold_is_for_every_layer_of_a_model(viewer, session, image):
    predictions = session.predictions
    one, two = add(session, image, three_objects()), add(session, image, three_objects(), (0, 0.2, 0.4, 0.7))
    other = add(session, image, three_objects(), model=Path("/other"))
    predictions.set_model(MODEL)
    told = []
    predictions.threshold_changed.connect(told.append)
    predictions.set_threshold(0.6)
    assert told == [0.6]
    viewer.dims.set_current_step(0, 2)
    assert np.unique(one.layer.layer._slice.image.raw).tolist() == [0, 1, 3]
    assert np.unique(two.layer.layer._slice.image.raw).tolist() == [0, 3]
    assert np.unique(other.layer.layer._slice.image.raw).tolist() == [0, 1, 3]
    predictions.set_model(Path("/other"))
    assert predictions.threshold == 0.5
    assert predictions.histogram().sum() == 3


def test_a_new_prediction_changes_neither_view_nor_selection_nor_tool(viewer, session, image):
    truth = session.truths.create(image)
    truth.mode = "paint"
    viewer.dims.set_current_step(0, 1)
    before = viewer.scene.camera.zoom, viewer.scene.camera.center, viewer.dims.point
    one = add(session, image, three_objects())
    layer = one.layer.layer
    for start in ((0, 5, 5), (2, 9, 1)):
        placement = Placement(image, (1, 1, 1), start)
        small = Thresholded(three_objects()[: 4 - start[0], :20, :20], np.array([0, 1, 1, 1], np.float32))
        add(session, image, three_objects(), placement=placement, layer=one.layer, data=small)
        assert one.layer.layer is layer
        assert layer.translate.tolist() == [2 * start[0], start[1], start[2]]
    assert viewer.layers.selection.active is truth
    assert set(viewer.layers.selection) == {truth}
    assert truth.mode == "paint"
    assert (viewer.scene.camera.zoom, viewer.scene.camera.center, viewer.dims.point) == before
    assert [each.name for each in viewer.layers] == [image.name, "Prediction", truth.name]


def test_a_clicked_object_tells_of_itself(viewer, session, image):
    add(session, image, three_objects(), voxel_size=(2000, 1000, 1000))
    picked = session.predictions.pick(at(viewer, 4, 5, 5))
    assert (picked.identity, picked.voxels, picked.volume) == (1, 144, 288.0)
    assert picked.score == pytest.approx(0.9)
    assert session.predictions.object_at(at(viewer, 4, 15, 15)) is None
    assert session.predictions.object_at(at(viewer, 400, 15, 15)) is None
    assert not session.predictions.object_at(at(viewer, 4, 22, 22)).shown


def test_accept_one_gives_a_new_id_keeps_what_was_painted_and_can_be_undone(viewer, session, image):
    truth = session.truths.create(image)
    truth.data_setitem((np.array([1]), np.array([5]), np.array([5])), 7)
    add(session, image, three_objects())
    written = session.predictions.accept(session.predictions.pick(at(viewer, 4, 5, 5)))
    assert (written.objects, written.voxels, written.kept) == (1, 143, 1)
    assert np.unique(truth.data).tolist() == [0, 7, 8]
    assert truth.data[1, 5, 5] == 7
    assert session.truths.next_id(session.truths.current) == 9
    truth.undo()
    assert np.unique(truth.data).tolist() == [0, 7]
    session.predictions.accept(session.predictions.pick(at(viewer, 4, 5, 5)), overwrite=True)
    assert truth.data[1, 5, 5] != 7


def test_accept_all_takes_what_the_threshold_leaves(session, image):
    truth = session.truths.create(image)
    add(session, image, three_objects())
    written = session.predictions.accept()
    assert written.objects == 2
    assert np.unique(truth.data).tolist() == [0, 2, 3]
    assert not truth.data[:, 20:28, 20:28].any()
    truth.undo()
    assert not truth.data.any()


def test_accept_in_a_box(session, image):
    truth = session.truths.create(image)
    add(session, image, three_objects())
    session.predictions.set_threshold(0)
    with pytest.raises(GroundTruthError, match="no box"):
        session.predictions.accept(in_box=True)
    session.boxes.add(WorldBox(start=(-1, -0.5, -0.5), stop=(3, 8.5, 31.5), image=image.name))
    session.predictions.accept(in_box=True)
    assert np.argwhere(truth.data).max(axis=0).tolist() == [1, 8, 9]


def test_reject_paints_background_and_hides_the_object(viewer, session, image):
    truth = session.truths.create(image)
    one = add(session, image, three_objects())
    session.predictions.reject(session.predictions.pick(at(viewer, 4, 5, 5)))
    background = session.truths.current.background_id
    assert np.unique(truth.data).tolist() == [0, background]
    assert (truth.data == background).sum() == 144
    assert not np.asarray(one.data)[:, 4:10, 4:10].any()
    session.truths.update(session.truths.current, background_id=None)
    with pytest.raises(GroundTruthError, match="background"):
        session.predictions.reject(session.predictions.object_at(at(viewer, 4, 22, 22)))


def test_a_prediction_of_another_magnification_is_written_where_it_lies(session, image):
    truth = session.truths.create(image)
    half = three_objects()[:, ::2, ::2]
    add(session, image, half, placement=Placement(image, (1, 2, 2), (0, 0, 0)))
    session.predictions.set_threshold(0)
    session.predictions.accept()
    assert np.array_equal(truth.data > 0, three_objects() > 0)


def test_classes_are_accepted_by_connected_piece(viewer, session, image):
    classes = [LabelClass(1, "background", "#777777"), LabelClass(2, "membrane", "#e69f00")]
    truth = session.truths.create(image, "classes", classes=classes)
    labels = 2 * (three_objects() > 0).astype(np.int32)
    data = Thresholded(labels, certainty=np.full(labels.shape, 200, np.uint8))
    one = add(session, image, labels, data=data, class_names={0: "background", 2: "membrane"},
              class_colours={2: "#e69f00"})  # fmt: skip
    assert one.classes() == (2,)
    assert session.predictions.histogram().argmax() == 39
    picked = session.predictions.pick(at(viewer, 4, 5, 5))
    assert (picked.identity, picked.voxels) == (2, 144)
    session.predictions.accept(picked)
    assert np.array_equal(truth.data == 2, three_objects() == 1)
    session.predictions.accept()
    assert np.array_equal(truth.data, labels)


def test_wrong_kinds_of_ground_truth_are_refused(session, image):
    with pytest.raises(GroundTruthError, match="no prediction"):
        session.predictions.accept()
    add(session, image, three_objects())
    with pytest.raises(GroundTruthError, match="no ground truth"):
        session.predictions.accept()
    session.truths.create(image, "classes")
    with pytest.raises(GroundTruthError, match="holds classes"):
        session.predictions.accept()


def test_flat_images_and_frames(viewer, session):
    movie = viewer.add_image(np.zeros((5, 32, 32), np.float32), axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 3)
    truth = session.truths.create(movie)
    labels = three_objects()[:1]
    data = Thresholded(labels, np.array([0, 0.9, 0.9, 0.9], np.float32), leading=1, flat=True)
    one = add(session, movie, labels, data=data, placement=Placement(movie, (1, 1, 1), (0, 0, 0), (3,)))
    assert one.layer.layer.data.shape == (1, 32, 32)
    assert session.predictions.object_at(at(viewer, 2, 5, 5)) is None
    session.predictions.accept(session.predictions.pick(at(viewer, 3, 5, 5)))
    assert np.array_equal(np.argwhere(truth.data.any(axis=(1, 2))).ravel(), [3])


def test_outlines_and_colours_by_score(session, image):
    one = add(session, image, three_objects())
    session.predictions.set_outlines(True)
    session.predictions.set_colour_by_score(True)
    assert one.layer.layer.contour == 1
    score = one.layer.layer.colormap.map(one.data[0, 5, 5])
    assert np.allclose(score[:3], (0.74, 0.87, 0.15), atol=0.03)
    session.predictions.set_colour_by_score(False)
    session.predictions.set_outlines(False)
    assert one.data[0, 5, 5] == 1


def test_lock_in_waits_for_the_model(session, image, tmp_path):
    with pytest.raises(ModelError, match="no prediction"):
        session.predictions.lock_in()
    one = add(session, image, three_objects(), model=tmp_path, step=3)
    with pytest.raises(ModelError, match="learning"):
        session.predictions.lock_in()
    add(session, image, three_objects(), model=tmp_path, layer=one.layer)
    session.predictions.set_threshold(0.25)
    session.predictions.lock_in()
    assert session.predictions.waits_for_model
    (tmp_path / "model").mkdir()
    card = ModelCard(task="instances", dims=2, network={})
    (tmp_path / "model" / "model.json").write_text(card.model_dump_json())
    session.predictions.store_locked(tmp_path)
    assert read_card(tmp_path).threshold == 0.25
    assert not session.predictions.waits_for_model


def test_a_layer_that_is_removed_is_forgotten(viewer, session, image):
    one = add(session, image, three_objects())
    viewer.layers.remove(one.layer.layer)
    assert session.predictions.all() == ()
    add(session, image, three_objects(), layer=one.layer)
    assert one.layer.present
