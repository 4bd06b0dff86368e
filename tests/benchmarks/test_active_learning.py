"""What the curves of active learning amount to."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("active_learning_curves")


def rows(way: str, scores: list[list[float]]) -> list[dict[str, object]]:
    return [
        {"data": "dsb", "way": way, "seed": seed, "round": number, "boxes": 3 * (number + 1), "score": score}
        for seed, some in enumerate(scores)
        for number, score in enumerate(some)
    ]


def test_the_share_of_labels_with_which_a_way_is_as_good_as_chance(measured):
    chance, better = [[0.1, 0.3, 0.5]] * 2, [[0.1, 0.5, 0.7]] * 2
    found = measured.curves(rows("random", chance) + rows("margin", [[*one, 0.9] for one in better]), "dsb")
    assert found["margin"][0].tolist() == [3, 6, 9]
    assert measured.share_of_labels(found["random"], found["margin"]) == pytest.approx(6 / 9)
    assert measured.share_of_labels(found["random"], found["random"]) == pytest.approx(1)
    assert measured.share_of_labels(found["margin"], found["random"]) is None
    mean, low, high = measured.gain(found["random"], found["margin"])
    assert mean == pytest.approx(0.2) and low == pytest.approx(0.2) and high == pytest.approx(0.2)
    worse = (found["random"][0], found["random"][1] - np.array([0, 0.1, 0.2]))
    assert measured.gain(found["random"], worse)[2] < 0
