"""Train a starter model and put it where the package ships it: ``python starters/train.py nuclei-2d``.

The data are found as those of the benchmarks are. With ``--short`` everything is made small, to try the script.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pairs

import napari_aitrain
from napari_aitrain.models import Model, ModelCard, SourceCard, load_model, save_model
from napari_aitrain.tasks.tally import InstanceTally
from napari_aitrain.training.config import Source, TrainConfig

Pairs = Iterator[pairs.Pair]
_OBJECT_FIGURES = ("ap50", "ap75", "ap_mean", "f1_50", "precision", "recall")
_NEURON_FIGURES = ("voi_split", "voi_merge", "arand")
SHIPPED = Path(__file__).resolve().parents[1] / "src" / "napari_aitrain" / "starters"


@dataclass(frozen=True)
class Recipe:
    """How a starter model is made.

    Parameters
    ----------
    task : str
        Its task.
    dims : {'2', '3'}
        Slices or volumes.
    minutes : float
        Of training on two processor cores.
    pairs : callable
        What to learn from and what to test with.
    comments : str
        Shown to people.
    voxel_size : tuple of float, optional
        nm, z, y, x, where it matters.
    """

    task: str
    dims: str
    minutes: float
    pairs: Callable[[bool], tuple[Pairs, Pairs]]
    comments: str
    voxel_size: tuple[float, float, float] | None = None


RECIPES = {
    "nuclei-2d": Recipe("instances", "2", 40, pairs.nuclei_2d, "Nuclei in fluorescence, 2-D"),
    "nuclei-3d": Recipe("instances", "3", 20, pairs.nuclei_3d, "Nuclei in fluorescence, 3-D", (290.0, 260.0, 260.0)),
    "em-neurons": Recipe(
        "neurons", "3", 20, pairs.em_neurons, "Neurons in electron micrographs, 3-D", (10.0, 10.0, 10.0)
    ),
}


def train(name: str, chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Train a starter model, test it on what it has not seen, and save it."""
    recipe = RECIPES[name]
    learned, unseen = recipe.pairs(chosen.short)
    folder = pairs.write(learned, work / "train")
    config = TrainConfig(
        name=name,
        task=recipe.task,
        dims=recipe.dims,
        sources=(Source(image=folder / "images", labels=folder / "labels", voxel_size=recipe.voxel_size),),
        start_from=str(chosen.go_on / name) if chosen.go_on else "scratch",
        comments=recipe.comments,
        network="small" if chosen.short else "wide" if recipe.task == "instances" else "auto",
        augmentation="full",
        minutes=None if chosen.short else chosen.minutes or recipe.minutes,
        steps=10 if chosen.short else None,
        threads=chosen.threads,
        preview_interval=60,
    )
    result = napari_aitrain.train(config, out=work / "job")
    model = load_model(result.model)
    card = public(model.card, pairs.sources(name), tested(model, unseen), config.start_from)
    made = save_model(chosen.out / name, card, model.state_dict(), replace=True, precision="float16")
    return {"folder": str(made.folder), "steps": result.steps, "test": made.card.metrics["test"]}


def tested(model: Model, unseen: Pairs) -> dict[str, float]:
    """Return how good a model is on images that it was not trained on, objects counted over all of them."""
    neurons = model.card.task == "neurons"
    tallies, per_image = [], []
    for _, image, labels in unseen:
        found = napari_aitrain.predict(model, np.asarray(image)).labels.reshape(labels.shape)
        tallies.append(InstanceTally.count(found, labels.astype(np.int32)))
        per_image.append(tallies[-1].metrics()["ap50"])
    total = sum(tallies[1:], tallies[0]).metrics()
    figures = {key: round(total[key], 4) for key in (_NEURON_FIGURES if neurons else _OBJECT_FIGURES)}
    if neurons:
        return figures
    return figures | {"ap50_per_image": round(float(np.mean(per_image)), 4), "images": float(len(tallies))}


def public(card: ModelCard, sources: tuple[str, ...], figures: dict[str, float], began: str) -> ModelCard:
    """Return the card as it is shipped: data by name instead of by folder, with the figures of the test."""
    named = tuple(SourceCard(image=source, labels=source) for source in sources)
    learned = card.data.model_copy(update={"sources": named, "split": card.data.split.replace(began, Path(began).name)})
    return card.model_copy(
        update={
            "channels": ("0",),
            "parent": None,
            "data": learned,
            "metrics": card.metrics | {"test": figures},
        }
    )


def main() -> None:
    """Train the starter models that were named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all of them if none is named: " + ", ".join(RECIPES))
    parser.add_argument("--minutes", type=float, help="of training, instead of the tested time")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where model folders go")
    parser.add_argument("--go-on", type=Path, help="folder of models to go on from, instead of from scratch")
    parser.add_argument("--short", action="store_true", help="a few steps on a little of the data")
    chosen = parser.parse_args()
    for name in chosen.names or RECIPES:
        if name not in RECIPES:
            parser.error(f"there is no starter model {name!r}: choose from " + ", ".join(RECIPES))
        with tempfile.TemporaryDirectory(prefix="aitrain-starter-") as work:
            print(json.dumps({"name": name, **train(name, chosen, Path(work))}), flush=True)


if __name__ == "__main__":
    main()
