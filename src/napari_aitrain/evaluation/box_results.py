"""What an evaluation of a model found, box by box, as sums that add up; and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PrivateAttr, ValidationError

from ..annotation.boxes import Role
from ..errors import VolumeError
from ..geometry import Region, Triple
from ..tasks.protocol import FloatArray
from ..tasks.tally import InstanceTally
from ..volumes.atomic import atomic_write_text
from .compare import Comparison
from .curve import ScoreCounts
from .sums import ClassSums, NeuronSums, ObjectSums, Part, ScoreSums

FORMAT_VERSION = 1
EVALUATION = "evaluation.json"
ROLES: tuple[Role, ...] = ("train", "validation", "test")
ErrorKind = Literal["missed", "false", "merged", "split"]
Point = tuple[float, float, float]


class BoxResult(Part):
    """How a model did in one box, at the threshold that is locked into it.

    Whatever is said of several boxes is made from the sum of these, see `figures` and `bootstrap`.
    """

    number: Annotated[int, Field(ge=0, description="Names its arrays, ``boxes/NNN-…npy`` beside this file.")]
    role: Role
    name: str
    source: Annotated[str, Field(description="The image file.")]
    labels: Annotated[str, Field(description="The ground-truth file.")]
    start: Annotated[Triple, Field(description="z, y, x, in voxels of the finest level of the image.")]
    stop: Triple
    magnification: Annotated[Triple, Field(description="z, y, x: that of the prediction.")]
    fingerprint: Annotated[str, Field(description="Of the image, to recognise it at another place.")] = ""
    voxels: Annotated[int, Field(description="Labelled voxels, at that magnification.")]
    objects: Annotated[
        ObjectSums | None, Field(description="Of objects, or of connected pieces of classes; none of sparse classes.")
    ] = None
    classes: ClassSums | None = None
    neurons: NeuronSums | None = None
    scores: Annotated[
        tuple[float, ...], Field(description="Of each predicted object that the truth can judge, whatever its score.")
    ] = ()
    ious: Annotated[
        tuple[float, ...], Field(description="Of these objects and their partner in the truth; 0 without one.")
    ] = ()
    n_truth: Annotated[int, Field(description="Objects in the truth.")] = 0
    voxel_scores: Annotated[ScoreSums | None, Field(description="Of voxels of classes.")] = None
    mistakes: dict[ErrorKind, int] = Field(default={}, description="How many objects are wrong, by kind.")
    seconds: Annotated[float, Field(description="For prediction and comparison.")] = 0.0

    @property
    def region(self) -> Region:
        """Where it lies, in voxels of the finest level."""
        return Region(self.start, self.stop)

    @property
    def place(self) -> tuple[str, Triple, Triple]:
        """What tells the box from others: its image and where it lies."""
        return self.fingerprint or self.source, self.start, self.stop

    def comparison(self) -> Comparison:
        """Return the sums that figures at the locked threshold are made from."""
        return Comparison(
            InstanceTally.nothing() if self.objects is None else self.objects.tally(),
            None if self.classes is None else self.classes.confusion(),
            None if self.neurons is None else self.neurons.agreement(),
        )

    def score_counts(self) -> ScoreCounts | None:
        """Return how many predictions have which score, and how many of these are right; None without scores."""
        if self.voxel_scores is not None:
            return self.voxel_scores.counts()
        if self.objects is None or self.neurons is not None:
            return None
        ious = np.asarray(self.ious)
        return ScoreCounts.of(np.asarray(self.scores, np.float32), ious > 0, self.n_truth)


class ObjectError(Part):
    """An object that is wrong."""

    kind: ErrorKind
    box: Annotated[int, Field(description="Number of its box.")]
    centre: Annotated[Point, Field(description="A voxel of it, z, y, x, in voxels of the finest level of the image.")]
    start: Annotated[Triple, Field(description="The box around it, in the same voxels.")]
    stop: Triple
    size: Annotated[int, Field(description="Voxels, at the magnification of the prediction.")]
    wrong: Annotated[int, Field(description="How many voxels are wrong by it: the list is sorted by this.")]
    score: Annotated[float | None, Field(description="Of the predicted object; none where nothing was found.")] = None
    iou: Annotated[float, Field(description="With what it fits best.")] = 0.0
    objects: Annotated[int, Field(description="How many were merged, or into how many it was split.")] = 1
    class_id: int | None = None


class EvaluatedModel(Part):
    """Which model was evaluated."""

    name: str
    version: int
    folder: str
    weights_sha256: str = ""
    created: datetime | None = None
    task: str
    task_settings: dict[str, Any] = Field(default={})
    instances: bool
    agglomerates: bool = False
    dims: int
    threshold: float
    classes: tuple[int, ...] = (0, 1)
    class_names: dict[int, str] = Field(default={})


class TrainingUse(Part):
    """What the training of the model used."""

    images: Annotated[int | None, Field(description="In the training set; none if that is not known.")] = None
    included: Annotated[int, Field(description="Images of which something was used.")] = 0
    boxes: dict[Role, int] = Field(default={})
    objects: dict[Role, int] = Field(default={})
    voxels: dict[Role, int] = Field(default={})
    objects_per_image: Annotated[float | None, Field(description="Mean number, of training images.")] = None
    classes: tuple[str, ...] = ()
    warnings: Annotated[tuple[str, ...], Field(description="At its start; errors would have stopped it.")] = ()
    notes: Annotated[str, Field(description="How training and validation were kept apart.")] = ""


class Caution(Part):
    """Why a figure may say something else than it seems to."""

    code: str
    message: str
    remedy: str = ""
    where: str = ""


class ModelEvaluation(Part):
    """What an evaluation found; ``evaluation.json``."""

    format_version: int = FORMAT_VERSION
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    model: EvaluatedModel
    training: TrainingUse | None = None
    boxes: tuple[BoxResult, ...] = ()
    errors: Annotated[tuple[ObjectError, ...], Field(description="The worst first.")] = ()
    warnings: tuple[Caution, ...] = ()
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """Where the file lies that it was read from, with the arrays of the boxes."""
        return self._folder

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles of which there are boxes: train, validation, test."""
        return tuple(role for role in ROLES if any(box.role == role for box in self.boxes))

    def of_role(self, role: Role) -> list[BoxResult]:
        """Return the boxes of a role."""
        return [box for box in self.boxes if box.role == role]

    def errors_of(self, role: Role) -> Iterator[ObjectError]:
        """Yield the errors in boxes of a role, the worst first."""
        numbers = {box.number for box in self.of_role(role)}
        return (error for error in self.errors if error.box in numbers)

    def scores_of(self, role: Role) -> tuple[FloatArray, FloatArray]:
        """Return score and IoU of every predicted object in boxes of a role."""
        boxes = self.of_role(role)
        scores = np.asarray([score for box in boxes for score in box.scores], np.float32)
        return scores, np.asarray([iou for box in boxes for iou in box.ious], np.float32)


def evaluation_file(path: Path) -> Path:
    """Return the file of an evaluation: itself, or that in the folder of its job."""
    return path / EVALUATION if path.is_dir() else path


def write_evaluation(path: Path, evaluation: ModelEvaluation) -> None:
    """Write an evaluation to a file, which is replaced at once."""
    atomic_write_text(path, evaluation.model_dump_json(exclude_defaults=False))


def read_evaluation(path: Path) -> ModelEvaluation:
    """Read what an evaluation found.

    Parameters
    ----------
    path : Path
        An ``evaluation.json``, or the folder of an evaluation job.

    Raises
    ------
    VolumeError
        If there is none, it is damaged, or a newer version wrote it.
    """
    file = evaluation_file(Path(path))
    again = "evaluate the model again"
    try:
        text = file.read_bytes()
        data = json.loads(text)
        if isinstance(data, dict) and int(data.get("format_version", 1)) > FORMAT_VERSION:
            raise VolumeError(
                f"{file} was written by a newer version", f"format {FORMAT_VERSION} or older", "update napari-aitrain"
            )
        found = ModelEvaluation.model_validate_json(text)
    except (FileNotFoundError, NotADirectoryError):
        raise VolumeError(f"{path} holds no evaluation", f"a folder or file with {EVALUATION}", again) from None
    except ValidationError as error:
        said = error.errors()[0]
        where = ".".join(map(str, said["loc"]))
        raise VolumeError(f"{file} is damaged: {where}: {said['msg']}", "the file as it was written", again) from error
    except (OSError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise VolumeError(f"{file} cannot be read: {error}", "the file as it was written", again) from error
    found._folder = file.parent
    return found
