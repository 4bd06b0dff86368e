"""Mitochondria after a given time: 15 slices of em-mitochondria-cdeep3m to learn from, 5 others to be measured on.

``python benchmarks/em_instances.py --minutes 15`` prints one JSON line. The ground truth is binary: connected pieces of
every slice count as objects, of the ground truth and, where the prediction is 3-D, of each predicted object. The data
set does not say its voxel size; 40 × 10 × 10 nm is assumed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from data import data_folder
from quality import _figures

TRAIN_SLICES = 15


def write_parts(folder: Path) -> None:
    """Write image and labels of the training and of the test slices."""
    source = data_folder("em-mitochondria-cdeep3m")
    for kind, name in (("image", "image.tif"), ("labels", "labels_binary.tif")):
        stack = tifffile.imread(source / name)
        tifffile.imwrite(folder / f"train-{kind}.tif", stack[:TRAIN_SLICES], metadata={"axes": "ZYX"})
        tifffile.imwrite(folder / f"test-{kind}.tif", stack[TRAIN_SLICES:], metadata={"axes": "ZYX"})


def measure(predicted: Path, truth: Path) -> dict[str, float]:
    """Return IoU of the foreground and F1 of objects, slice by slice, all slices together."""
    from napari_aitrain.tasks.maps import connected_pieces, unique_over_slices
    from napari_aitrain.tasks.tally import InstanceTally

    found = tifffile.imread(predicted).astype(np.int32).reshape(tifffile.imread(truth).shape)
    pieces = np.stack([connected_pieces(plane > 0, corners=True) for plane in tifffile.imread(truth)])
    figures = InstanceTally.count(unique_over_slices(found), unique_over_slices(pieces)).metrics()
    return {key: round(figures[key], 4) for key in ("iou", "f1_50", "precision", "recall", "n_truth", "n_prediction")}


def main() -> None:
    """Train, predict, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--dims", choices=("auto", "2", "3"), default="auto")
    parser.add_argument("--max-distance", type=float, default=800, help="nm")
    parser.add_argument("--voxel-size", default="40,10,10", help="nm, z, y, x")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the training"
    )
    chosen = parser.parse_args()
    program: list[Any] = [sys.executable, "-m", "napari_aitrain"]
    size = ["--voxel-size", chosen.voxel_size]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder)
        data = ["--image", folder / "train-image.tif", "--labels", folder / "train-labels.tif", *size]
        how = ["--task", "em-instances", "--max-distance", chosen.max_distance, "--dims", chosen.dims]
        limits = ["--minutes", chosen.minutes, "--seed", chosen.seed, "--set", f"threads={chosen.threads}"]
        settings = [part for setting in chosen.set for part in ("--set", setting)]
        command = [*program, "train", *data, *how, *limits, *settings, "--out", folder / "job", "--json"]
        trained = _figures([*command, "--when-busy", "run"], chosen.threads)
        begun = time.perf_counter()
        out = folder / "out.tif"
        predict = [*program, "predict", folder / "job" / "model", folder / "test-image.tif", *size]
        _figures([*predict, "--out", out, "--json"], chosen.threads)
        seconds = round(time.perf_counter() - begun, 1)
        figures = measure(out, folder / "test-labels.tif")
        ran = {key: trained.get(key) for key in ("steps", "seconds", "best", "device")}
        print(json.dumps({**vars(chosen), **figures, **ran, "predict_seconds": seconds}))


if __name__ == "__main__":
    main()
