"""What each starter model is trained on and, apart from that, tested on, as folders of TIFF files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from synthetic import inverted, slice_of_nuclei, volume_of_nuclei, zoomed
from tissue import stained_tissue

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from data import data_folder, load_nuclei, split_nuclei

Array = npt.NDArray[np.generic]
Pair = tuple[str, Array, Array]
SYNTHETIC_FROM = 10_000
"""Seeds of computed images; those of the tests and the demo are lower."""
DARK = 7
"""One in so many real images has dark and bright exchanged."""
ZOOMS = (0.6, 1.6, 2.5)
"""One in so many real images is seen at one of these magnifications."""
SHRUNK = (0.75, 0.55, 0.4)
"""The one real volume is also seen at these magnifications."""
Z_TRAIN = 100
"""Slices of FIB-25 below this are trained on."""


def nuclei_2d(short: bool) -> tuple[Iterator[Pair], Iterator[Pair]]:
    """DSB 2018 (CC0): the training images of the benchmarks, and computed ones; tested on the others."""
    train, test = split_nuclei(load_nuclei())
    count = 12 if short else len(train)

    def learned() -> Iterator[Pair]:
        for number, one in enumerate(train[:count]):
            image = inverted(one.image) if number % DARK == DARK - 1 else one.image
            if number % len(ZOOMS) < len(ZOOMS) - 1:
                yield one.name, image, one.labels
            else:
                yield one.name, *zoomed(image, one.labels, ZOOMS[number // len(ZOOMS) % len(ZOOMS)])
        for number in range(count // 5):
            yield f"synthetic-{number:03d}", *slice_of_nuclei(SYNTHETIC_FROM + number)
        for number in range(count // 2):
            yield f"stained-{number:03d}", *stained_tissue(SYNTHETIC_FROM + number)

    return learned(), ((one.name, one.image, one.labels) for one in test[: 6 if short else None])


def nuclei_3d(short: bool) -> tuple[Iterator[Pair], Iterator[Pair]]:
    """One half of cells3d (public domain) and computed volumes; tested on the other half and on plantseg's nuclei."""
    folder = data_folder("nuclei3d-cells3d")
    image, labels = tifffile.imread(folder / "image.tif"), tifffile.imread(folder / "labels_silver.tif")
    plants = data_folder("nuclei3d-plantseg")
    half = image.shape[2] // 2

    def learned() -> Iterator[Pair]:
        whole = image[..., :half], labels[..., :half]
        yield "cells3d-left", *whole
        for number, factor in enumerate(() if short else SHRUNK):
            yield f"cells3d-left-{number}", *zoomed(*whole, factor)
        for number in range(3 if short else 60):
            yield f"synthetic-{number:03d}", *volume_of_nuclei(SYNTHETIC_FROM + number)

    def unseen() -> Iterator[Pair]:
        yield "cells3d-right", image[..., half:], labels[..., half:]
        if not short:
            names = "image_nuclei_1135.tif", "labels_nuclei_1135.tif"
            yield "plantseg-1135", *(tifffile.imread(plants / name) for name in names)

    return learned(), unseen()


def em_neurons(short: bool) -> tuple[Iterator[Pair], Iterator[Pair]]:
    """FIB-25 (CC BY 3.0): its first 100 slices; tested on the other 50."""
    folder = data_folder("em-neurons-fib25")
    image, labels = tifffile.imread(folder / "image.tif"), tifffile.imread(folder / "labels.tif")
    side = 96 if short else None
    cut = np.s_[:, :side, :side]
    return (
        iter([("fib25-000-099", image[:Z_TRAIN][cut], labels[:Z_TRAIN][cut])]),
        iter([("fib25-100-149", image[Z_TRAIN:][cut], labels[Z_TRAIN:][cut])]),
    )


def sources(name: str) -> tuple[str, ...]:
    """Return what a starter model is trained on, for its card."""
    return {
        "nuclei-2d": (
            "DSB 2018, stage 1, 292 images (CC0, Caicedo et al. 2019)",
            "computed images of fluorescence and of stained tissue (starters/synthetic.py, starters/tissue.py)",
        ),
        "nuclei-3d": ("cells3d, left half (public domain, scikit-image)", "computed volumes (starters/synthetic.py)"),
        "em-neurons": ("FIB-25, slices 0-99 (CC BY 3.0, Takemura et al. 2015)",),
    }[name]


def write(pairs: Iterable[Pair], folder: Path) -> Path:
    """Write ``images/NAME.tif`` and ``labels/NAME.tif``; return the folder."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, image, labels in pairs:
        tifffile.imwrite(folder / "images" / f"{name}.tif", image)
        tifffile.imwrite(folder / "labels" / f"{name}.tif", labels)
    return folder
