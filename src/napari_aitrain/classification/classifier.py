"""A classifier of objects: plain numbers that turn features into probabilities, kept as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigError, ModelError
from ..volumes.atomic import atomic_write_text
from .classified import Classified
from .marks import Choice, Kind, ObjectClass
from .probability import Output, Row, probability_of, standardised, transformed
from .sums import Float64Array
from .table import FeatureTable

CLASSIFIER_VERSION = 1
CLASSIFIER = "classifier.json"
"""Of a model that was trained together with a classifier: beside its card."""
SUFFIX = ".classifier.json"
MOST_BYTES = 2**26


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Embedding(_Strict):
    """How what a network sees of objects becomes a few more features.

    Parameters
    ----------
    network : str
        Checksum of the weights.
    name : str
        Of the model.
    mean : tuple of float
        Of each number, taken off first.
    axes : tuple of tuple of float
        Directions in which objects differ most, one row each, scaled.
    """

    network: str
    name: str = ""
    mean: Row
    axes: tuple[Row, ...]


class Measured(_Strict):
    """How good a classifier was on marked objects that were left out, in turn, of its training.

    Parameters
    ----------
    accuracy : float
        Share that it got right; of attributes the mean over all.
    calibration_error : float
        Mean difference between how sure it was and how often it was right.
    marked : dict of str to int
        Objects per class or attribute.
    """

    accuracy: float
    calibration_error: float
    marked: dict[str, int]


class ObjectClassifier(_Strict):
    """Plain numbers; `classify` applies them.

    Parameters
    ----------
    classes : tuple of ObjectClass
        In the order of `outputs`.
    unit, dims, channels
        Of the tables that it was trained on, see `FeatureTable`.
    features : tuple of str
        Names of the features that it takes.
    logarithmic : tuple of str
        Of which features the logarithm is taken.
    mean, scale : tuple of float
        Taken off, and divided by then; features, then axes of the embedding.
    """

    format_version: int = CLASSIFIER_VERSION
    name: str = "classifier"
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    kind: Kind = "objects"
    choice: Choice = "single"
    classes: tuple[ObjectClass, ...]
    unit: str
    dims: int
    channels: tuple[str, ...] = ()
    features: tuple[str, ...]
    logarithmic: tuple[str, ...] = ()
    mean: Row
    scale: Row
    embedding: Embedding | None = None
    outputs: tuple[Output, ...]
    measured: Measured | None = None
    warnings: tuple[str, ...] = ()
    packages: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = len(self.features) + (0 if self.embedding is None else len(self.embedding.axes))
        if not (len(self.mean) == len(self.scale) == width):
            raise ValueError("mean and scale do not fit the features")
        if len(self.outputs) != len(self.classes) or not self.classes:
            raise ValueError("there is not one output per class")
        if any(len(output.weights) != width for output in self.outputs):
            raise ValueError("weights do not fit the features")
        if not np.isfinite([*self.mean, *self.scale]).all() or min(self.scale, default=1.0) <= 0:
            raise ValueError("mean and scale must be finite numbers")
        if any(output.trees is not None and output.trees.widest >= width for output in self.outputs):
            raise ValueError("trees do not fit the features")
        return self

    def check(self, table: FeatureTable) -> None:
        """Check that a table can be classified.

        Raises
        ------
        ConfigError
            If it is of other dims, of an image with other channels or without a voxel size, of boxes instead of
            objects, or lacks what the network sees.
        """
        if self.kind != table.kind:
            raise ConfigError(
                f"{self.name} was trained on {self.kind}", f"{self.kind}", f"it cannot be used for {table.kind}"
            )
        if self.dims != table.dims:
            raise ConfigError(
                f"{self.name} was trained on {self.dims}-D objects, these are {table.dims}-D",
                f"{self.dims}-D objects",
                "train it anew on some of these objects",
            )
        if len(self.channels) != len(table.channels):
            raise ConfigError(
                f"the image has {len(table.channels)} channels ({', '.join(table.channels) or 'none'})",
                f"{len(self.channels)}, as in the training of {self.name}: {', '.join(self.channels) or 'none'}",
                "choose the channels of the training, in their order",
            )
        if self.unit != table.unit:
            missing = "of this image is not known" if table.unit == "voxel" else "was not known in its training"
            raise ConfigError(
                f"{self.name} was trained on sizes in {self.unit}, and the voxel size {missing}",
                "images with a voxel size, or none, as in the training",
                "say the voxel size of this image, in nm (--voxel-size Z,Y,X), or the layer's scale and unit"
                if table.unit == "voxel"
                else "train it anew on some of these objects",
            )
        lacking = sorted(set(self.features) - set(table.names))
        if lacking:
            raise ConfigError(f"the table has no {', '.join(lacking)}", "all features of the training", "measure again")
        if len(table) and self.embedding is not None and self.embedding.network != table.network:
            raise ConfigError(
                f"{self.name} also looks at what the model {self.embedding.name} sees in objects",
                "the same model, with the same weights",
                f"choose the model {self.embedding.name}, or train the classifier without a model",
            )

    def inputs(self, table: FeatureTable) -> Float64Array:
        """Return standardised features, shape (k, n); what is not defined is 0, as in the mean."""
        rows = np.array([table.names.index(name) for name in self.features], np.int64)
        values = transformed(table.values[:, rows], self.features, self.logarithmic)
        if self.embedding is not None:
            seen = (table.embedding - np.asarray(self.embedding.mean)) @ np.asarray(self.embedding.axes).T
            values = np.concatenate([values, seen], axis=1)
        return standardised(values, np.asarray(self.mean), np.asarray(self.scale))

    def classify(self, table: FeatureTable) -> Classified:
        """Return the probability of each class, or attribute, of each object.

        Raises
        ------
        ConfigError
            See `check`.
        """
        self.check(table)
        if not len(table):
            return Classified(table.ids, self.classes, self.choice, np.zeros((0, len(self.classes)), np.float32))
        inputs = self.inputs(table)
        found = np.stack([probability_of(output, inputs) for output in self.outputs], axis=1)
        if self.choice == "single":
            found = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)
        return Classified(table.ids, self.classes, self.choice, found.astype(np.float32))

    def save(self, path: Path, *, overwrite: bool = True) -> None:
        """Write a JSON file in one step.

        Raises
        ------
        OutputExistsError, StorageError
            See `atomic_file`.
        """
        atomic_write_text(path, self.model_dump_json() + "\n", overwrite=overwrite)

    def renamed(self, names: Mapping[int, str]) -> ObjectClassifier:
        """Return the classifier with classes called as they are now, by id; others keep their names."""
        classes = tuple(one.model_copy(update={"name": names.get(one.id, one.name)}) for one in self.classes)
        return self.model_copy(update={"classes": classes})


def read_classifier(path: Path) -> ObjectClassifier:
    """Read a classifier, or that of a model's folder.

    Raises
    ------
    ModelError
        If there is none, it is damaged, or a newer version wrote it.
    """
    path = Path(path)
    file = path / CLASSIFIER if path.is_dir() else path
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        data = json.loads(file.read_text(encoding="utf-8"))
        version = int(data["format_version"])
        if version > CLASSIFIER_VERSION:
            raise ModelError(
                f"{file} was saved by a newer version (format {version})",
                f"format {CLASSIFIER_VERSION} or older",
                "update napari-aitrain",
            )
        return ObjectClassifier.model_validate(data)
    except FileNotFoundError:
        raise ModelError(
            f"{path} holds no classifier of objects",
            "a file that Classify has saved, or a model with one",
            "check the path",
        ) from None
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise ModelError(
            f"{file} is damaged: {str(error).splitlines()[0]}",
            "a classifier of objects",
            "copy it again, or train it again",
        ) from error
