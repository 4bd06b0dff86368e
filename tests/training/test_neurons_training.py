"""Neurons from every kind of ground truth: dense, a few painted ones, and painted slices of a volume."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.models import load_model
from napari_aitrain.tasks.offsets import choose_offsets
from napari_aitrain.training.config import Source, TrainConfig

SHAPE = (16, 48, 48)
SIZE = (20.0, 10.0, 10.0)


def tubes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of dark membranes between bending tubes that fill it, and their ids."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 48, (9, 2)) + np.cumsum(rng.normal(0, 0.6, (SHAPE[0], 9, 2)), axis=0)
    grid = np.stack(np.mgrid[:48, :48], -1)[:, :, None]
    distance = np.stack([((grid - middle) ** 2).sum(-1) for middle in at])
    labels = distance.argmin(-1) + 1
    near = np.sort(np.sqrt(distance), axis=-1)
    image = 180 - 120 * np.exp(-(((near[..., 1] - near[..., 0]) / 2) ** 2)) + rng.normal(0, 8, SHAPE)
    return image.clip(0, 255).astype(np.uint8), labels.astype(np.uint16)


@pytest.fixture
def make(tmp_path):
    """Return a factory of configs; `change` takes the ids of the training volume and returns what is painted."""

    def config(change=lambda labels: labels, sparse=False, voxel_size=SIZE, **settings):
        sources = []
        for seed, role in enumerate(("train", "validation")):
            image, labels = tubes(seed)
            labels = change(labels) if role == "train" else labels
            tifffile.imwrite(tmp_path / f"image{seed}.tif", image, metadata={"axes": "ZYX"})
            tifffile.imwrite(tmp_path / f"labels{seed}.tif", labels, metadata={"axes": "ZYX"})
            box = Box(start=(0, 0, 0), stop=SHAPE, role=role, sparse=sparse and role == "train")
            where = {"image": tmp_path / f"image{seed}.tif", "labels": tmp_path / f"labels{seed}.tif"}
            sources.append(Source(**where, boxes=(box,), voxel_size=voxel_size))
        base = {"steps": 8, "batch_size": 2, "precision": "float32", "network": "small", "threads": 1,
                "start_from": "scratch"}  # fmt: skip
        return TrainConfig(task="neurons", sources=tuple(sources), patch_shape=(16, 32, 32), **(base | settings))

    return config


def figures(result) -> dict[str, float]:
    return load_model(result.folder).card.metrics["validation"]


def test_dense_ids_are_learned_and_what_was_chosen_stays_with_the_model(make, run) -> None:
    result = run("job")(make(steps=50))
    card = load_model(result.folder).card
    assert [tuple(offset) for offset in card.task_settings["offsets"]] == list(choose_offsets(SIZE, 3))
    assert card.dims == 3
    assert 0 < card.threshold < 1
    assert card.metrics["validation"]["voi"] < 2.5
    assert card.metrics["validation"]["score"] == -card.metrics["validation"]["voi"]
    assert result.of("preview")[0]["by"] == "forest"


def test_a_model_goes_on_with_its_own_offsets(make, run) -> None:
    first = run("first")(make(steps=2, task_settings={"offsets": ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 5, 0))}))
    again = run("second")(make(steps=2, start_from=str(first.folder / "model")))
    cards = [load_model(result.folder).card.task_settings["offsets"] for result in (first, again)]
    assert cards[0] == cards[1] and len(cards[0]) == 4


def some(labels: np.ndarray) -> np.ndarray:
    """Return three painted neurons and, as id 99, some painted background; the rest is unlabelled."""
    painted = np.where(np.isin(labels, (2, 5, 8)), labels, 0)
    painted[:, :6, :6] = 99
    return painted.astype(np.uint16)


def test_a_few_painted_neurons_are_enough_to_learn(make, run) -> None:
    config = make(some, sparse=True)
    sources = tuple(s.model_copy(update={"background_id": 99}) for s in config.sources)
    assert np.isfinite(figures(run("job")(config.model_copy(update={"sources": sources})))["voi"])


@pytest.mark.parametrize("size", [(10.0, 10.0, 10.0), SIZE])
def test_painted_slices_of_a_volume_are_enough_to_learn(make, run, size) -> None:
    def slices(labels):
        painted = np.zeros_like(labels)
        painted[3::5] = labels[3::5]
        return painted

    result = run("job")(make(slices, sparse=True, voxel_size=size))
    assert np.isfinite(figures(result)["voi"])
    isotropic = len(set(size)) == 1
    assert load_model(result.folder).card.dims == (3 if isotropic else 2)
    losses = [event["loss"] for event in result.of("progress")]
    assert not losses or np.isfinite(losses).all()
