"""Peak resident memory while a volume that is larger than memory is predicted on the command line.

``python benchmarks/memory.py`` trains a small 2-D network on a made-up image of scattered nuclei for some seconds,
writes a zarr of 8 GiB that repeats this image, and predicts it while the resident memory of the process and its
children is watched. ``--gib 0.25`` for a quick try.
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
import numpy.typing as npt
import psutil
import zarr

from figures import Report

COLUMNS = ("gib", "shape", "peak_gib", "seconds", "mvoxel_per_second", "objects", "output_gib")
PATTERN, PLANE = 1024, 8192
NUCLEI = 60
EVERY = 0.05
GIB = 2**30


def write_volume(path: Path, pattern: npt.NDArray[np.float32], gib: float) -> tuple[int, int, int]:
    """Write a zarr of about `gib` GiB of float32 chunk by chunk; return its shape (z, y, x).

    Sections are shifted against each other, so that no two chunks hold the same.
    """
    side = PLANE if gib >= PLANE**2 * 4 / GIB else PATTERN * 2
    shape = (max(1, round(gib * GIB / (4 * side**2))), side, side)
    chunk = (1, PATTERN, PATTERN)
    array: Any = zarr.create_array(path, shape=shape, chunks=chunk, dtype="float32", dimension_names=("z", "y", "x"))
    for z in range(shape[0]):
        for y in range(0, side, PATTERN):
            for x in range(0, side, PATTERN):
                moved = np.roll(pattern, (37 * z + y // PATTERN * 101, 53 * z + x // PATTERN * 67), (0, 1))
                array[z, y : y + PATTERN, x : x + PATTERN] = moved
    return shape


def train_model(pattern: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], steps: int, folder: Path) -> Path:
    """Train for some steps, so that what is decoded are nuclei and not noise; return the model."""
    from napari_aitrain.api import train

    return train(image=pattern, labels=labels, dims="2", network="small", steps=steps, out=folder).model


def watch(command: list[str], log: Path) -> tuple[int, float]:
    """Run a command; return the largest sum in bytes of what it and its children held, and its seconds."""
    begun, most = time.perf_counter(), 0
    with open(log, "wb") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most = max(most, _resident(process))
            time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
    return most, time.perf_counter() - begun


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return total


def main() -> None:
    """Make the volume, predict it and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=8.0, help="size of the volume")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--folder", type=Path, help="where to put volume and output (several times --gib)")
    chosen = parser.parse_args()
    from napari_aitrain.samples import nuclei_2d

    report = Report("memory", COLUMNS)
    sample = nuclei_2d(size=PATTERN, count=NUCLEI)
    pattern = sample.image[0, 0].astype(np.float32)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as temporary:
        folder = Path(temporary)
        os.environ["AITRAIN_HOME"] = str(folder / "home")
        model = train_model(pattern, sample.labels[0], chosen.steps, folder / "job")
        shape = write_volume(folder / "volume.zarr", pattern, chosen.gib)
        out, log = folder / "out.ome.zarr", folder / "log.txt"
        program = [sys.executable, "-m", "napari_aitrain", "predict", str(model), str(folder / "volume.zarr")]
        most, seconds = watch([*program, "--out", str(out), "--json"], log)
        voxels = int(np.prod(shape, dtype=np.int64))
        report.add(
            gib=voxels * 4 / GIB,
            shape="x".join(map(str, shape)),
            peak_gib=most / GIB,
            seconds=seconds,
            mvoxel_per_second=voxels / seconds / 1e6,
            objects=_objects(log.read_text(encoding="utf-8")),
            output_gib=sum(path.stat().st_size for path in folder.glob("out*/**/*") if path.is_file()) / GIB,
        )
    report.close()


def _objects(printed: str) -> int:
    found: dict[str, Any] = json.loads(printed[printed.index("{") :])
    return int(found["images"][0]["objects"])


if __name__ == "__main__":
    main()
