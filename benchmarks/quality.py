"""Quality on images that were never trained on, after a given time, from a given number of images.

``python benchmarks/quality.py --budget 60 --images 20 --method aitrain`` prints one JSON line. The methods get the
same images and the same time: nuclei-dsb2018, split once and for all by `data.split_nuclei`, or others (``--data``).
With ``--budget 0 --start-from nuclei-2d`` a starter model is used as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data import read_folder, training_and_test, write_folders

PEERS = Path(__file__).parent / "peers"


def run_aitrain(train: Path, test: Path, out: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train and predict with this package, on the command line as a person does."""
    program: list[Any] = [sys.executable, "-m", "napari_aitrain"]
    sources = ["--image", train / "images", "--labels", train / "labels", "--task", "instances", "--dims", "2"]
    limits = ["--minutes", chosen.budget / 60, "--seed", chosen.seed, "--start-from", chosen.start_from]
    job = out.with_name("job")
    begun = time.perf_counter()
    if not chosen.budget:
        _figures([*program, "predict", chosen.start_from, test, "--out", out, "--json"], chosen.threads)
        return {"predict_seconds": time.perf_counter() - begun}
    trained = _figures([*program, "train", *sources, *limits, "--out", job, "--json"], chosen.threads)
    between = time.perf_counter()
    _figures([*program, "predict", job / "model", test, "--out", out, "--json"], chosen.threads)
    figures = {key: trained.get(key) for key in ("steps", "best", "precision")}
    return {**figures, "train_seconds": between - begun, "predict_seconds": time.perf_counter() - between}


def run_peer(script: str, train: Path, test: Path, out: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train and predict with a peer's script."""
    command: list[Any] = [sys.executable, PEERS / script, "--train", train, "--test", test, "--out", out]
    command += ["--budget", chosen.budget, "--seed", chosen.seed, "--threads", chosen.threads]
    if script.startswith("cellpose"):
        command += ["--env", chosen.cellpose_env]
    return _figures(command, chosen.threads)


def _figures(command: list[Any], threads: int) -> dict[str, Any]:
    """Run a command and return the last JSON object that it prints."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run([str(part) for part in command], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"failed with {done.returncode}: {' '.join(map(str, command))}\n{done.stdout}")
    text = "\n" + done.stdout
    result: dict[str, Any] = json.loads(text[text.rindex("\n{") :])
    return result


def score(predicted: Path, test: Path) -> dict[str, float]:
    """Return metrics over all test images together, and the mean AP50 per image."""
    from napari_aitrain.tasks.tally import InstanceTally

    found, truths = read_folder(predicted), read_folder(test / "labels")
    missing = sorted(set(truths) - set(found))
    if missing:
        raise SystemExit(f"no prediction of {missing}; there are {sorted(found)[:3]} …")
    tallies = [
        InstanceTally.count(found[name].astype(np.int32), truth.astype(np.int32)) for name, truth in truths.items()
    ]
    total = sum(tallies[1:], tallies[0]).metrics()
    figures = {key: round(total[key], 4) for key in ("ap50", "ap75", "ap_mean", "f1_50", "pq")}
    return figures | {"ap50_per_image": round(float(np.mean([t.metrics()["ap50"] for t in tallies])), 4)}


def main() -> None:
    """Run one method once and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", choices=("aitrain", "forest", "cellpose"), default="aitrain")
    parser.add_argument("--budget", type=float, default=60, help="seconds of training; 0 means none")
    parser.add_argument("--start-from", default="scratch", help="scratch, auto, a starter model or a model's folder")
    parser.add_argument("--data", default="dsb", help="dsb, maize, or a folder that holds images/ and labels/")
    parser.add_argument("--images", type=int, default=20, help="training images; 0 means all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--test-images", type=int, default=0, help="score on the first of them only; 0 means all")
    parser.add_argument(
        "--cellpose-env",
        type=Path,
        default=Path(tempfile.gettempdir()) / "aitrain-cellpose",
        help="folder of Cellpose's environment; made if it is not there",
    )
    chosen = parser.parse_args()
    training, testing = training_and_test(chosen.data)
    training, testing = training[: chosen.images or None], testing[: chosen.test_images or None]
    with tempfile.TemporaryDirectory() as folder:
        train, test, out = (Path(folder) / name for name in ("train", "test", "predicted"))
        write_folders(training, train)
        write_folders(testing, test)
        if chosen.method == "aitrain":
            figures = run_aitrain(train, test / "images", out, chosen)
        else:
            script = {"forest": "forest_watershed.py", "cellpose": "cellpose_scratch.py"}[chosen.method]
            figures = run_peer(script, train, test / "images", out, chosen)
        settings = {"method": chosen.method, "budget": chosen.budget, "images": len(training), "seed": chosen.seed}
        settings |= {"data": Path(chosen.data).name, "start": chosen.start_from}
        rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
        print(json.dumps({**settings, **score(out, test), **rounded, "test_images": len(testing)}))


if __name__ == "__main__":
    main()
