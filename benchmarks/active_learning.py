"""Whether labelling where the model is unsure pays: a simulated annotator, beside places that chance chooses.

``python benchmarks/active_learning.py --data dsb`` (or ``em``) labels some boxes by chance, trains, asks for the next
boxes, labels these, trains on from the last model, and so on. Each way of asking begins with the same boxes and the
same model per seed. What is asked for is found by the program's own `scan` and `choose`. Budgets are in steps, so that
results do not depend on what else the machine does. Quality is measured on images that are never asked about.

- ``random``: chance. All others but ``half`` leave nothing to chance (``random_share`` 0), and choose from the same
  places.
- ``margin``, ``augmentation``, ``ensemble``: uncertainty by which measure; *ensemble* takes the models of up to three
  rounds before, and margin while there is none.
- ``half``: margin, and every other place by chance, as the program does it unless it is told otherwise.
- ``margin+features``: margin, and places that look different.

``--draw docs/images`` draws the curves of the rows in ``--rows FILE``, which a run appends to.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from data import data_folder, load_nuclei, split_nuclei
from figures import Report
from napari_aitrain.annotation.boxes import Box
from napari_aitrain.geometry import Region
from napari_aitrain.tasks.protocol import Example

WAYS = ("random", "margin", "half", "augmentation", "ensemble", "margin+features")
COLUMNS = ("data", "way", "seed", "round", "boxes", "objects", "score", "error", "seconds")
MEMBERS = 3


@dataclass(frozen=True)
class DataSet:
    """What is asked about, and what is measured on; images and labels are (z, y, x)."""

    task: str
    box: tuple[int, int, int]
    pool: list[tuple[npt.NDArray[Any], npt.NDArray[np.int32]]]
    test: list[tuple[npt.NDArray[Any], npt.NDArray[np.int32]]]
    metric: str


def load(name: str, pool: int, test: int) -> DataSet:
    """Return a data set: ``dsb`` nuclei as objects, or ``em`` mitochondria as a class, at half the size."""
    if name == "dsb":
        training, testing = split_nuclei(load_nuclei())
        parts = [[(one.image[None], one.labels[None].astype(np.int32)) for one in some]
                 for some in (training[:pool], testing[:test])]  # fmt: skip
        return DataSet("instances", (1, 64, 64), *parts, "ap50")
    place = data_folder("em-mitochondria-cdeep3m")
    image = tifffile.imread(place / "image.tif")
    labels = (tifffile.imread(place / "labels_binary.tif") > 0).astype(np.int32)
    z, y, x = image.shape
    small = image.reshape(z, y // 2, 2, x // 2, 2).mean(axis=(2, 4)).astype(np.uint8)
    labels = labels[:, ::2, ::2]
    # Sections far apart, so that no two show nearly the same; the last ones are kept out.
    first, last = list(range(0, z - 5, 2))[:pool], list(range(z - 3, z))[:test]
    parts = [[(small[k : k + 1], labels[k : k + 1]) for k in some] for some in (first, last)]
    return DataSet("semantic", (1, 64, 64), *parts, "iou_1")


@dataclass
class Annotator:
    """Labels boxes from the truth, trains, and measures."""

    data: DataSet
    folder: Path
    seed: int
    steps: int
    boxes: list[list[Box]] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)

    def begin(self) -> None:
        """Write the images that are asked about."""
        self.boxes = [[] for _ in self.data.pool]
        for number, (image, labels) in enumerate(self.data.pool):
            tifffile.imwrite(self.folder / f"{number}-image.tif", image[0])
            # In the file 0 is unlabelled to nobody: boxes are dense.
            tifffile.imwrite(self.folder / f"{number}-labels.tif", labels[0].astype(np.uint16))

    def label(self, places: Sequence[tuple[int, Region]], role: str = "train") -> None:
        """Label some boxes."""
        for number, region in places:
            self.boxes[number].append(Box(start=region.start, stop=region.stop, role=role))

    @property
    def objects(self) -> int:
        """Objects, or pieces of a class, that were labelled."""
        from napari_aitrain.suggestions.retraining import count_annotations

        parts = [labels[box.region.slices] for (_, labels), some in zip(self.data.pool, self.boxes, strict=True)
                 for box in some]  # fmt: skip
        return sum(count_annotations(parts, self.data.task == "instances").values())

    def train(self) -> None:
        """Train on from the last model."""
        from napari_aitrain.training import finish, loop
        from napari_aitrain.training.config import Source, TrainConfig

        # The last weights stand: validation goes by the clock, and a few boxes would choose by chance.
        loop.VALIDATION_EVERY = finish.CLEARLY_BETTER = finish.SETTINGS_BETTER = float("inf")
        sources = tuple(
            Source(image=self.folder / f"{n}-image.tif", labels=self.folder / f"{n}-labels.tif", boxes=tuple(boxes))
            for n, boxes in enumerate(self.boxes)
            if boxes
        )
        job = Path(tempfile.mkdtemp(dir=self.folder))
        config = TrainConfig(
            sources=sources, task=self.data.task, dims="2", steps=self.steps, seed=self.seed, network="small",
            batch_size=4, patch_shape=(1, 64, 64), augmentation="light", threads=1,
            start_from=str(self.models[-1]) if self.models else "scratch", checkpoint_interval=1e6,
        )  # fmt: skip
        loop.run_training(job, config, lambda kind, **told: None, lambda: [])
        self.models.append(job / "model")

    def branch(self) -> Annotator:
        """Return one that goes on from here by itself."""
        other = copy.copy(self)
        other.boxes, other.models = [list(some) for some in self.boxes], list(self.models)
        return other

    def score(self) -> float:
        """Return the quality of the last model on the images that are kept out."""
        seer = Seer(self.models[-1])
        examples: list[Example] = []
        for image, labels in self.data.test:
            objects = seer.task.decode(seer.maps(image), None, 2)
            examples.append((objects, labels, np.ones(labels.shape, bool)))
        return float(seer.task.metrics(examples).get(self.data.metric, 0.0))


class Seer:
    """A model that predicts arrays."""

    def __init__(self, folder: Path) -> None:
        from napari_aitrain.inference import make_network
        from napari_aitrain.models import load_model

        model = load_model(folder)
        self.task, self.network = model.task(), make_network(model, "cpu", "float32")

    def maps(self, image: npt.NDArray[Any], flip: Sequence[int] = ()) -> npt.NDArray[np.float32]:
        """Return activated maps, of the image as it is or mirrored, but always in its own direction."""
        from napari_aitrain.inference.predictor import predict_array

        seen = np.ascontiguousarray(np.flip(self.scaled(image), flip))
        maps = predict_array(self.network, self.task.activate, seen, 2)
        return np.flip(maps, flip)

    def scaled(self, image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return an image as the network sees it."""
        from napari_aitrain.volumes import Normalisation

        return Normalisation.estimate(image[None]).apply(image[None])


def ask(way: str, annotator: Annotator, count: int, number: int) -> tuple[list[tuple[int, Region]], float]:
    """Return the places to label next, and the mean error of the last model there."""
    from napari_aitrain.suggestions.choose import choose
    from napari_aitrain.suggestions.doubt import disagreement
    from napari_aitrain.suggestions.judged import error_at
    from napari_aitrain.suggestions.looks import looks_of
    from napari_aitrain.suggestions.maps import ArrayMap
    from napari_aitrain.suggestions.onto import Onto
    from napari_aitrain.suggestions.passes import FLIPS
    from napari_aitrain.suggestions.scan import scan
    from napari_aitrain.suggestions.settings import SuggestSettings

    data, pool = annotator.data, annotator.data.pool
    seer = Seer(annotator.models[-1])
    others = [Seer(one) for one in annotator.models[-1 - MEMBERS : -1]] if way == "ensemble" else []
    scans, maps = [], []
    for place, (image, _) in enumerate(pool):
        maps.append(seer.maps(image))
        uncertainty = seer.task.uncertainty(maps[-1])
        if way == "augmentation" or others:
            answers = [seer.maps(image, flip) for flip in FLIPS] if not others else [one.maps(image) for one in others]
            uncertainty = disagreement([seer.task.class_probability(one) for one in (maps[-1], *answers)])
        onto = Onto((1.0, 1.0, 1.0), (0, 0, 0), image.shape)
        taken = [box.region for box in annotator.boxes[place]]
        chance = 1000 * annotator.seed + number
        scans.append(scan(ArrayMap(uncertainty), onto, data.box, taken=taken, image=place, seed=chance))

    def describe(place: int, region: Region) -> npt.NDArray[np.float64]:
        z, y, x = region.slices
        return looks_of(maps[place][:, z, y, x], seer.scaled(pool[place][0])[:, z, y, x])

    settings = SuggestSettings(
        count=count, random_share={"random": 1.0, "half": 0.5}.get(way, 0.0),
        spread="features" if way.endswith("features") else "distance",
    )  # fmt: skip
    known = [(place, box.region) for place, some in enumerate(annotator.boxes) for box in some]
    chosen = choose(
        scans, settings, depths=[1] * len(pool), before=(number - 1) * count, describe=describe, known=known
    )
    places = [(one.image, one.region) for one in chosen]
    errors = []
    for place, region in places:
        z, y, x = region.slices
        found = seer.task.decode(np.ascontiguousarray(maps[place][:, z, y, x]), None, 2).labels
        truth = pool[place][1][region.slices]
        errors.append(error_at(found, truth, np.ones(truth.shape, bool), seer.task.instances))
    return places, float(np.mean(errors))


def simulate(name: str, seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Go through all rounds in each way with one seed; return a row per round. All ways begin with one model."""
    import torch

    from napari_aitrain.annotation.generate import place_boxes

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    data = load(name, chosen.pool, chosen.test)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        annotator = Annotator(data, Path(folder), seed, chosen.steps)
        annotator.begin()
        chance = np.random.default_rng(seed)
        for role, count in (("validation", chosen.validation), ("train", chosen.first)):
            for _ in range(count):
                # The first ones hold something, as those of a person do.
                while True:
                    place = int(chance.integers(len(data.pool)))
                    shape, taken = data.pool[place][0].shape, [box.region for box in annotator.boxes[place]]
                    found = place_boxes(shape, data.box, 1, taken, int(chance.integers(2**31)))
                    if found and (data.pool[place][1][found[0].slices] > 0).mean() > 0.02:
                        break
                annotator.label([(place, found[0])], role)
        begun = time.perf_counter()
        annotator.train()
        first = {"score": annotator.score(), "error": float("nan"), "seconds": time.perf_counter() - begun}
        branches = {way: annotator.branch() for way in chosen.ways}
        for number in range(chosen.rounds + 1):
            for way, own in branches.items():
                row = first if not number else label_and_train(own, way, number, chosen.boxes)
                labelled = sum(box.role == "train" for some in own.boxes for box in some)
                rows.append({"data": name, "way": way, "seed": seed, "round": number, "boxes": labelled,
                             "objects": own.objects, **row})  # fmt: skip
                if chosen.rows is not None:
                    with chosen.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    return rows


def label_and_train(annotator: Annotator, way: str, number: int, boxes: int) -> dict[str, float]:
    """Go through a round; return quality, the mean error at what was labelled, and the time."""
    begun = time.perf_counter()
    places, error = ask(way, annotator, boxes, number)
    annotator.label(places)
    annotator.train()
    return {"score": annotator.score(), "error": error, "seconds": time.perf_counter() - begun}


def main() -> None:
    """Simulate each way with each seed, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=("dsb", "em"), default=["dsb", "em"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["random", "margin"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--boxes", type=int, default=3, help="labelled per round")
    parser.add_argument("--first", type=int, default=3, help="labelled before the first round, by chance")
    parser.add_argument("--validation", type=int, default=2, help="boxes to validate on, by chance")
    parser.add_argument("--steps", type=int, default=100, help="of training per round")
    parser.add_argument("--pool", type=int, default=16, help="images to ask about")
    parser.add_argument("--test", type=int, default=16, help="images to measure on")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="simulations at once, a core each")
    parser.add_argument("--rows", type=Path, help="append a JSON line per round to this file")
    parser.add_argument("--draw", type=Path, help="only draw the rows: folder of the pictures")
    chosen = parser.parse_args()
    if chosen.draw is not None:
        from active_learning_curves import draw

        draw([json.loads(line) for line in chosen.rows.read_text().splitlines()], chosen.draw)
        return
    report = Report("active_learning", COLUMNS)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, mp_context=spawn) as processes:
        waiting = [processes.submit(simulate, name, seed, chosen) for seed in chosen.seeds for name in chosen.data]
        for done in as_completed(waiting):
            for row in done.result():
                report.add(**row)
    report.close()


if __name__ == "__main__":
    main()
