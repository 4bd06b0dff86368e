"""An evaluation of a few small boxes, with an object of each outcome, as its job leaves it on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_records import BoxArrays, BoxRecord, as_bytes, as_small, write_box
from napari_aitrain.evaluation.box_results import (
    EVALUATION,
    BoxResult,
    Caution,
    EvaluatedModel,
    ModelEvaluation,
    TrainingUse,
    read_evaluation,
    write_evaluation,
)
from napari_aitrain.tasks.protocol import Objects

NO_FEATURES = np.zeros((0, 0), np.float32)
MODEL = EvaluatedModel(name="m", version=1, folder="/nowhere", task="instances", instances=True, dims=2, threshold=0.5)
USED = TrainingUse(
    images=3, included=2, boxes={"train": 4, "test": 2}, objects={"train": 90, "test": 40}, voxels={"train": 9000},
    objects_per_image=45, classes=("objects",), notes="Validation is a box of its own.", warnings=("Few objects.",),
)  # fmt: skip


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and truth with one object of each outcome: 1 right, 2+3 split, 6 merged, 9 false, 7 missed."""
    truth, found = np.zeros((1, 24, 40), np.int32), np.zeros((1, 24, 40), np.int32)
    truth[0, 2:8, 2:8] = found[0, 2:8, 2:8] = 1
    truth[0, 2:8, 10:16] = 2
    found[0, 2:8, 10:13], found[0, 2:8, 13:16] = 2, 3
    truth[0, 2:8, 20:25], truth[0, 2:8, 25:30], found[0, 2:8, 20:30] = 4, 5, 6
    truth[0, 12:16, 2:6] = 7
    found[0, 12:16, 20:26] = 9
    return found, truth


def scored(found: np.ndarray, **more: Any) -> Objects:
    """Return objects whose scores rise with their ids."""
    return Objects(found, np.linspace(0, 1, int(found.max()) + 1, dtype=np.float32), NO_FEATURES, **more)


def box_of(number: int, role: str, sums: dict[str, Any], **changes: Any) -> BoxResult:
    """Return the result of a box; boxes lie side by side."""
    given = {
        "number": number, "role": role, "name": f"box {number}", "source": "image.tif", "labels": "labels.tif",
        "start": (0, 0, 100 * number), "stop": (1, 24, 100 * number + 40), "magnification": (1, 1, 1), "voxels": 960,
    }  # fmt: skip
    return BoxResult(**{**given, **changes}, **sums)


def write_example(folder: Path, **changes: Any) -> ModelEvaluation:
    """Write an evaluation of four boxes, of which that for training is perfect, and read it back."""
    found, truth = scene()
    folder.mkdir(parents=True, exist_ok=True)
    boxes, errors = [], []
    for number, role in enumerate(("train", "validation", "test", "test")):
        judged = judge_box(scored(truth if role == "train" else found), truth, 0.0)
        box = box_of(number, role, judged.sums, **changes)
        wrong = judged.errors(number, box.start, box.magnification)
        image = np.random.default_rng(0).random((1, 1, 24, 40), np.float32)
        arrays = BoxArrays(as_bytes(0.5 * image + 0.5 * (truth > 0)), as_small(judged.shown), as_small(judged.truth),
                           np.ones(10, np.float32))  # fmt: skip
        write_box(folder, BoxRecord(key="k", result=box, errors=tuple(wrong)), arrays)
        boxes.append(box)
        errors += wrong
    errors.sort(key=lambda error: -error.wrong)
    caution = Caution(code="few-test-boxes", message="The test set has 2 boxes only.", remedy="Label more.")
    made = ModelEvaluation(model=MODEL, training=USED, boxes=tuple(boxes), errors=tuple(errors), warnings=(caution,))
    write_evaluation(folder / EVALUATION, made)
    return read_evaluation(folder)
