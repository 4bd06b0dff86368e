"""Prediction of a volume far larger than memory: its memory, its speed beside the bare network, and its stitching.

``python benchmarks/large.py`` trains a small 3-D network on made-up balls and predicts parts of a volume of 64 GiB
whose voxels are computed when they are read. ``--parts`` chooses among:

- `plan`: all blocks of the 64 GiB are planned, ordered and recorded, with no work in them.
- `memory`: a part is predicted, once in order and once from its middle, while the resident memory is watched.
- `pipeline`: the same, over the network alone on blocks of the same shape, per voxel that it is given.
- `workers`: two workers of one thread over one.
- `stitched`: blocks against one whole pass.
- `bytes`: bytes of chunks that are decoded over those that the blocks need with their halos, of a zarr.
- `merging`: memory per piece of the global union-find.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures import Report, ratio
from large_volume import GIB, Resident, Virtual, draw_balls, null_pieces

if TYPE_CHECKING:
    from napari_aitrain.inference import StoredPrediction
    from napari_aitrain.models import Model

COLUMNS = ("part", "value", "limit", "unit", "how")
PARTS = ("plan", "memory", "pipeline", "workers", "stitched", "bytes", "merging")
WHOLE = (4096, 4096, 4096)


class Bench:
    """A model, a place for outputs, and the report."""

    def __init__(self, folder: Path, chosen: argparse.Namespace) -> None:
        self.root, self.folder, self.chosen, self.report = folder, folder, chosen, Report("large", COLUMNS)
        self._model: Model | None = None
        self._count = 0

    @property
    def model(self) -> Model:
        """The network, trained when it is first asked for, so that what is decoded are balls and not noise."""
        from napari_aitrain.api import load_model, train

        if self._model is None and self.chosen.model is not None:
            self._model = load_model(self.chosen.model)
        if self._model is None:
            image, labels = draw_balls()
            out = self.root / "job"
            self._model = train(
                image=image, labels=labels, dims="3", network="small", steps=self.chosen.steps, out=out
            ).load()
            if self.chosen.keep is not None:
                shutil.copytree(self._model.folder, self.chosen.keep)
        return self._model

    def predict(self, image: Any, **settings: Any) -> StoredPrediction:
        """Predict into a new folder."""
        from napari_aitrain.inference import predict_volume

        self._count += 1
        return predict_volume(self.model, image, self.folder / f"p{self._count}", **settings)

    def region(self, share: float = 1.0) -> Any:
        """Return a region of the whole volume, of the extent that was chosen."""
        from napari_aitrain.geometry import Region

        z, y, x = self.chosen.extent
        return Region.from_shape((round(z * share), y, x), (1000, 1000, 1000))


def virtual() -> Any:
    """Return the volume of 64 GiB."""
    from napari_aitrain.volumes import Volume

    return Volume.from_array(Virtual(WHOLE), name="virtual", axes="zyx")


@contextmanager
def stage_times() -> Iterator[Counter[str]]:
    """Add up the seconds of a thread that each stage takes."""
    from napari_aitrain.inference.stages import Stages

    times: Counter[str] = Counter()
    original = Stages.do

    def timed(self: Any, block: Any) -> Any:
        began = time.thread_time()
        filled = original(self, block)
        times[block.stage] += time.thread_time() - began
        return filled

    Stages.do = timed  # type: ignore[method-assign]
    try:
        yield times
    finally:
        Stages.do = original  # type: ignore[method-assign]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a work, and those of all threads of this process meanwhile."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent


def plan(bench: Bench) -> None:
    """Go through all blocks of the whole volume without work in them."""
    from concurrent.futures import Future

    from napari_aitrain.inference.image import prepare_image
    from napari_aitrain.inference.manifest import Manifest
    from napari_aitrain.inference.planning import make_network, plan_prediction
    from napari_aitrain.inference.stages import Stages
    from napari_aitrain.inference.work import Work

    class Idle:
        slots = 2

        def submit(self, block: Any) -> Future[None]:
            future: Future[None] = Future()
            future.set_result(None)
            return future

        def abandon(self, futures: Any) -> None:
            """Nothing is under way."""

    volume, model = virtual(), bench.model
    info = plan_prediction(model, model.task(), make_network(model), prepare_image(model, volume), volume.region, None)
    stages = Stages(bench.folder, info, model.task())
    sync, os.fsync = os.fsync, lambda handle: None
    before, began = Resident.now(), time.perf_counter()
    try:
        work = Work(stages, Idle(), Manifest(bench.folder / "blocks.jsonl", stages.sizes))
        work.run(stages.phases((2048, 2048, 2048)))
    finally:
        os.fsync = sync
    seconds, blocks = time.perf_counter() - began, sum(stages.sizes.values())
    bench.report.add(part="plan", value=seconds / blocks * 1e3, unit="ms per block", how=f"{blocks} blocks")
    bench.report.add(part="plan", value=(Resident.now() - before) / GIB, limit=0.1, unit="GiB", how="growth")


def memory(bench: Bench) -> None:
    """Predict a part while the resident memory is watched."""
    bench.predict(virtual(), region=bench.region(0.25))
    for how, near in (("in order", None), ("from the middle", (1064, 1256, 1256))):
        with Resident() as resident:
            bench.predict(virtual(), region=bench.region(), near=near)
        bench.report.add(part="memory", value=resident.peak / GIB, limit=2.5, unit="GiB", how=f"peak, {how}")
        bench.report.add(
            part="memory", value=resident.slope() * 60 / GIB, limit=0.0, unit="GiB per minute",
            how=f"slope over {resident.seconds:.0f} s, {how}",
        )  # fmt: skip


def pipeline(bench: Bench) -> None:
    """Compare with the network alone, and tell the share of each stage."""
    import torch

    from napari_aitrain.inference.estimating import seen_voxels
    from napari_aitrain.inference.grid import Grid
    from napari_aitrain.inference.planning import make_network

    network = make_network(bench.model)
    stored = bench.predict(virtual(), region=bench.region())
    info = stored.info
    tile = max(Grid(info.shape, info.network_block, info.halo), key=lambda one: one.outer.size).outer.shape
    shape = [n // m * m for n, m in zip(tile, info.multiple, strict=True)]
    batch = torch.randn(1, 1, *shape)
    given = seen_voxels(Grid(info.shape, info.network_block, info.halo))

    def bare() -> None:
        for _ in range(3):
            network(batch)

    share = given / (3 * batch.numel())
    with stage_times() as times:
        rounds = [
            (timed(bare), timed(lambda: bench.predict(virtual(), region=bench.region())))
            for _ in range(bench.chosen.rounds)
        ]
    for place, unit in enumerate(("of the bare speed", "of the bare speed, by processor time")):
        value = ratio([one[place] for one, _ in rounds], [two[place] for _, two in rounds], share)
        bench.report.add(part="pipeline", value=value, limit=0.75, unit=unit, how="halos counted for both")
    total = sum(times.values())
    for stage, took in times.items():
        bench.report.add(part="pipeline", value=took / total, unit="of the processor", how=stage)
    took_up = sum(times[stage] for stage in ("faces", "merging", "stitching")) / total
    bench.report.add(part="stitching", value=took_up, limit=0.05, unit="of the processor", how="faces to final ids")


def workers(bench: Bench) -> None:
    """Compare two workers of one thread with one."""

    def time_of(count: int) -> float:
        times: list[float] = []
        bench.predict(
            virtual(), region=bench.region(), scheduler="local", workers=count,
            progress=lambda done, total, stage: times.append(time.perf_counter()),
        )  # fmt: skip
        return times[-1] - times[0]

    rounds = [(time_of(1), time_of(2)) for _ in range(bench.chosen.rounds)]
    value = ratio([one for one, _ in rounds], [two for _, two in rounds])
    bench.report.add(part="workers", value=value, limit=1.8, unit="× one worker", how="first to last block")


def stitched(bench: Bench) -> None:
    """Compare blocks with one whole pass over a region that fits into one."""
    from napari_aitrain.geometry import Region
    from napari_aitrain.tasks.matching import Overlap
    from napari_aitrain.tasks.voi import Contingency

    region = Region.from_shape((128, 256, 256), (1000, 1000, 1000))
    whole = bench.predict(virtual(), region=region, block_shape=region.shape).labels(threshold=0)
    blocks = bench.predict(virtual(), region=region, block_shape=(64, 96, 96))
    labels = blocks.labels(threshold=0)
    overlap = Overlap.count(labels, whole)
    true = len(overlap.match(0.5)[0])
    ap = true / (overlap.n_truth + overlap.n_prediction - true)
    arand = Contingency.count(labels, whole).agreement().metrics()["arand"]
    how = f"{overlap.n_truth} objects, blocks of {blocks.info.decode_block}"
    bench.report.add(part="stitched", value=ap, limit=0.99, unit="AP50", how=how)
    bench.report.add(part="stitched", value=arand, limit=0.004, unit="adapted Rand error", how=how)


def bytes_read(bench: Bench) -> None:
    """Count what is decoded of a zarr with chunks of 64³."""
    import zarr

    from napari_aitrain.inference.estimating import seen_voxels
    from napari_aitrain.inference.grid import Grid
    from napari_aitrain.volumes import open_volume
    from napari_aitrain.volumes.counting import read_counts

    path, shape = bench.folder / "image.zarr", bench.chosen.extent
    array = zarr.create_array(path, shape=shape, chunks=(64, 64, 64), dtype="uint8", dimension_names=("z", "y", "x"))
    for z in range(0, shape[0], 64):
        array[z : z + 64] = Virtual(WHOLE)[z : z + 64, : shape[1], : shape[2]]
    before = read_counts()
    info = bench.predict(open_volume(path)).info
    read = read_counts() - before
    needed = seen_voxels(Grid(info.shape, info.network_block, info.halo))
    how = "chunks decoded, over what the blocks see"
    bench.report.add(part="bytes", value=read.decoded / needed, limit=1.3, unit="× needed", how=how)
    value = read.decoded / np.prod(shape)
    bench.report.add(part="bytes", value=float(value), unit="× the volume", how="chunks decoded")


def merging(bench: Bench) -> None:
    """Join made-up pieces."""
    from napari_aitrain.inference.merging import Merging

    blocks = bench.chosen.pieces // 10_000
    null_pieces(bench.folder, blocks, 10_000)
    before = Resident.own()
    with Resident() as resident:
        began = time.perf_counter()
        merged = Merging(bench.folder, blocks).run()
        seconds = time.perf_counter() - began
    per_piece = (resident.peak_own - before) / (blocks * 10_000)
    how = f"{blocks * 10_000:,} pieces, {len(merged.size) - 1:,} objects, {seconds:.0f} s"
    bench.report.add(part="merging", value=per_piece, unit="bytes per piece", how=how)


def main() -> None:
    """Measure what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--extent", nargs=3, type=int, default=(128, 512, 512), help="z y x of what is predicted")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed")
    parser.add_argument("--pieces", type=int, default=10_000_000, help="of the union-find")
    parser.add_argument("--model", type=Path, help="a model to use instead of training one")
    parser.add_argument("--keep", type=Path, help="where to keep the model that was trained")
    parser.add_argument("--folder", type=Path, help="where to put outputs")
    chosen = parser.parse_args()
    chosen.extent = tuple(chosen.extent)
    works = {"bytes": bytes_read, **{name: getattr(sys.modules[__name__], name) for name in PARTS if name != "bytes"}}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as temporary:
        os.environ["AITRAIN_HOME"] = f"{temporary}/home"
        bench = Bench(Path(temporary), chosen)
        for name in chosen.parts:
            bench.folder = Path(temporary) / name
            bench.folder.mkdir()
            works[name](bench)
            shutil.rmtree(bench.folder)
        bench.report.close()


if __name__ == "__main__":
    main()
