"""Prediction through a server on the same computer beside prediction here, and a server with more clients than room.

``python benchmarks/remote.py`` starts ``napari-aitrain serve`` with a starter model in a process of its own. With
``--parts`` one chooses among:

- `overhead`: whole predictions through the server over the same ones here, in turns; with the same number of threads.
- `crowd`: 50 clients ask again and again for a minute. Every request must be answered, with a result or with *busy*.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from figures import Report, ratio, take_turns, use_threads

if TYPE_CHECKING:
    from napari_aitrain.models import Model

COLUMNS = ("part", "case", "value", "limit", "unit", "how")
PARTS = ("overhead", "crowd")
STARTER = "nuclei-2d"
CLIENTS = 50


@contextmanager
def server(model: str, threads: int, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """Serve a model in a process of its own; gives its address and the process."""
    program = [sys.executable, "-m", "napari_aitrain", "serve", model, "--port", "0", "--json", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        try:
            yield said["url"], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def nuclei(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return an image of discs, float32, about one per 40 × 40 pixels."""
    generator = np.random.default_rng(seed)
    image = generator.normal(0.1, 0.05, shape).astype(np.float32)
    y, x = np.mgrid[:17, :17] - 8
    disc = (np.hypot(y, x) < 8).astype(np.float32)
    for _ in range(shape[0] * shape[1] // 1600):
        top, left = (int(generator.integers(0, n - 17)) for n in shape)
        image[top : top + 17, left : left + 17] += disc * generator.uniform(0.5, 1)
    return image


def measure_overhead(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Measure whole predictions, there and here."""
    from napari_aitrain.inference import predict_volume
    from napari_aitrain.inference.planning import make_network
    from napari_aitrain.inference.remote import add_remote, parse_remote
    from napari_aitrain.models import find_model
    from napari_aitrain.volumes import Volume

    threads = use_threads(chosen.threads)
    with server(chosen.model, threads) as (url, process):
        here, far = find_model(chosen.model), add_remote("far", parse_remote({"url": url, "waiting": {"read": 600}}))
        networks = {model.folder: make_network(model) for model in (here, far)}

        def predict(model: Model, image: Volume, used: list[float]) -> None:
            store = folder / "store"
            shutil.rmtree(store, ignore_errors=True)
            began = _processor(process)
            predict_volume(model, image, store, network=lambda: networks[model.folder])
            used.append(_processor(process) - began)

        for case, side in {"one block": 1024, "blocks": 3 * 1024}.items():
            image = Volume.from_array(nuclei((side, side)), axes="yx")
            used: dict[str, list[float]] = {"there": [], "here": []}
            works = {name: partial(predict, model, image, used[name]) for name, model in
                     (("there", far), ("here", here))}  # fmt: skip
            seconds = take_turns(works, chosen.rounds)
            report.add(part="overhead", case=case, value=ratio(seconds["there"], seconds["here"]), limit=1.10,
                       unit="there / here", how=f"whole prediction of {side}² pixels, {threads} threads, median of "
                       f"{chosen.rounds}", here=min(seconds["here"]), there=min(seconds["there"]))  # fmt: skip
            report.add(part="overhead", case=f"{case}, processor", value=ratio(used["there"][1:], used["here"][1:]),
                       limit=1.10, unit="there / here", how="processor time of both processes, which other work on the "
                       "machine changes little", here=min(used["here"]), there=min(used["there"]))  # fmt: skip


def _processor(process: psutil.Process) -> float:
    """Return seconds of processor time of this process and the server."""
    return sum(sum(one.cpu_times()[:2]) for one in (psutil.Process(), process))


class Crowd:
    """Clients that ask again and again."""

    def __init__(self, url: str, body: bytes, until: float) -> None:
        self.url, self.body, self.until = url, body, until
        self.told: Counter[str] = Counter()
        self.longest = 0.0
        self.lock = threading.Lock()

    def run(self, clients: int) -> None:
        """Ask by so many clients until the end."""
        threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self) -> None:
        import httpx

        with httpx.Client(timeout=120, trust_env=False) as client:
            while time.monotonic() < self.until:
                began = time.monotonic()
                try:
                    answer = client.post(f"{self.url}/segmentation", files={"image": self.body})
                except httpx.TransportError as error:
                    self._count(f"lost: {type(error).__name__}", began)
                    continue
                good = answer.status_code == 200 and answer.content[:4] in (b"II*\0", b"MM\0*")
                busy = answer.status_code == 503 and "Retry-After" in answer.headers
                self._count("answered" if good else "busy" if busy else f"lost: status {answer.status_code}", began)
                if busy:
                    time.sleep(0.2)

    def _count(self, what: str, began: float) -> None:
        with self.lock:
            self.told[what] += 1
            self.longest = max(self.longest, time.monotonic() - began)


def measure_crowd(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Ask a server by more clients than it has room for."""
    import io

    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, (nuclei((256, 256)) * 100).clip(0, 255).astype(np.uint8))
    with server(chosen.model, use_threads(chosen.threads)) as (url, process):
        Crowd(url, buffer.getvalue(), time.monotonic() + 2).run(1)
        before, peak, done = process.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.1):
                peak[0] = max(peak[0], process.memory_info().rss)

        watching = threading.Thread(target=watch)
        watching.start()
        crowd = Crowd(url, buffer.getvalue(), time.monotonic() + chosen.seconds)
        crowd.run(chosen.clients)
        done.set()
        watching.join()
    lost = sum(count for what, count in crowd.told.items() if what.startswith("lost"))
    how = f"{chosen.clients} clients for {chosen.seconds:g} s, images of 256²"
    report.add(part="crowd", case="lost", value=lost, limit=0, unit="requests", how=how, told=dict(crowd.told))
    report.add(part="crowd", case="answered", value=crowd.told["answered"], unit="requests", how=how)
    report.add(part="crowd", case="busy", value=crowd.told["busy"], unit="requests", how=how)
    report.add(part="crowd", case="memory", value=(peak[0] - before) / 2**20, limit=256, unit="MiB more",
               how=f"resident memory of the server over that with one client, {before / 2**20:.0f} MiB")  # fmt: skip
    report.add(
        part="crowd", case="longest", value=crowd.longest, unit="s", how="until a request was answered, or told busy"
    )


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", default=STARTER)
    parser.add_argument("--threads", type=int, default=None, help="of here and of the server; the cores")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    report = Report("remote", COLUMNS)
    measures = {"overhead": measure_overhead, "crowd": measure_crowd}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        os.environ["AITRAIN_HOME"] = str(Path(place) / "home")
        for part in chosen.parts:
            measures[part](report, chosen, Path(place))
    report.close()


if __name__ == "__main__":
    main()
