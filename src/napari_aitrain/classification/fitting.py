"""Learns a classifier from a few marked objects."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from ..errors import NotReadyError
from .classifier import Embedding, Measured, ObjectClassifier
from .examples import Marked, learnable, rows_of, together
from .features import LOGARITHMIC
from .forest import as_rows
from .marks import MarkSheet, ObjectClass
from .one_against_all import BoolArray, Fit, fit_output
from .probability import standardised, transformed
from .sums import Float64Array
from .table import FeatureTable

COMPONENTS = 16
_MOST_OBJECTS = 20_000


def fit_classifier(
    marked: Sequence[Marked], sheet: MarkSheet, *, name: str = "classifier", model_name: str = "", seed: int = 0
) -> ObjectClassifier:
    """Learn a classifier.

    Parameters
    ----------
    marked : sequence of Marked
        One per image.
    sheet : MarkSheet
        Whose classes and choice hold for all; its marks are not looked at.
    name : str
        Of the classifier.
    model_name : str
        Of the model whose embedding the tables hold.
    seed : int
        Of the trees, and of who is left out.

    Raises
    ------
    NotReadyError
        If too little was marked: nothing, one class alone, or one object of each class.
    ConfigError
        If tables do not go together.
    """
    tables = together([one.table for one in marked])
    rows, said = rows_of(marked)
    classes, notes = learnable(sheet, said)
    first, inputs = tables[0], _inputs(tables, model_name)
    fits = [fit_output(inputs.values[rows], np.array([one.id in s for s in said]), seed) for one in classes]
    if sheet.choice == "single" and len(classes) == 2:
        fits[1] = fits[0].turned()
    return ObjectClassifier(
        name=name,
        kind=sheet.kind,
        choice=sheet.choice,
        classes=tuple(classes),
        unit=first.unit,
        dims=first.dims,
        channels=first.channels,
        features=inputs.names,
        logarithmic=tuple(n for n in inputs.names if n in LOGARITHMIC),
        mean=tuple(inputs.mean.tolist()),
        scale=tuple(inputs.scale.tolist()),
        embedding=inputs.embedding,
        outputs=tuple(fit.output for fit in fits),
        measured=_measured(fits, classes, sheet, said),
        warnings=tuple(notes),
        packages={one: version(one) for one in ("napari-aitrain", "scikit-learn", "numpy")},
    )


@dataclass(frozen=True)
class _Inputs:
    """What a classifier takes of all objects, and how it is made of their features.

    `values` has a row per object, of the features in `names` and then the axes of the embedding, standardised by `mean`
    and `scale`.
    """

    values: Float64Array
    names: tuple[str, ...]
    mean: Float64Array
    scale: Float64Array
    embedding: Embedding | None


def _inputs(tables: Sequence[FeatureTable], model_name: str) -> _Inputs:
    first = tables[0]
    logarithmic = tuple(n for n in first.names if n in LOGARITHMIC)
    raw = np.concatenate([transformed(t.values, t.names, logarithmic) for t in tables])
    # Features that are the same for all say nothing, and neither do those that nothing has.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    useful = np.isfinite(scale) & (scale > 1e-9)
    names = tuple(n for n, there in zip(first.names, useful, strict=True) if there)
    raw, mean, scale = raw[:, useful], mean[useful], scale[useful]
    embedding = _embedding(np.concatenate([t.embedding for t in tables]), first.network, model_name)
    if embedding is not None:
        seen = np.concatenate([t.embedding for t in tables]) - np.asarray(embedding.mean)
        raw = np.concatenate([raw, seen @ np.asarray(embedding.axes).T], axis=1)
        mean = np.append(mean, np.zeros(len(embedding.axes)))
        scale = np.append(scale, np.ones(len(embedding.axes)))
    if not raw.shape[1]:
        raise NotReadyError(
            "all objects are alike", "objects that differ in something", "mark objects of another image"
        )
    return _Inputs(standardised(raw, mean, scale), names, mean, scale, embedding)


def _embedding(seen: npt.NDArray[np.float32], network: str, name: str) -> Embedding | None:
    """Return the directions in which embeddings of all objects differ most; the largest has a spread of 1."""
    if not network or not seen.shape[1] or len(seen) < 3:
        return None
    mean: Float64Array = np.nanmean(seen, axis=0, dtype=np.float64)
    off = np.nan_to_num(seen[:_MOST_OBJECTS] - mean)
    _, strength, axes = np.linalg.svd(off, full_matrices=False)
    kept = strength > 1e-6 * max(strength[0], 1e-12)
    axes = axes[kept][:COMPONENTS]
    if not len(axes):
        return None
    spread = strength[0] / np.sqrt(len(off))
    return Embedding(network=network, name=name, mean=tuple(mean.tolist()), axes=as_rows((axes / spread).tolist()))


def _measured(
    fits: Sequence[Fit], classes: Sequence[ObjectClass], sheet: MarkSheet, said: Sequence[tuple[int, ...]]
) -> Measured:
    held_out = np.stack([fit.held_out for fit in fits], axis=1)
    truth = np.stack([fit.truth for fit in fits], axis=1)
    if sheet.choice == "single":
        asked = truth.any(axis=1)
        shares = held_out[asked] / np.maximum(held_out[asked].sum(axis=1, keepdims=True), 1e-12)
        sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth[asked].argmax(axis=1)
    else:
        sure = np.maximum(held_out, 1 - held_out).ravel()
        right = ((held_out >= 0.5) == truth).ravel()
    marked = {one.name: sum(one.id in answer for answer in said) for one in classes}
    return Measured(accuracy=float(right.mean()), calibration_error=calibration_error(sure, right), marked=marked)


def calibration_error(sure: npt.NDArray[np.floating], right: BoolArray, bins: int = 10) -> float:
    """Return the mean difference between how sure it was and how often it was right, in bins of sureness."""
    place = np.minimum((np.asarray(sure, np.float64) * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, sure, bins) - np.bincount(place, right, bins))
    return float(gap.sum() / max(1, count.sum()))
