"""Semantic segmentation from 30 strokes on 3 slices of real stacks, beside a pixel forest of the same strokes.

``python benchmarks/strokes_quality.py`` paints the strokes (`strokes.simulate_strokes`), trains once per seed and
measures on slices without strokes, at some moments of the training:

- `preview`: what a person sees, which is the forest, the network or their mean;
- `network`: the network alone; at the end the model that was saved;
- `forest`: extremely randomised trees on filter features, as they learned the strokes.

Figures are the intersection over union of a class; `over_forest` is that of the preview over that of the forest.
Measuring does not count as training time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tifffile

from data import data_folder
from figures import Report, use_threads
from napari_aitrain.geometry import Region
from napari_aitrain.training.previews import PreviewRegion, predict_preview_maps
from strokes import painted_sections, simulate_strokes

if TYPE_CHECKING:
    from napari_aitrain.nets import InferenceNetwork
    from napari_aitrain.training.loop import Loop

COLUMNS = ("data", "seed", "class", "seconds", "steps", "shown", "preview", "network", "forest", "over_forest")
CLASSES = {
    "em-mitochondria-cdeep3m": {1: "mitochondria"},
    "em-membranes-isbi2012": {1: "cell interior", 0: "membrane"},
}
STROKES, SECTIONS = 30, 3
FAR = 10_000
"""Added to the z of slices that are measured, so that they are told apart from those of the training crops."""


@dataclass(frozen=True)
class OtherSlice(PreviewRegion):
    """A slice without strokes, shape (c, 1, y, x), normalised as the training crops are."""

    pixels: npt.NDArray[np.float32]

    def image(self) -> npt.NDArray[np.float32]:
        """Return the slice."""
        return self.pixels


@dataclass
class Observer:
    """Pauses a training at some moments and looks at slices that it has no strokes on."""

    image: npt.NDArray[np.generic]
    truth: npt.NDArray[np.int32]
    slices: Sequence[int]
    moments: list[float]
    loop: Loop | None = None
    pausing: bool = False
    previewed: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    forest: npt.NDArray[np.int32] | None = None
    others: list[OtherSlice] = field(default_factory=list)

    def control(self) -> list[dict[str, Any]]:
        """Answer the loop as a person would who pauses, looks and resumes: pauses are no training time."""
        assert self.loop is not None
        if self.pausing:
            self.pausing = False
            self.look(self._network())
            return [{"kind": "resume"}]
        if self.moments and self.loop.seconds >= self.moments[0]:
            while self.moments and self.loop.seconds >= self.moments[0]:
                self.moments.pop(0)
            self.pausing = True
            return [{"kind": "pause"}]
        return []

    def emit(self, kind: str, **data: Any) -> None:
        """Note when the last preview was made: what follows the end of training is no training time."""
        if kind == "preview":
            self.previewed = data["seconds"]

    def look(self, network: InferenceNetwork, saved: InferenceNetwork | None = None) -> None:
        """Keep what forest, network and preview make of the slices now; `saved` is the network alone, if another."""
        loop = self.loop
        assert loop is not None and loop.teacher is not None
        task, teacher = loop.setup.task, loop.teacher
        if not self.others:
            crop = loop.setup.crops.of_role("train")[0]
            shape = (1, *self.truth.shape[1:])
            pixels = [crop.normalisation.apply(np.asarray(self.image[None, z : z + 1])) for z in self.slices]
            places = [Region.from_shape(shape, (FAR + z, 0, 0)) for z in self.slices]
            self.others = [OtherSlice(crop, *pair) for pair in zip(places, pixels, strict=True)]
            self.forest = _classes([teacher.forest.predict(other.image()) for other in self.others])
        alone = [predict_preview_maps(saved or network, task, other, 2) for other in self.others]
        shown = [teacher.blended(network, other) for other in self.others]
        name = {0.0: "network", 1.0: "forest"}.get(teacher.blend, "mean")
        row = {"seconds": loop.seconds, "steps": loop.setup.trainer.steps, "shown": name}
        self.rows.append(row | {"preview": _classes(shown), "network": _classes(alone), "forest": self.forest})

    def look_at_end(self, folder: Path) -> None:
        """Keep what the last preview and the saved model make of the slices."""
        from napari_aitrain.inference import make_network
        from napari_aitrain.models import load_model

        self.look(self._network(), make_network(load_model(folder)))
        self.rows[-1]["seconds"] = self.previewed

    def _network(self) -> InferenceNetwork:
        from napari_aitrain.nets import InferenceNetwork

        assert self.loop is not None
        trainer = self.loop.setup.trainer
        return InferenceNetwork(trainer.average, trainer.device, trainer.precision)


def _classes(maps: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.int32]:
    return np.concatenate([one.argmax(axis=0) for one in maps]).astype(np.int32)


def overlap(found: npt.NDArray[np.int32], truth: npt.NDArray[np.int32], name: int) -> float:
    """Return the intersection over union of a class over all slices."""
    a, b = found == name, truth == name
    return int(np.count_nonzero(a & b)) / max(1, int(np.count_nonzero(a | b)))


def train(name: str, seed: int, chosen: argparse.Namespace, folder: Path) -> Observer:
    """Train on the strokes of a stack; return what was seen meanwhile."""
    from napari_aitrain.training.config import Source, TrainConfig
    from napari_aitrain.training.crops import freeze_crops
    from napari_aitrain.training.loop import Loop
    from napari_aitrain.training.setup import prepare

    place = data_folder(name)
    image = tifffile.imread(place / "image.tif")
    truth = (tifffile.imread(next(place.glob("labels*.tif"))) > 0).astype(np.int32)
    # In the file 0 is unlabelled, so that classes count from 1.
    tifffile.imwrite(folder / "image.tif", image)
    strokes = simulate_strokes(truth, STROKES, SECTIONS, seed=seed) + 1
    tifffile.imwrite(folder / "strokes.tif", strokes.astype(np.uint8))
    source = Source(image=folder / "image.tif", labels=folder / "strokes.tif", sparse=True)
    last: float = max(chosen.seconds)
    config = TrainConfig(sources=(source,), task="semantic", dims="2", minutes=last / 60, seed=seed)
    painted = painted_sections(len(image), SECTIONS)
    others = [z for z in range(len(image)) if z not in painted]
    slices = others[:: -(-len(others) // chosen.slices)]
    observer = Observer(image, truth, slices, sorted(second for second in chosen.seconds if second < last))
    job = folder / "job"
    job.mkdir()
    setup = prepare(config, freeze_crops(config, job), job / "crops")
    observer.loop = Loop(job, setup, observer.emit, observer.control)
    observer.loop.run()
    observer.look_at_end(job)
    return observer


def main() -> None:
    """Train on each stack with each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=sorted(CLASSES), default=sorted(CLASSES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--seconds", nargs="+", type=float, default=[1, 10, 60], help="when to look; the last ends it")
    parser.add_argument("--slices", type=int, default=5, help="slices to measure on")
    parser.add_argument("--threads", type=int, help="as many as cores when not given")
    chosen = parser.parse_args()
    use_threads(chosen.threads)
    report = Report("strokes_quality", COLUMNS)
    for name in chosen.data:
        for seed in chosen.seeds:
            with tempfile.TemporaryDirectory() as folder:
                seen = train(name, seed, chosen, Path(folder))
            truth = seen.truth[list(seen.slices)]
            for row in seen.rows:
                for number, spoken in CLASSES[name].items():
                    figures = {key: overlap(row[key], truth, number) for key in ("preview", "network", "forest")}
                    figures["over_forest"] = figures["preview"] / max(figures["forest"], 1e-6)
                    settings = {key: row[key] for key in ("seconds", "steps", "shown")}
                    report.add(data=name, seed=seed, **{"class": spoken}, **settings, **figures)
    report.close()


if __name__ == "__main__":
    main()
