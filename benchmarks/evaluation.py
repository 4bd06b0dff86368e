"""How fast objects are compared with ground truth, and whether scores of objects can be trusted on unseen images.

``python benchmarks/evaluation.py`` compares 10,000 objects: judging them, keeping the result, reading it, and all
figures with intervals. ``--scores`` trains on nuclei (``--images``, ``--budget`` seconds, per ``--seeds``), evaluates
on the 72 images that are kept out, and tells the AUROC of scores for objects that fit closely (IoU ≥ 0.75), and the
expected calibration error. Prints one JSON line per run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data import training_and_test, write_folders

SIDE = 26
"""Pixels from one object to the next."""


def many_objects(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Return labels of discs and a prediction of them that is moved, lacks some, and merges some."""
    rng, n = np.random.default_rng(seed), round(count**0.5)
    rows, columns = np.indices((n * SIDE, n * SIDE)) % SIDE - SIDE // 2
    numbers = np.kron(np.arange(1, n * n + 1).reshape(n, n), np.ones((SIDE, SIDE), np.int64))
    radius = rng.uniform(6, 13, n * n + 1)[numbers]
    truth = np.where(rows**2 + columns**2 < radius**2, numbers, 0).astype(np.int32)[None]
    table = np.arange(n * n + 1)
    table[rng.random(n * n + 1) < 0.1] = 0
    joined = rng.random(n * n + 1) < 0.05
    table[joined] = np.maximum(table[joined] - 1, 0)
    found = np.roll(table[truth], 1, axis=2).astype(np.int32)
    return found, truth


def compare(count: int, boxes: int) -> dict[str, float]:
    """Return seconds to judge and keep objects in so many boxes, and to read them and make all figures."""
    from napari_aitrain.evaluation.box_judge import judge_box
    from napari_aitrain.evaluation.box_records import BoxArrays, BoxRecord, as_bytes, as_small, write_box
    from napari_aitrain.evaluation.box_results import (
        EVALUATION,
        BoxResult,
        EvaluatedModel,
        ModelEvaluation,
        read_evaluation,
        write_evaluation,
    )
    from napari_aitrain.evaluation.figures import best_threshold, figures, threshold_curve, trust
    from napari_aitrain.tasks.protocol import Objects

    model = EvaluatedModel(name="m", version=1, folder="", task="instances", instances=True, dims=2, threshold=0.3)
    made = []
    for number in range(boxes):
        found, truth = many_objects(count // boxes, number)
        scores = np.random.default_rng(number).random(int(found.max()) + 1).astype(np.float32)
        made.append((Objects(found, scores, np.zeros((0, 0), np.float32), extra={"dims": 2}), truth))
    objects = sum(len(np.unique(truth)) - 1 for _, truth in made)
    with tempfile.TemporaryDirectory() as place:
        folder, began = Path(place), time.perf_counter()
        results, errors = [], []
        for number, (one, truth) in enumerate(made):
            judged = judge_box(one, truth, model.threshold)
            box = BoxResult(
                number=number, role="test", name=f"{number}", source="", labels="", start=(0, 0, 0), stop=truth.shape,
                magnification=(1, 1, 1), voxels=truth.size, **judged.sums,
            )  # fmt: skip
            wrong = judged.errors(number, (0, 0, 0), (1, 1, 1))
            arrays = BoxArrays(as_bytes(np.zeros((1, *truth.shape), np.float32)), as_small(judged.shown),
                               as_small(judged.truth), one.scores)  # fmt: skip
            write_box(folder, BoxRecord(key="", result=box, errors=tuple(wrong)), arrays)
            results.append(box)
            errors += wrong
        write_evaluation(folder / EVALUATION, ModelEvaluation(model=model, boxes=tuple(results), errors=tuple(errors)))
        judged_in = time.perf_counter() - began
        read = read_evaluation(folder)
        figures(read.of_role("test"))
        threshold_curve(read, "test")
        trust(read, "test")
        best_threshold(read)
        whole = time.perf_counter() - began
    return {"objects": objects, "boxes": boxes, "judge_seconds": round(judged_in, 3), "seconds": round(whole, 3)}


def scores(chosen: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train, evaluate on images that were kept out, and return how far scores can be trusted."""
    from napari_aitrain import evaluate_model, train
    from napari_aitrain.evaluation.figures import figures, trust
    from napari_aitrain.models import find_model
    from napari_aitrain.training.config_file import parse_config

    training, testing = training_and_test(chosen.data)
    training = training[: chosen.images or None]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_folders(training, folder / "train")
        write_folders(testing, folder / "test")
        source = {"image": folder / "train" / "images", "labels": folder / "train" / "labels"}
        settings = {"task": "instances", "dims": 2, "minutes": chosen.budget / 60, "seed": seed,
                    "start_from": chosen.start_from}  # fmt: skip
        model: Any = chosen.start_from
        if chosen.budget:
            model = train(parse_config({"sources": [source], **settings}), out=folder / "job").model
        found = evaluate_model(
            model, image=folder / "test" / "images", labels=folder / "test" / "labels", out=folder / "evaluation"
        )
        calibration = find_model(model).card.calibration or {}
        sure = trust(found, "test")
        assert sure is not None
        known = figures(found.of_role("test"))
        low, high = known["f1_50"].interval or (None, None)
        return {
            "data": Path(chosen.data).name, "images": len(training), "budget": chosen.budget, "seed": seed,
            "start": chosen.start_from, "test_images": len(testing), "objects": int(known["n_truth"].value),
            "f1": round(known["f1_50"].value, 4), "f1_low": low, "f1_high": high, "auroc": sure.auroc,
            "auroc_75": sure.auroc_close, "ece": round(sure.error, 4), "calibration": calibration.get("kind"),
            "fitted_on": calibration.get("objects"), "bins": sure.bins,
        }  # fmt: skip


def main() -> None:
    """Measure, and print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--boxes", type=int, nargs="*", default=[1, 20])
    parser.add_argument("--scores", action="store_true", help="train, and measure how far scores can be trusted")
    parser.add_argument("--data", default="dsb", help="dsb, maize, or a folder that holds images/ and labels/")
    parser.add_argument("--images", type=int, default=20, help="training images; 0 means all")
    parser.add_argument("--budget", type=float, default=60, help="seconds of training; 0: a starter model as it is")
    parser.add_argument("--start-from", default="scratch", help="scratch, auto, a starter model or a model's folder")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    chosen = parser.parse_args()
    if chosen.scores:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        for seed in chosen.seeds:
            print(json.dumps(scores(chosen, seed)), flush=True)
        return
    compare(400, 1)
    for boxes in chosen.boxes:
        print(json.dumps(compare(chosen.objects, boxes)), flush=True)


if __name__ == "__main__":
    main()
