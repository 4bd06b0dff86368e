"""Automatic segmentation by its defaults: AP50 on all images of nuclei-dsb2018, and the time that 1024² pixels take.

Also of cells between membranes (cells-membrane2d, maize), whose reference was made by another program.

``python benchmarks/autosegment.py`` prints one JSON line. The peer, in the same run, is what a person would write with
scikit-image: Otsu's threshold, maxima of the smoothed distance as seeds, and a watershed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from data import data_folder
from napari_aitrain.autosegment.suggesting import suggest_and_find
from napari_aitrain.tasks.tally import InstanceTally

Array = npt.NDArray[Any]


def ours(image: Array) -> Array:
    """Segment by the numbers that the image suggests."""
    return suggest_and_find(image[None], dims=2)[1].labels[0]


def peer(image: Array) -> Array:
    """Segment as a person would by scikit-image."""
    smooth = gaussian(image.astype(np.float32), 1, preserve_range=True)
    inside = smooth > threshold_otsu(smooth)
    far = gaussian(ndimage.distance_transform_edt(inside), 2, preserve_range=True)
    seeds = np.zeros(image.shape, np.int32)
    places = peak_local_max(far, min_distance=5, labels=inside.astype(np.int32))
    seeds[tuple(places.T)] = np.arange(1, len(places) + 1)
    found: Array = watershed(-far, seeds, mask=inside).astype(np.int32)
    return found


def measure(method: Callable[[Array], Array], pairs: list[tuple[Array, Array]]) -> dict[str, float]:
    """Return AP50 over all objects, its mean over images, and milliseconds per image."""
    nothing = np.zeros(0, np.int32)
    total, each, begun = InstanceTally.count(nothing, nothing), [], time.perf_counter()
    for image, truth in pairs:
        tally = InstanceTally.count(method(image), truth.astype(np.int32))
        each.append(tally.metrics()["ap50"])
        total += tally
    spent = (time.perf_counter() - begun) / len(pairs)
    return {"ap50": total.metrics()["ap50"], "ap50_mean": float(np.mean(each)), "ms_per_image": 1000 * spent}


def membranes() -> dict[str, float]:
    """Return how many of the cells of maize are found, and AP50."""
    folder = data_folder("cells-membrane2d")
    image = tifffile.imread(folder / "image_maize_clsm.tif")[None]
    truth = tifffile.imread(folder / "labels_auto_maize_clsm.tif")[None].astype(np.int32)
    _, found = suggest_and_find(image, "membranes", dims=2)
    cells = int(np.count_nonzero(np.unique(truth)))
    ap50 = InstanceTally.count(found.labels, truth).metrics()["ap50"]
    return {"cells": cells, "found": found.count, "ap50": ap50}


def main() -> None:
    """Measure both."""
    pairs: list[tuple[Array, Array]] = []
    for file in sorted(data_folder("nuclei-dsb2018").glob("*.npz")):
        with np.load(file) as data:
            pairs += zip(data["images"], data["labels"], strict=True)
    figures: dict[str, Any] = {"images": len(pairs), "ours": measure(ours, pairs), "peer": measure(peer, pairs)}
    large = np.tile(next(image for image, _ in pairs if min(image.shape) >= 512)[:512, :512], (2, 2))
    for name, method in (("ours", ours), ("peer", peer)):
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            method(large)
            times.append(time.perf_counter() - begun)
        figures[name]["s_1024"] = min(times)
    figures["membranes"] = membranes()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
