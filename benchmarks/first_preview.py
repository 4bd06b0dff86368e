"""Seconds from "the worker has the job" to the first preview, of a warm worker and of a cold one.

``python benchmarks/first_preview.py`` trains on a made-up image of 512 × 512 pixels: instances from its full labels,
and foreground against background from a few strokes. Every run has a worker of its own; a warm one has imported
torch and waits, a cold one is started with the job. The figure of each is the median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from figures import Report
from strokes import simulate_strokes

if TYPE_CHECKING:
    from napari_aitrain.jobs import JobFolder, Worker

COLUMNS = ("task", "worker", "seconds", "slowest", "runs")
SIZE = 512
IDLE = 0.02
"""Seconds of processor time per half second; a warm worker that uses less is ready."""


def make_job(task: str, folder: Path) -> JobFolder:
    """Return a new job; 'semantic' gets 30 strokes, 'instances' all objects."""
    from napari_aitrain.jobs import JobFolder
    from napari_aitrain.jobs.given import config_from
    from napari_aitrain.samples import nuclei_2d

    sample = nuclei_2d(size=SIZE, count=280)
    labels = sample.labels
    settings: dict[str, Any] = {"task": task, "minutes": 1.0, "voxel_size": sample.voxel_size}
    if task == "semantic":
        labels = simulate_strokes((labels > 0).astype(int), sections=1, length=30) + 1
        settings["sparse"] = True
    return JobFolder.create(config_from(sample.image[0, 0], labels[0], None, folder, settings), folder)


def wait_until_warm(worker: Worker) -> None:
    """Wait until a worker without a job has had nothing to do for two seconds, after its imports."""
    process = psutil.Process(worker.process.pid)
    before, idle = 0.0, 0
    while idle < 4:
        time.sleep(0.5)
        used = sum(process.cpu_times()[:2])
        idle = idle + 1 if used > 1 and used - before < IDLE else 0
        before = used


def first_preview(job: JobFolder, warm: bool, limit: float) -> float:
    """Return the seconds from giving a job to a worker until its first preview."""
    from napari_aitrain.jobs import Worker

    if warm:
        worker = Worker()
        wait_until_warm(worker)
        begun = time.time()
        worker.run(job, at_once=True)
    else:
        begun = time.time()
        worker = Worker(job, at_once=True)
    try:
        while time.time() - begun < limit:
            for event in job.events():
                if event.kind == "preview":
                    return event.time - begun
                if event.kind == "failed":
                    raise SystemExit(f"the job failed: {event.data}")
            time.sleep(0.02)
        raise SystemExit(f"no preview within {limit} seconds; see {job.log}")
    finally:
        worker.process.kill()
        worker.close()


def main() -> None:
    """Measure both tasks with both kinds of worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", choices=("instances", "semantic"), default=["instances", "semantic"])
    parser.add_argument("--limit", type=float, default=120, help="seconds to wait for a preview")
    chosen = parser.parse_args()
    report = Report("first_preview", COLUMNS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["AITRAIN_HOME"] = str(Path(folder) / "home")
        seconds: dict[tuple[str, str], list[float]] = {}
        for run in range(chosen.runs):
            for task in chosen.tasks:
                for kind in ("warm", "cold"):
                    job = make_job(task, Path(folder) / f"{task}-{kind}-{run}")
                    seconds.setdefault((task, kind), []).append(first_preview(job, kind == "warm", chosen.limit))
    for (task, kind), found in seconds.items():
        middle, slowest = statistics.median(found), max(found)
        report.add(task=task, worker=kind, seconds=middle, slowest=slowest, runs=len(found))
    report.close()


if __name__ == "__main__":
    main()
