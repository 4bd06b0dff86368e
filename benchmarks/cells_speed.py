"""How long targets and objects of a large image with thousands of cells take, beside Cellpose's own functions.

``python benchmarks/cells_speed.py`` makes up an image of 2048² pixels with 3,600 cells and runs the targets (labels to
what the network learns) and the decoding (what the network gives to objects) of *instances* and *cellpose*.
``--peer`` runs ``labels_to_flows`` and ``compute_masks`` of the package cellpose on the same in turns, a minute in all;
``--size 512`` tries it out.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np
import numpy.typing as npt

from figures import Report, take_turns

STEP = 34
"""Pixels from cell to cell."""
TARGETS = {"targets": "≤ 2", "objects": "≤ 2.5"}
COLUMNS = ("task", "of", "cells", "seconds", "target", "peer_seconds", "ratio")


def crowded(size: int, seed: int = 0) -> npt.NDArray[np.int32]:
    """Return labels of ellipses that all but touch, shape (size, size)."""
    random = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    rows, columns = np.mgrid[:STEP, :STEP] - STEP / 2
    across = size // STEP
    for number in range(across * across):
        radius, stretch = random.uniform(13, 17.5), random.uniform(0.8, 1.2)
        y, x = (STEP * place for place in divmod(number, across))
        inside = (rows * stretch) ** 2 + (columns / stretch) ** 2 < radius**2
        labels[y : y + STEP, x : x + STEP][inside] = number + 1
    return labels


def maps_of(task: Any, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return targets as the maps of a network that has learned them."""
    from scipy import ndimage

    maps = values[: task.heads]
    if task.name == "cellpose":
        # Flows along z, y and x, of which 0 … 1 stands for −1 … 1, and the probability of a cell.
        flows = (values[:2] + 1) / 2
        maps = np.concatenate([np.full_like(flows[:1], 0.5), flows, values[2:3]])
    maps = ndimage.gaussian_filter(maps, (0, 0, 0.7, 0.7))
    return np.round(255 * np.clip(maps, 0, 1)).astype(np.uint8)


def peers(labels: npt.NDArray[np.int32], maps: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Return what the package cellpose does for the same."""
    from napari_aitrain.nets.cellpose_package import cellpose_module

    dynamics = cellpose_module("dynamics")
    shares = maps[1:, 0].astype(np.float32) / 255
    flows, logit = 10 * (2 * shares[:2] - 1), 20 * shares[2] - 10
    return {
        "targets": lambda: dynamics.labels_to_flows([labels]),
        "objects": lambda: dynamics.compute_masks(flows, logit, niter=200),
    }


def main() -> None:
    """Measure and print."""
    from napari_aitrain.tasks import make_task

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="run the package cellpose as well")
    chosen = parser.parse_args()
    labels = crowded(chosen.size)
    known = np.ones((1, *labels.shape), bool)
    report = Report("cells_speed", COLUMNS)
    for name in ("instances", "cellpose"):
        task = make_task(name)
        maps = maps_of(task, task.prepare(labels[None], known, None, 2).values)
        works = {
            "targets": lambda task=task: task.prepare(labels[None], known, None, 2),
            "objects": lambda task=task, maps=maps: task.decode(maps, None, 2),
        }
        cells = int(task.decode(maps, None, 2).labels.max())
        others = peers(labels, maps) if chosen.peer and name == "cellpose" else {}
        for of, work in works.items():
            turns = {"ours": work} | ({"peer": others[of]} if others else {})
            seconds = take_turns(turns, 1 if others else chosen.rounds)
            row = {"task": name, "of": of, "cells": cells, "seconds": statistics.median(seconds["ours"])}
            if others:
                row |= {"peer_seconds": seconds["peer"][0], "ratio": row["seconds"] / seconds["peer"][0]}
            report.add(**row, target=TARGETS[of] if chosen.size == 2048 else "")
    report.close()


if __name__ == "__main__":
    main()
