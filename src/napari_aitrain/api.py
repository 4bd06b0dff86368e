"""The same things from Python: `train`, `predict`, `evaluate`, `evaluate_model` and `load_model`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from .annotation.boxes import Box
from .errors import ConfigError, JobError
from .jobs import Event, JobFolder, Worker
from .jobs.evaluate_here import evaluate_model
from .jobs.failure import as_error
from .jobs.folder import refuse_filled
from .jobs.given import Array, Images, PathLike, config_from
from .jobs.summary import default_folder, summarise
from .models import Model, find_model, load_model
from .training.config import TrainConfig
from .volumes.atomic import atomic_write_array

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .inference import PredictedImage

__all__ = ["Prediction", "TrainResult", "evaluate", "evaluate_model", "load_model", "predict", "train"]


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Parameters
    ----------
    model, job : Path
        The model's folder and the job's.
    steps : int
        Steps taken.
    seconds : float
        Time of training, without pauses.
    best : float or None
        The best validation score; None where nothing could be validated.
    device, precision : str
        Where and how it was computed.
    """

    model: Path
    job: Path
    steps: int
    seconds: float
    best: float | None
    device: str
    precision: str

    def load(self) -> Model:
        """Open the model."""
        return load_model(self.model)


@dataclass(frozen=True)
class Prediction:
    """A prediction in memory.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        As the threshold leaves them.
    scores : ndarray of float32, shape (n + 1,)
        By id of object, before the threshold; empty for classes.
    threshold : float
        That was applied.
    """

    labels: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    threshold: float


def train(
    config: TrainConfig | None = None,
    *,
    image: Images | None = None,
    labels: Images | None = None,
    boxes: PathLike | Sequence[Box] | Sequence[PathLike | Sequence[Box]] | None = None,
    out: PathLike | None = None,
    on_event: Callable[[Event], None] | None = None,
    processes: int = 1,
    **settings: Any,
) -> TrainResult:
    """Train a model in a worker process and wait for it.

    Parameters
    ----------
    config : TrainConfig, optional
        Everything; or instead of it:
    image, labels : path, array, or a sequence of these
        Images and their ground truth, by order. Arrays are saved beside the job.
    boxes : path or sequence of Box, or one of these per image, optional
        What to use of each image; everything that is labelled if not given.
    out : path, optional
        New folder for the job; its model is ``out/model``. By name and time in the user's folder if not given.
    on_event : callable, optional
        Called with every event, such as progress.
    processes : int
        How many processes of this machine train together, with a GPU each.
    **settings
        ``task``, ``minutes``, ``steps`` and every other setting of `TrainConfig`; ``magnification``, ``voxel_size``
        and the other settings of a `Source` hold for all images.

    Returns
    -------
    TrainResult

    Raises
    ------
    AitrainError
        Whatever stands against the start or made it fail.
    JobError
        If the worker was killed; `napari-aitrain jobs resume` goes on.
    """
    folder = Path(out) if out is not None else default_folder(str(settings.get("name", "model")))
    refuse_filled(folder)
    if config is None:
        config = config_from(image, labels, boxes, folder, settings)
    elif image is not None or labels is not None or boxes is not None or settings:
        raise ConfigError("both a config and settings are given", "one or the other", "use config.model_copy(update=…)")
    job = JobFolder.create(config, folder)
    worker = Worker(job, processes=processes)
    try:
        for event in job.follow(alive=lambda: worker.alive):
            if on_event is not None:
                on_event(event)
    except KeyboardInterrupt:
        worker.stop()
        raise
    worker.process.wait()
    return _result(job)


def _result(job: JobFolder) -> TrainResult:
    summary = summarise(job)
    if "failed" in summary:
        raise as_error(summary["failed"])
    if summary["state"] not in ("done", "stopped") or summary["model"] is None:
        raise JobError(
            f"the worker of {job.name} has gone; the job is {summary['state']}",
            "a worker that runs to the end",
            f"see {job.log}, and go on with `napari-aitrain jobs resume {job.path}`",
        )
    figures = {key: summary[key] for key in ("steps", "seconds", "best", "device", "precision")}
    return TrainResult(model=Path(summary["model"]), job=job.path, **figures)


@overload
def predict(
    model: Model | PathLike,
    image: PathLike | Array,
    out: None = None,
    *,
    threshold: float | None = None,
    device: str = "auto",
    resample: bool = False,
    diameter: float | Literal["auto"] | None = None,
) -> Prediction: ...


@overload
def predict(
    model: Model | PathLike,
    image: PathLike,
    out: PathLike,
    *,
    threshold: float | None = None,
    device: str = "auto",
    resample: bool = False,
    diameter: float | Literal["auto"] | None = None,
    resume: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    near: Sequence[float] | None = None,
) -> list[PredictedImage]: ...


def predict(
    model: Model | PathLike,
    image: PathLike | Array,
    out: PathLike | None = None,
    *,
    threshold: float | None = None,
    device: str = "auto",
    resample: bool = False,
    diameter: float | Literal["auto"] | None = None,
    resume: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    near: Sequence[float] | None = None,
) -> Prediction | list[PredictedImage]:
    """Run a model on an image.

    Parameters
    ----------
    model : Model or path
        A model, its folder, the folder of its job, or its name.
    image : path or array
        A file or, with `out`, a folder of images.
    out : path, optional
        Where to write labels and scores; without it they are returned, and held in memory.
    threshold : float, optional
        0 … 1; the model's own if not given.
    device : str
        auto, cpu, cuda, cuda:N or mps.
    resample : bool
        Bring the image to the voxel size of the training.
    diameter : float or 'auto', optional
        Of the objects, in voxels: they are seen as large as those that the model has learned.
    resume : bool
        With `out`, go on with a prediction that was broken off.
    scheduler : str, optional
        With `out`, who computes: ``local``, ``threads`` or ``tcp://HOST:PORT``; this process alone if not given.
    workers : int, optional
        How many ``local`` and ``threads`` start.
    near : tuple of float, optional
        With `out`, z, y, x in voxels of the image: what is near is made first.

    Returns
    -------
    Prediction or list of PredictedImage
        In memory, or one per image written.

    Raises
    ------
    AitrainError
        If the model, the image or the output is not right.
    """
    from .inference import make_network, predict_volume
    from .inference import predict as predict_files
    from .inference.sizing import sized
    from .volumes import Volume, open_volume

    opened = model if isinstance(model, Model) else find_model(model)
    if out is not None:
        if not isinstance(image, (str, Path)):
            raise ConfigError("an array is to be predicted into a file", "a path, or no out", "leave out away")
        return predict_files(
            opened.folder, image, out, threshold=threshold, resume=resume, device=device, resample=resample,
            diameter=diameter, scheduler=scheduler, workers=workers, near=near,
        )  # fmt: skip
    volume = open_volume(image) if isinstance(image, (str, Path)) else Volume.from_array(image)
    seen = sized(opened, volume, diameter, lambda: make_network(opened.of_scale(1.0), device), resample)
    with tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as place:
        stored = predict_volume(seen, volume, Path(place) / "store", device=device, resample=resample)
        wanted = stored.info.threshold if threshold is None else threshold
        return Prediction(stored.labels(threshold=wanted), np.array(stored.scores), wanted)


def evaluate(
    prediction: PathLike | Array,
    truth: PathLike | Array,
    *,
    task: Literal["auto", "instances", "semantic"] = "auto",
    sparse: bool = False,
) -> Evaluation:
    """Compare a prediction with ground truth: files, folders of files, or arrays of labels.

    Parameters
    ----------
    prediction, truth : path or array
        Both of one kind.
    task : {'auto', 'instances', 'semantic'}
        What the labels are; ``'auto'`` guesses.
    sparse : bool
        Whether 0 in the truth means unlabelled.

    Returns
    -------
    Evaluation
        `Evaluation.metrics` holds the figures.

    Raises
    ------
    AitrainError
        If files cannot be read or shapes differ.
    """
    from .evaluation import evaluate_files

    if isinstance(prediction, (str, Path)) and isinstance(truth, (str, Path)):
        return evaluate_files(prediction, truth, task=task, sparse=sparse)
    if not (isinstance(prediction, np.ndarray) and isinstance(truth, np.ndarray)):
        raise ConfigError("a file is compared with an array", "two files, two folders or two arrays", "open the file")
    with tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as place:
        paths = Path(place) / "prediction.npy", Path(place) / "truth.npy"
        for path, array in zip(paths, (prediction, truth), strict=True):
            atomic_write_array(path, array)
        return evaluate_files(*paths, task=task, sparse=sparse)
