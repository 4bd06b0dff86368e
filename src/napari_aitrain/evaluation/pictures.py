"""Pictures for people: image, truth, prediction and uncertainty side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import VolumeError
from ..tasks.matching import AnyLabels, Overlap
from ..tasks.protocol import FloatArray
from ..volumes import atomic_write_bytes

_COLUMNS = ("Image", "Ground truth", "Prediction", "Uncertainty (bright = unsure)")
_PANEL = 2.6
_OPACITY = 0.55
_GOLDEN = 0.61803398875


@dataclass(frozen=True)
class Row:
    """One row of a picture: a region at one moment.

    Parameters
    ----------
    title : str
        What the row shows.
    image : ndarray, shape (c, z, y, x)
    truth, prediction : ndarray of integer, shape (z, y, x)
        Negative truth is unlabelled.
    uncertainty : ndarray, shape (z, y, x)
        0 … 1.
    instances : bool
        Whether labels are ids of objects; then a predicted object has the colour of the true object it meets.
    """

    title: str
    image: npt.NDArray[Any]
    truth: AnyLabels
    prediction: AnyLabels
    uncertainty: FloatArray
    instances: bool = True

    def panels(self) -> list[FloatArray]:
        """Return the pictures of the row, each (y, x, 3) in 0 … 1, of the slice in the middle."""
        z = self.truth.shape[0] // 2
        grey = grey_levels(self.image[:, z])
        truth, prediction = np.maximum(self.truth[z], 0), self.prediction[z]
        if self.instances:
            prediction = _same_names(prediction, truth)
        unsure = np.asarray(self.uncertainty[z], np.float32)[..., None]
        # From black over orange to white, so that it reads in print too.
        heat: FloatArray = np.clip(unsure * np.array([2.0, 1.3, 1.0]) - np.array([0.0, 0.2, 0.4]), 0, 1)
        return [grey, overlay(grey, truth), overlay(grey, prediction), heat]


def side_by_side(rows: Sequence[Row]) -> bytes:
    """Return a PNG with a row per moment, under titles."""
    from matplotlib.figure import Figure

    panels = [row.panels() for row in rows]
    height, width = panels[0][0].shape[:2]
    tall = _PANEL * min(2.0, max(0.5, height / width))
    size = _PANEL * len(_COLUMNS) + 0.3, (tall + 0.1) * len(rows) + 0.4
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = figure.subplots(len(rows), len(_COLUMNS), squeeze=False)
    for line, row, pictures in zip(axes, rows, panels, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(row.title, fontsize=10)
    for axis, title in zip(axes[0], _COLUMNS, strict=True):
        axis.set_title(title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def write_progress_picture(previews: Path, out: Path, instances: bool = True) -> Path:
    """Write a PNG of the previews at the start, in the middle and at the end of a training.

    Parameters
    ----------
    previews : Path
        Folder of previews, ``NNNNNN.npz`` by step.
    out : Path
        The PNG, replaced if it is there.
    instances : bool
        Whether labels are ids of objects.

    Raises
    ------
    VolumeError
        If there is no preview.
    """
    files = sorted(previews.glob("*.npz"))
    if not files:
        raise VolumeError(f"{previews} has no previews", "a training that wrote some", "train for longer")
    # One place only, so that the rows can be compared: that of the last preview.
    place = _truth_of(files[-1])
    same = [path for path in files if np.array_equal(_truth_of(path), place)]
    chosen = sorted({0, len(same) // 2, len(same) - 1})
    atomic_write_bytes(out, side_by_side([_read_row(same[i], instances) for i in chosen]))
    return out


def _truth_of(path: Path) -> AnyLabels:
    with np.load(path, allow_pickle=False) as data:
        truth: AnyLabels = data["truth"]
        return truth


def _read_row(path: Path, instances: bool) -> Row:
    with np.load(path, allow_pickle=False) as data:
        title = f"step {int(data['step'])}, {float(data['seconds']):.0f} s"
        unsure = data["uncertainty"].astype(np.float32) / 255
        return Row(title, data["image"], data["truth"], data["labels"], unsure, instances)


def grey_levels(image: npt.NDArray[Any]) -> FloatArray:
    """Return a (c, y, x) image as (y, x, 3) in 0 … 1; two or three channels become colours, more their mean."""
    low, high = (np.percentile(image, q, axis=(1, 2), keepdims=True) for q in (0.5, 99.8))
    scaled = np.clip((image.astype(np.float32) - low) / np.maximum(high - low, 1e-6), 0, 1)
    if scaled.shape[0] not in (2, 3):
        scaled = scaled.mean(axis=0, keepdims=True).repeat(3, axis=0)
    elif scaled.shape[0] == 2:
        scaled = np.concatenate([scaled, np.zeros_like(scaled[:1])])
    shown: FloatArray = np.moveaxis(scaled, 0, -1).astype(np.float32)
    return shown


def overlay(grey: FloatArray, labels: AnyLabels) -> FloatArray:
    """Return the picture with every id but 0 in a colour of its own."""
    from matplotlib.colors import hsv_to_rgb

    hue = (labels * _GOLDEN) % 1
    value = np.where(labels % 2 == 0, 1.0, 0.8)
    colour = hsv_to_rgb(np.stack([hue, np.full(hue.shape, 0.75), value], axis=-1))
    mixed: FloatArray = np.where(labels[..., None] > 0, (1 - _OPACITY) * grey + _OPACITY * colour, grey)
    return mixed.astype(np.float32)


def _same_names(prediction: AnyLabels, truth: AnyLabels) -> AnyLabels:
    """Give predicted objects the id of the true object that they meet, and the others ids beyond all of those."""
    table = np.arange(int(prediction.max(initial=0)) + 1) + int(truth.max(initial=0))
    table[0] = 0
    true_ids, predicted_ids, _ = Overlap.count(prediction, truth).match(0.1)
    table[predicted_ids] = true_ids
    return table[prediction]
