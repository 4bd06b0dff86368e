"""Neurons on volumes of which a part was trained on: variation of information, adapted Rand error, V_rand and V_info.

``python benchmarks/neurons.py --data fib25`` trains on z 0–99 of em-neurons-fib25 and predicts z 100–149, as files of
their own; ``--data isbi`` trains on the first 15 slices of em-membranes-isbi2012 and predicts the last 5, slice by
slice. Everything is done on the command line as a person does; the last slices of what is trained on are for
validation, which locks the threshold. Prints a JSON line and a row of a table per data set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from data import data_folder


@dataclass(frozen=True)
class Case:
    """One data set: where it lies, how it is cut, and for how long it is trained on.

    Parameters
    ----------
    labels : str
        File of the ground truth.
    train, test : int
        Slices: the first ones are trained on, the last ones predicted.
    validation, gap : int
        Slices at the end of the first ones for validation, and slices before these that are left out.
    """

    folder: str
    labels: str
    voxel_size: str
    dims: str
    train: int
    test: int
    validation: int
    gap: int
    minutes: float


CASES = {
    "fib25": Case("em-neurons-fib25", "labels.tif", "10,10,10", "3", 100, 50, 16, 4, 30.0),
    "isbi": Case("em-membranes-isbi2012", "labels_cell255_membrane0.tif", "50,4,4", "2", 15, 5, 3, 0, 20.0),
}
SHOWN = ("voi_split", "voi_merge", "voi", "arand", "best_voi", "best_arand", "v_rand", "v_info")


def run(arguments: list[Any], threads: int) -> dict[str, Any]:
    """Run napari-aitrain with arguments and return the JSON object that it prints."""
    command = [sys.executable, "-m", "napari_aitrain", *map(str, arguments), "--json"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"failed with {done.returncode}: {' '.join(command)}\n{done.stdout}")
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return result


def write(case: Case, folder: Path) -> None:
    """Write the part to train on and the part to predict as files of their own, and boxes."""
    source = data_folder(case.folder)
    for kind, name in (("image", "image.tif"), ("labels", case.labels)):
        stack = tifffile.imread(source / name)
        for part, slices in (("train", stack[: case.train]), ("test", stack[-case.test :])):
            tifffile.imwrite(folder / f"{part}-{kind}.tif", np.ascontiguousarray(slices), metadata={"axes": "ZYX"})
    _, height, width = stack.shape
    last = case.train - case.validation
    roles = (("train", 0, last - case.gap), ("validation", last, case.train))
    boxes = [{"start": [low, 0, 0], "stop": [high, height, width], "role": role} for role, low, high in roles]
    (folder / "boxes.json").write_text(json.dumps(boxes))


def measure(case: Case, folder: Path, minutes: float, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train, predict and evaluate; return the figures, with the seconds that prediction took."""
    write(case, folder)
    train = ["--image", folder / "train-image.tif", "--labels", folder / "train-labels.tif"]
    train += ["--boxes", folder / "boxes.json", "--voxel-size", case.voxel_size, "--task", "neurons"]
    train += ["--dims", case.dims, "--minutes", minutes, "--seed", chosen.seed, "--out", folder / "job"]
    train += ["--start-from", "scratch"]
    for setting in chosen.set:
        train += ["--set", setting]
    trained = run(["train", *train], chosen.threads)
    begun = time.perf_counter()
    out = folder / "labels.tif"
    size = ["--voxel-size", case.voxel_size]
    run(["predict", folder / "job" / "model", folder / "test-image.tif", "--out", out, *size], chosen.threads)
    seconds = time.perf_counter() - begun
    found = run(["evaluate", out, folder / "test-labels.tif", "--task", "neurons"], chosen.threads)
    figures = {key: round(float(value), 4) for key, value in found.items() if isinstance(value, int | float)}
    return {"steps": trained.get("steps"), "predict_seconds": round(seconds, 1), **figures}


def main() -> None:
    """Measure the data sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--minutes", type=float, help="of training; 30 for fib25 and 20 for isbi if not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the training"
    )
    parser.add_argument("--keep", type=Path, help="folder to keep models and predictions in")
    chosen = parser.parse_args()
    rows = []
    for name in chosen.data:
        minutes = chosen.minutes or CASES[name].minutes
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) if chosen.keep is None else chosen.keep / name
            folder.mkdir(parents=True, exist_ok=True)
            figures = measure(CASES[name], folder, minutes, chosen)
        print(json.dumps({"data": name, "minutes": minutes, "seed": chosen.seed, **figures}), flush=True)
        rows.append([name, f"{minutes:g}", *(f"{figures.get(key, float('nan')):.3f}" for key in SHOWN)])
    header = ["data", "minutes", *SHOWN]
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
