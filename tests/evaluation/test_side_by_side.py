"""Models on the same boxes: figures side by side, differences with intervals, and what is told about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_aitrain.errors import ConfigError
from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_results import BoxResult, EvaluatedModel, ModelEvaluation
from napari_aitrain.evaluation.figures import common_boxes, figures
from napari_aitrain.evaluation.side_by_side import side_by_side
from napari_aitrain.tasks.protocol import Objects

MODEL = EvaluatedModel(name="m", version=1, folder="/nowhere", task="instances", instances=True, dims=2, threshold=0.0)


def box(number: int, role: str, found: int, **changes: Any) -> BoxResult:
    """Return a box of four objects of which so many were found."""
    truth = np.zeros((1, 10, 40), np.int32)
    for one in range(4):
        truth[0, 2:8, 10 * one + 1 : 10 * one + 8] = one + 1
    labels = np.where(truth <= found, truth, 0)
    scores = np.ones(int(labels.max()) + 1, np.float32)
    judged = judge_box(Objects(labels, scores, np.zeros((0, 0), np.float32)), truth, 0.0)
    values = {
        "number": number, "role": role, "name": f"box {number}", "source": "i.tif", "labels": "l.tif",
        "start": (0, 0, 40 * number), "stop": (1, 10, 40 * number + 40), "magnification": (1, 1, 1), "voxels": 400,
    }  # fmt: skip
    return BoxResult(**{**values, **changes}, **judged.sums)


def model(version: int, *boxes: BoxResult, **changes: Any) -> ModelEvaluation:
    return ModelEvaluation(model=MODEL.model_copy(update={"version": version, **changes}), boxes=boxes)


def test_figures_are_of_the_boxes_that_all_have() -> None:
    old = model(1, *(box(n, "test", found) for n, found in enumerate((2, 3, 1, 4, 2, 2))))
    new = model(2, *(box(n, "test", found) for n, found in enumerate((4, 4, 2, 4, 3))), box(9, "test", 0))
    found = side_by_side([old, new])
    assert found.role == "test" and len(found.boxes) == 5
    first, second = found.columns
    assert first.figures["recall"].value == pytest.approx(12 / 20)
    assert second.figures["recall"].value == pytest.approx(17 / 20)
    assert first.label == "m v1" and not first.differences
    difference = second.differences["recall"]
    assert difference.value == pytest.approx(5 / 20) and difference.better is True
    assert difference.interval is not None and 0 < difference.interval[0] < 0.25 < difference.interval[1] < 0.6
    assert second.each[2] == pytest.approx(2 * 2 / 6), "F1 of the box, where half is found"
    assert any("left out" in note for note in found.notes)
    shared = common_boxes([old, new], "test")
    assert second.figures["f1_50"].value == pytest.approx(figures(shared[1])["f1_50"].value)


def test_what_two_models_share_by_chance_is_not_called_better() -> None:
    old = model(1, *(box(n, "validation", found) for n, found in enumerate((1, 4, 2, 3, 2))))
    new = model(2, *(box(n, "validation", found) for n, found in enumerate((4, 1, 3, 2, 3))))
    difference = side_by_side([old, new]).columns[1].differences["recall"]
    assert difference.better is None
    worse = side_by_side([new, model(3, *(box(n, "validation", 0) for n in range(5)))]).columns[1]
    assert worse.differences["recall"].better is False
    same = side_by_side([old, old]).columns[1].differences["recall"]
    assert same.value == 0 and same.interval == (0, 0) and same.better is None


def test_the_role_is_chosen_or_found() -> None:
    boxes = [box(0, "train", 4), box(1, "validation", 3)]
    one, other = model(1, *boxes), model(2, *boxes, box(2, "test", 4))
    assert side_by_side([one, other]).role == "validation"
    found = side_by_side([one, other], "train", ["a", "b"])
    assert (found.role, found.columns[1].label) == ("train", "b")
    assert found.columns[1].differences["recall"].interval is None, "a single box has no interval"
    assert any("remember" in note for note in found.notes) and any("tells little" in note for note in found.notes)


def test_ground_truth_that_has_changed_is_told() -> None:
    one = model(1, box(0, "test", 3), box(1, "test", 3))
    other = model(2, box(0, "test", 3, voxels=7), box(1, "test", 3, magnification=(1, 2, 2)))
    notes = " ".join(side_by_side([one, other]).notes)
    assert "has changed" in notes and "different magnifications" in notes and "Choose a model by validation" in notes


def test_what_cannot_be_compared_is_told() -> None:
    one = model(1, box(0, "test", 3))
    for others, role, what in (
        ([], None, "one model"),
        ([model(2, box(1, "test", 3))], None, "no box in common"),
        ([model(2, box(0, "test", 3))], "validation", "no validation box"),
        ([model(2, box(0, "test", 3), agglomerates=True)], None, "no figure compares"),
    ):
        with pytest.raises(ConfigError, match=what):
            side_by_side([one, *others], role)  # type: ignore[arg-type]


def test_the_table_has_all_of_it() -> None:
    one, other = (model(n, *(box(b, "test", n + 1) for b in range(3))) for n in (1, 2))
    header, *rows = side_by_side([one, other]).rows()
    assert header == ("role", "box", "figure", "m v1", "m v2", "m v2 - m v1")
    assert len(rows) == len(side_by_side([one, other]).names) + 3 and all(len(row) == 6 for row in rows)
