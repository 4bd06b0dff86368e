"""Real images for the benchmarks, with a fixed split: what tests quality is never trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

TEST_IMAGES = 72
SPLIT_SEED = 2018


@dataclass(frozen=True)
class Nuclei:
    """One image, of nuclei or other cells, and its instance labels, both (y, x)."""

    name: str
    image: npt.NDArray[np.unsignedinteger]
    labels: npt.NDArray[np.uint16]


def data_folder(name: str) -> Path:
    """Return the folder of a data set: beside the project, or in the folder that ``AITRAIN_DATA`` names.

    Raises
    ------
    SystemExit
        If it is not there; the message says where it was sought.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("AITRAIN_DATA", beside)) / name
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: name the folder of the data sets with AITRAIN_DATA")
    return folder


def load_nuclei() -> list[Nuclei]:
    """Return the 364 images of nuclei-dsb2018, sorted by size and name."""
    images = []
    for path in sorted(data_folder("nuclei-dsb2018").glob("*.npz")):
        with np.load(path) as arrays:
            rows = zip(arrays["ids"].tolist(), arrays["images"], arrays["labels"], strict=True)
            images += [Nuclei(name[:16], image, labels) for name, image, labels in sorted(rows, key=lambda r: r[0])]
    return images


def split_nuclei(images: Sequence[Nuclei]) -> tuple[list[Nuclei], list[Nuclei]]:
    """Split into training and test images.

    Both hold every size in the same proportion, and so does, nearly, each beginning of the training images: the
    first 5 are among the first 20, which are among all.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    test: list[Nuclei] = []
    ranked: list[tuple[float, int, Nuclei]] = []
    for number, size in enumerate(sorted({image.image.shape for image in images})):
        group = [image for image in images if image.image.shape == size]
        shuffled = [group[index] for index in rng.permutation(len(group))]
        count = max(1, round(TEST_IMAGES * len(group) / len(images)))
        test += shuffled[:count]
        training = shuffled[count:]
        ranked += [((place + 0.5) / len(training), number, image) for place, image in enumerate(training)]
    return [image for *_, image in sorted(ranked, key=lambda row: row[:2])], test


def maize() -> tuple[list[Nuclei], list[Nuclei]]:
    """Return the maize cells of cells-membrane2d: the left 60 % of the image to train, the rest to test."""
    folder = data_folder("cells-membrane2d")
    image, labels = (tifffile.imread(folder / f"{kind}_maize_clsm.tif") for kind in ("image", "labels_auto"))
    cut = image.shape[1] * 3 // 5
    return [Nuclei("left", image[:, :cut], labels[:, :cut])], [Nuclei("right", image[:, cut:], labels[:, cut:])]


def any_folder(folder: Path) -> tuple[list[Nuclei], list[Nuclei]]:
    """Split the images of ``folder/images`` with their ``folder/labels`` by chance: at most half, and 40, to test."""
    images, labels = (read_folder(folder / kind) for kind in ("images", "labels"))
    names = [sorted(images)[index] for index in np.random.default_rng(SPLIT_SEED).permutation(len(images))]
    both = [Nuclei(name, images[name], labels[name].astype(np.uint16)) for name in names]
    count = min(40, len(both) // 2)
    return both[count:], both[:count]


def training_and_test(name: str) -> tuple[list[Nuclei], list[Nuclei]]:
    """Return what to train on and what to test with: of ``dsb``, ``maize`` or a folder."""
    if name == "dsb":
        return split_nuclei(load_nuclei())
    return maize() if name == "maize" else any_folder(Path(name))


def write_folders(images: Sequence[Nuclei], folder: Path) -> None:
    """Write ``images/NAME.tif`` and ``labels/NAME.tif`` into a folder."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for one in images:
        tifffile.imwrite(folder / "images" / f"{one.name}.tif", one.image)
        tifffile.imwrite(folder / "labels" / f"{one.name}.tif", one.labels)


def read_folder(folder: Path) -> dict[str, npt.NDArray[np.unsignedinteger]]:
    """Return the TIFF images of a folder by name."""
    return {path.name.partition(".")[0]: tifffile.imread(path).squeeze() for path in sorted(folder.glob("*.tif"))}
