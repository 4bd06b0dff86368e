"""Object classification from 20 clicks: nuclei of nuclei-dsb2018, two classes by size or by shape from the truth.

``python benchmarks/object_classes.py`` prints one JSON line. In each image with enough nuclei a simulated person clicks
20, by chance; the class is whether area, or eccentricity, of the truth is above the median of the image, without a gap
between the classes. All other nuclei of the image are classified. The peer, in the same run, is what a person would
write with scikit-image and scikit-learn: a random forest with its defaults on region properties. Also: how long 20,000
objects take to measure, beside region properties.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import regionprops_table
from sklearn.ensemble import RandomForestClassifier

from data import Nuclei, load_nuclei
from napari_aitrain.classification.examples import Marked
from napari_aitrain.classification.fitting import calibration_error, fit_classifier
from napari_aitrain.classification.marks import MarkSheet, ObjectClass
from napari_aitrain.classification.measuring import labels_volume, measure_objects
from napari_aitrain.classification.table import FeatureTable
from napari_aitrain.volumes import Volume

Array = npt.NDArray[Any]
SMALL, LARGE = 1, 2
LEAST_NUCLEI = 60
PROPERTIES = (
    "area", "perimeter", "eccentricity", "solidity", "extent", "axis_major_length", "axis_minor_length",
    "intensity_mean", "intensity_max", "intensity_min", "intensity_std",
)  # fmt: skip
SHEET = MarkSheet(classes=(ObjectClass(id=SMALL, name="below"), ObjectClass(id=LARGE, name="above")))


def measured(one: Nuclei) -> FeatureTable:
    """Return our features."""
    return measure_objects(labels_volume(one.labels.astype(np.int32)), Volume.from_array(one.image))


def properties(one: Nuclei) -> dict[str, Array]:
    """Return region properties, in the order of ids."""
    found: dict[str, Array] = regionprops_table(one.labels, one.image.astype(np.float32), properties=PROPERTIES)
    return found


def clicks(truth: Array, count: int, seed: int) -> Array:
    """Return rows by chance, of both classes twice at least."""
    for again in range(100):
        rows = np.random.default_rng([seed, again]).permutation(len(truth))[:count]
        if min(np.count_nonzero(truth[rows] == one) for one in (SMALL, LARGE)) >= 2:
            return rows
    raise SystemExit("there are too few nuclei of one class")


def compare(images: list[Nuclei], count: int, seeds: int) -> dict[str, dict[str, Any]]:
    """Return accuracy and calibration by what tells classes apart."""
    tables, known = [measured(one) for one in images], [properties(one) for one in images]
    found = {}
    for what, name in {"size": "area", "shape": "eccentricity"}.items():
        own: dict[str, list[Any]] = {"accuracy": [], "sure": [], "right": [], "peer": [], "seconds": []}
        for number, (table, theirs) in enumerate(zip(tables, known, strict=True)):
            truth = np.where(theirs[name] > np.median(theirs[name]), LARGE, SMALL)
            for seed in range(seeds):
                rows = clicks(truth, count, 1000 * number + seed)
                others = np.setdiff1d(np.arange(len(truth)), rows)
                begun = time.perf_counter()
                answers = {int(table.ids[row]): (int(truth[row]),) for row in rows}
                classifier = fit_classifier([Marked(table, answers)], SHEET)
                best, sure = classifier.classify(table).best()
                own["seconds"].append(time.perf_counter() - begun)
                right = best[others] == truth[others]
                own["accuracy"].append(right.mean())
                own["sure"] += sure[others].tolist()
                own["right"] += right.tolist()
                inputs = np.stack([theirs[one] for one in PROPERTIES], axis=1)
                forest = RandomForestClassifier(random_state=0).fit(inputs[rows], truth[rows])
                own["peer"].append((forest.predict(inputs[others]) == truth[others]).mean())
        found[what] = {
            "accuracy": float(np.mean(own["accuracy"])),
            "worst_tenth": float(np.percentile(own["accuracy"], 10)),
            "calibration_error": calibration_error(np.array(own["sure"]), np.array(own["right"])),
            "peer_accuracy": float(np.mean(own["peer"])),
            "s_training": float(np.median(own["seconds"])),
        }
    return found


def speed(images: list[Nuclei], objects: int) -> dict[str, float]:
    """Return how long so many objects take to measure, by us and as region properties."""
    one = max(images, key=lambda image: len(np.unique(image.labels)) / image.labels.size)
    nuclei = int(one.labels.max())
    side = int(np.ceil(np.sqrt(objects / len(np.unique(one.labels)))))
    image, labels = np.tile(one.image, (side, side)), np.zeros(np.multiply(one.labels.shape, side), np.int32)
    height, width = one.labels.shape
    for number in range(side**2):
        y, x = divmod(number, side)
        part = np.where(one.labels > 0, one.labels.astype(np.int32) + number * nuclei, 0)
        labels[y * height : (y + 1) * height, x * width : (x + 1) * width] = part
    begun = time.perf_counter()
    table = measure_objects(labels_volume(labels), Volume.from_array(image))
    between = time.perf_counter()
    regionprops_table(labels, image.astype(np.float32), properties=PROPERTIES)
    return {
        "objects": len(table), "megapixels": labels.size / 1e6, "s": between - begun,
        "s_peer": time.perf_counter() - between,
    }  # fmt: skip


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=24, help="how many images, by chance")
    parser.add_argument("--seeds", type=int, default=2, help="how often each is clicked")
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--objects", type=int, default=20_000, help="for the time; 0 leaves it out")
    asked = parser.parse_args()
    enough = [one for one in load_nuclei() if len(np.unique(one.labels)) > LEAST_NUCLEI]
    chosen = [enough[row] for row in np.random.default_rng(7).permutation(len(enough))[: asked.images]]
    figures: dict[str, Any] = {"images": len(chosen), "clicks": asked.clicks}
    figures |= compare(chosen, asked.clicks, asked.seeds)
    if asked.objects:
        figures["speed"] = speed(chosen, asked.objects)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
