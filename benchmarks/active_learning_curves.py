"""Curves and shares of labels from the rows of ``active_learning.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

COLOURS = {
    "random": "#7f7f7f", "margin": "#0072b2", "half": "#d55e00", "augmentation": "#e69f00", "ensemble": "#009e73",
    "margin+features": "#cc79a7",
}  # fmt: skip
TITLES = {"dsb": "nuclei-dsb2018: objects", "em": "em-mitochondria-cdeep3m: class"}
SCORES = {"dsb": "AP50 on images kept out", "em": "IoU on sections kept out"}
LABELS = {"boxes": "boxes labelled for training", "objects": "objects labelled, validation included"}
Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def curves(rows: Sequence[dict[str, Any]], name: str, by: str = "boxes") -> dict[str, Curve]:
    """Return per way the labels, and the scores of each seed, shape (seeds, rounds), as far as all went."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted((one for one in rows if one["data"] == name), key=lambda one: one["round"]):
        found[row["way"]][row["seed"]].append((row[by], row["score"]))
    # A run that was broken off has seeds without the last rounds.
    rounds = min(len(some) for seeds in found.values() for some in seeds.values())
    both = {way: np.array([some[:rounds] for some in seeds.values()]) for way, seeds in found.items()}
    return {way: (values[:, :, 0].mean(axis=0), values[:, :, 1]) for way, values in both.items()}


def share_of_labels(random: Curve, other: Curve) -> float | None:
    """Return the share of labels with which a way is, in the mean, as good as chance with all; None if it never is."""
    wanted = np.maximum.accumulate(random[1].mean(axis=0))[-1]
    labels, scores = other[0], other[1].mean(axis=0)
    for number, score in enumerate(scores):
        if score >= wanted:
            if not number:
                return float(labels[0] / random[0][-1])
            before = scores[number - 1]
            at = labels[number - 1] + (labels[number] - labels[number - 1]) * (wanted - before) / (score - before)
            return float(at / random[0][-1])
    return None


def gain(random: Curve, other: Curve) -> tuple[float, float, float]:
    """Return the mean gain in score over all rounds but the first, with a bootstrap interval over seeds and rounds."""
    count = min(len(random[1]), len(other[1]))
    differences = (other[1][:count] - random[1][:count])[:, 1:]
    chance = np.random.default_rng(0)
    draws = [differences[chance.integers(count, size=count)][:, chance.integers(differences.shape[1],
             size=differences.shape[1])].mean() for _ in range(4000)]  # fmt: skip
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(differences.mean()), float(low), float(high)


def draw(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Draw ``active-learning.svg``, a column per data set, and print what the curves amount to."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in TITLES if any(row["data"] == name for row in rows)]
    size = (5 * len(names), 3.4 * len(LABELS))
    figure, panels = plt.subplots(len(LABELS), len(names), figsize=size, squeeze=False, layout="constrained")
    for number, (by, words) in enumerate(LABELS.items()):
        for panel, name in zip(panels[number], names, strict=True):
            found = curves(rows, name, by)
            for way, (labels, scores) in found.items():
                style = "--" if way == "random" else "-"
                panel.plot(labels, scores.mean(axis=0), color=COLOURS[way], label=way, lw=2, ls=style)
                panel.fill_between(labels, scores.min(axis=0), scores.max(axis=0), color=COLOURS[way], alpha=0.12, lw=0)
            panel.set(title=TITLES[name] if not number else "", xlabel=words, ylabel=SCORES[name])
            panel.grid(alpha=0.25)
            tell(name, by, found, rows)
    panels[0][-1].legend(frameon=False, title="band: least to most of the seeds")
    figure.savefig(folder / "active-learning.svg", metadata={"Date": None})
    figure.savefig(folder / "active-learning.png", dpi=110)
    plt.close(figure)


def tell(name: str, by: str, found: dict[str, Curve], rows: Sequence[dict[str, Any]]) -> None:
    """Print what the curves of a data set amount to."""
    for way, curve in found.items():
        errors = [row["error"] for row in rows if (row["data"], row["way"]) == (name, way) and row["round"]]
        line = (
            f"{name} {way}: {len(curve[1])} seeds, last score {curve[1][:, -1].mean():.3f}, {by} {curve[0][-1]:.0f}, "
        )
        line += f"error there {np.mean(errors):.3f}"
        if way != "random" and "random" in found:
            share, (middle, low, high) = share_of_labels(found["random"], curve), gain(found["random"], curve)
            line += f"; as good as chance with {'more than all' if share is None else f'{share:.0%}'} of the {by}"
            line += f"; mean gain {middle:+.3f} ({low:+.3f} to {high:+.3f})"
        print(line)
