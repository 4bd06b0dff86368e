"""The scores and the threshold that a training ends with, from what validation objects there are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.evaluation.calibration import Calibration
from napari_aitrain.models import ModelCard
from napari_aitrain.tasks import Objects, make_task
from napari_aitrain.tasks.protocol import Example, Task
from napari_aitrain.training.validation import fit_scores


@pytest.fixture
def task() -> Task:
    return make_task("instances")


def example(task: Task, right: list[bool], raw: list[float]) -> Example:
    """Return squares that were found, of which some are in the truth; the first feature of each is given."""
    labels = np.zeros((1, 10, 10 * len(right)), np.int32)
    for number in range(len(right)):
        labels[0, 2:8, 10 * number + 2 : 10 * number + 8] = number + 1
    truth = np.where(np.append(False, right)[labels], labels, 0).astype(np.int32)
    features = np.zeros((len(right) + 1, len(task.feature_names)), np.float32)
    features[1:, 0] = raw
    return Objects(labels, features[:, 0], features), truth, np.ones(labels.shape, bool)


def card(task: Task, threshold: float = 0.4) -> ModelCard:
    """Return that of a model whose scores are about twice the first feature minus one half."""
    names = tuple(task.feature_names)
    weights = (8.0, *np.zeros(len(names) - 1).tolist())
    known = Calibration(
        kind="logistic", reason="Fitted to all.", feature_names=names, mean=(0.5,) + (0.0,) * (len(names) - 1),
        scale=(1.0,) * len(names), coefficients=weights, objects=900, correct=600,
    )  # fmt: skip
    network = {"dims": 2}
    return ModelCard(
        task=task.name, dims=2, name="parent", network=network, threshold=threshold,
        calibration=known.model_dump(mode="json"),
    )  # fmt: skip


def test_too_few_objects_take_over_what_the_parent_knows(task: Task) -> None:
    judged = [example(task, [True] * 5 + [False], [0.9, 0.8, 0.8, 0.7, 0.9, 0.1])]
    found, threshold = fit_scores(judged, task, 0, card(task))
    assert found is not None and found.kind == "logistic" and threshold == 0.4
    assert "too few" in found.reason and "parent" in found.reason and "raw" not in found.reason
    alone, shown = fit_scores(judged, task, 0)
    assert alone is not None and alone.kind == "raw" and shown == 0


def test_scores_of_the_parent_that_lose_objects_are_not_taken_over(task: Task) -> None:
    judged = [example(task, [True] * 6, [0.2] * 6)]
    found, threshold = fit_scores(judged, task, 0, card(task))
    assert found is not None and found.kind == "raw" and threshold == 0


@pytest.mark.parametrize("changed", [{"task": "semantic"}, {"calibration": None}])
def test_scores_of_another_kind_of_model_are_not_taken_over(task: Task, changed: dict[str, object]) -> None:
    judged = [example(task, [True] * 6, [0.9] * 6)]
    found, threshold = fit_scores(judged, task, 0, card(task).model_copy(update=changed))
    assert found is not None and found.kind == "raw" and threshold == 0
    found, threshold = fit_scores([], task, 0, card(task))
    assert found is not None and found.kind == "raw" and threshold == 0


def test_enough_objects_are_fitted_to(task: Task) -> None:
    random = np.random.default_rng(0)
    raw = random.random(200)
    judged = [example(task, (random.random(200) < raw).tolist(), raw.tolist())]
    found, threshold = fit_scores(judged, task, 0, card(task))
    assert found is not None and found.objects == 200
    assert 0.25 < threshold < 0.45
