"""Peer: a random forest on filter features and a watershed, as users of ilastik, Labkit and convpaint do.

The forest tells background, interior and border of objects apart; connected interiors are the seeds of a watershed
that floods the border. The threshold of the seeds is chosen on a fifth of the training images.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage
from skimage.segmentation import find_boundaries, watershed
from sklearn.ensemble import RandomForestClassifier

from napari_aitrain.evaluation import instance_metrics
from napari_aitrain.training.filters import feature_maps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from data import read_folder

BACKGROUND, INTERIOR, BORDER = range(3)
MAX_TREES, TREES_AT_ONCE, MAX_SAMPLES = 200, 10, 150_000
SEED_THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
MIN_SEED, MIN_OBJECT = 8, 20

FloatArray = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]


def pixel_classes(labels: Labels) -> npt.NDArray[np.int8]:
    """Return background, interior or border per pixel; the border lies within the objects."""
    classes = np.where(labels > 0, INTERIOR, BACKGROUND)
    classes[find_boundaries(labels, mode="inner")] = BORDER
    return classes.astype(np.int8)


def features(image: npt.NDArray[np.generic]) -> FloatArray:
    """Return the filter bank of an image, shape (pixels, features), after normalisation by percentiles."""
    low, high = np.percentile(image, (1, 99.8))
    scaled = ((image - low) / max(high - low, 1e-6)).astype(np.float32)
    maps = feature_maps(scaled[None], (1, 1))
    return maps.reshape(len(maps), -1).T


def fit(
    images: Sequence[npt.NDArray[np.generic]], truths: Sequence[Labels], end: float, seed: int, threads: int
) -> RandomForestClassifier:
    """Grow trees on a sample of pixels until the time is over, or enough have been grown."""
    rng = np.random.default_rng(seed)
    rows, classes = [], []
    for image, truth in zip(images, truths, strict=True):
        chosen = rng.permutation(image.size)[: MAX_SAMPLES // len(images)]
        rows.append(features(image)[chosen])
        classes.append(pixel_classes(truth).ravel()[chosen])
    x, y = np.concatenate(rows), np.concatenate(classes)
    forest = RandomForestClassifier(
        0, min_samples_leaf=2, max_samples=0.5, warm_start=True, n_jobs=threads, random_state=seed
    )
    longest = 0.0
    while not forest.n_estimators or (forest.n_estimators < MAX_TREES and time.perf_counter() + longest < end):
        begun = time.perf_counter()
        forest.n_estimators += TREES_AT_ONCE
        forest.fit(x, y)
        longest = max(longest, time.perf_counter() - begun)
    return forest


def probabilities(forest: RandomForestClassifier, image: npt.NDArray[np.generic]) -> FloatArray:
    """Return the probability of each class, shape (3, y, x)."""
    found = forest.predict_proba(features(image)).astype(np.float32)
    full = np.zeros((3, *image.shape), np.float32)
    full[forest.classes_] = found.T.reshape(-1, *image.shape)
    return full


def decode(probability: FloatArray, threshold: float) -> npt.NDArray[np.int32]:
    """Return objects: seeds where the interior is likely, flooded over the foreground."""
    seeds, count = ndimage.label(probability[INTERIOR] > threshold)
    sizes = np.bincount(seeds.ravel(), minlength=count + 1)
    seeds[sizes[seeds] < MIN_SEED] = 0
    objects = watershed(-probability[INTERIOR], seeds, mask=probability[BACKGROUND] < 0.5)
    sizes = np.bincount(objects.ravel())
    objects[sizes[objects] < MIN_OBJECT] = 0
    return objects.astype(np.int32)


def choose_threshold(
    forest: RandomForestClassifier, images: Sequence[npt.NDArray[np.generic]], truths: Sequence[Labels]
) -> float:
    """Return the seed threshold with the best mean AP50."""
    maps = [probabilities(forest, image) for image in images]
    scores = [
        np.mean([instance_metrics(decode(m, t), truth)["ap50"] for m, truth in zip(maps, truths, strict=True)])
        for t in SEED_THRESHOLDS
    ]
    return SEED_THRESHOLDS[int(np.argmax(scores))]


def main() -> None:
    """Train on a folder, predict another, print figures as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--test", type=Path, required=True, help="folder of images to predict")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labels")
    parser.add_argument("--budget", type=float, default=60, help="seconds of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    begun = time.perf_counter()
    images, truths = (list(read_folder(chosen.train / kind).values()) for kind in ("images", "labels"))
    held = max(1, len(images) // 5) if len(images) > 1 else 0
    # A tenth of the time is kept for choosing the threshold, on few images.
    forest = fit(images[held:], truths[held:], begun + 0.9 * chosen.budget, chosen.seed, chosen.threads)
    threshold = choose_threshold(forest, images[: min(held, 5)], truths[: min(held, 5)]) if held else 0.6
    trained = time.perf_counter()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, image in read_folder(chosen.test).items():
        tifffile.imwrite(chosen.out / f"{name}.tif", decode(probabilities(forest, image), threshold))
    figures = {"steps": forest.n_estimators, "train_seconds": trained - begun}
    print(json.dumps(figures | {"predict_seconds": time.perf_counter() - trained, "seed_threshold": threshold}))


if __name__ == "__main__":
    main()
