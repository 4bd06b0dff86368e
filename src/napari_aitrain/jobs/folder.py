"""The job folder: everything there is to know about a job, on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import AitrainError, ConfigError, JobError, OutputExistsError
from ..evaluation.box_records import BOXES
from ..evaluation.box_results import EVALUATION
from ..models.folder import read_card
from ..tasks import is_foreign
from ..tasks.script_store import SCRIPT_COPY, content_of, find_script, is_script
from ..training.config import TrainConfig
from ..training.config_file import config_to_yaml, read_config
from ..training.crops import freeze_plan
from ..training.plan import Plan
from ..volumes.atomic import atomic_folder, atomic_write_bytes, atomic_write_text, storage_errors
from . import registry
from .evaluate_config import EVALUATION_KIND, EvaluateConfig, evaluate_config_to_yaml, read_evaluate_config
from .events import ACTIVE, EVENTS, Event, EventLog, State, read_events, told_state
from .follow import Follower
from .lines import append_line
from .lock import LOCK, Lock, living_owner
from .predict_config import KIND, PredictConfig, predict_config_to_yaml, read_predict_config, read_yaml
from .settling import settled_evaluation, settled_prediction, settled_training

CONFIG = "job.yaml"
CONTROL = "control.jsonl"
LOG = "worker.log"
RESERVE = ".reserve"
COMING = "coming.txt"
"""There while a worker that is to run the job has not begun."""
TURN = "turn.txt"
"""Says when a job in the queue has its turn, where a person has moved it."""
_OWN_FILES = (CONFIG, CONTROL, LOG, EVENTS, LOCK, RESERVE, TURN, COMING, SCRIPT_COPY, EVALUATION)
PREDICTION = "prediction"
OUTPUTS = "labels"
"""Of the images of a folder, where nobody says where else to."""
_OWN_FOLDERS = ("crops", "checkpoints", "previews", "views", "model", PREDICTION, OUTPUTS, BOXES)
Kind = Literal["training", "prediction", "evaluation"]


def refuse_filled(folder: Path) -> None:
    """Raise `OutputExistsError` if something is there that is not an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExistsError(
            f"{folder} exists and is not empty",
            "a new or an empty folder",
            f"choose another --out, or go on with `napari-aitrain jobs resume {folder}`",
        )


@dataclass(frozen=True)
class JobFolder:
    """A job on disk.

    Parameters
    ----------
    path : Path
        Holds ``job.yaml``; beside it ``events.jsonl``, ``crops/``, ``checkpoints/``, ``previews/`` and ``model/``.
    """

    path: Path

    @classmethod
    def create(cls, config: TrainConfig, folder: Path, plan: Plan | None = None) -> JobFolder:
        """Freeze the training set and write a job that can be run: the whole folder, or nothing of it.

        Parameters
        ----------
        config : TrainConfig
            What is to be trained.
        folder : Path
            New or empty.
        plan : Plan, optional
            What `plan_crops` made of the config, if that is known already: reading all labels again takes time.

        Raises
        ------
        OutputExistsError
            If the folder exists and is not empty.
        StorageError
            If it cannot be written.
        AitrainError
            Whatever stands against the start.
        """
        folder = Path(folder).absolute()
        refuse_filled(folder)
        config, plan = settled_training(config, plan)

        def fill(place: Path) -> None:
            freeze_plan(plan, place)
            if is_script(config.task):
                atomic_write_bytes(place / SCRIPT_COPY, content_of(find_script(config.task)))

        return cls._write(folder, config_to_yaml(config), fill)

    @classmethod
    def create_prediction(cls, config: PredictConfig, folder: Path) -> JobFolder:
        """Write a job that predicts an image, or all images of a folder.

        The result is the stored prediction in ``prediction``; of a folder, the labels in `out`, by default ``labels``.

        Parameters
        ----------
        config : PredictConfig
            What is to be predicted with which model.
        folder : Path
            New or empty.

        Raises
        ------
        OutputExistsError
            If the folder exists and is not empty.
        StorageError
            If it cannot be written.
        AitrainError
            If the model or the image cannot be opened, or the device is not known.
        """
        folder = Path(folder).absolute()
        refuse_filled(folder)
        return cls._write(folder, predict_config_to_yaml(settled_prediction(config, folder / OUTPUTS)))

    @classmethod
    def create_evaluation(cls, config: EvaluateConfig, folder: Path) -> JobFolder:
        """Write a job that evaluates a model on boxes with ground truth: the result is ``evaluation.json``.

        Parameters
        ----------
        config : EvaluateConfig
            Which model, and which boxes.
        folder : Path
            New or empty.

        Raises
        ------
        OutputExistsError
            If the folder exists and is not empty.
        StorageError
            If it cannot be written.
        AitrainError
            If the model cannot be opened, the device is not known, or there are no sources.
        """
        folder = Path(folder).absolute()
        refuse_filled(folder)
        return cls._write(folder, evaluate_config_to_yaml(settled_evaluation(config)))

    @classmethod
    def _write(cls, folder: Path, config: str, fill: Callable[[Path], object] = lambda place: None) -> JobFolder:
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rmdir()
        with atomic_folder(folder) as place:
            atomic_write_text(place / CONFIG, config)
            fill(place)
            EventLog(place).emit("state", state="queued")
        registry.add(folder)
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> JobFolder:
        """Return the job in a folder.

        Raises
        ------
        JobError
            If the folder is not that of a job.
        """
        folder = Path(folder).absolute()
        if not (folder / CONFIG).is_file():
            raise JobError(
                f"{folder} is not the folder of a job" if folder.exists() else f"{folder} does not exist",
                f"a folder with {CONFIG}",
                "see `napari-aitrain jobs list`",
            )
        return cls(folder)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def model(self) -> Path:
        """Where the model is, once there is one."""
        return self.path / "model"

    @property
    def log(self) -> Path:
        """What the worker printed, and the traceback of a failure."""
        return self.path / LOG

    @property
    def kind(self) -> Kind:
        """What the job is; one whose config cannot be read counts as a training."""
        try:
            data = read_yaml(self.path / CONFIG)
        except ConfigError:
            return "training"
        told = data.get("kind") if isinstance(data, dict) else None
        return told if told in (KIND, EVALUATION_KIND) else "training"

    @property
    def predicts(self) -> bool:
        """Whether it is a prediction job."""
        return self.kind == KIND

    @property
    def evaluation(self) -> Path:
        """Where the result of an evaluation is, once it is finished."""
        return self.path / EVALUATION

    @property
    def runs_code(self) -> bool:
        """Whether its task is other people's code; of a job that cannot be read, no."""
        try:
            settings = self.settings()
            task = settings.task if isinstance(settings, TrainConfig) else read_card(settings.model).task
        except AitrainError:
            return False
        return is_foreign(task)

    @property
    def prediction(self) -> Path:
        """Where the stored prediction of a prediction job is."""
        return self.path / PREDICTION

    def config(self) -> TrainConfig:
        """Read the config of a training.

        Raises
        ------
        ConfigError
            If it was changed to something that cannot be run, or is that of a prediction.
        """
        return read_config(self.path / CONFIG)

    def settings(self) -> TrainConfig | PredictConfig | EvaluateConfig:
        """Read the config, of a training, a prediction or an evaluation.

        Raises
        ------
        ConfigError
            If it was changed to something that cannot be run.
        """
        kind = self.kind
        if kind == KIND:
            return read_predict_config(self.path / CONFIG)
        return self.config() if kind == "training" else read_evaluate_config(self.path / CONFIG)

    def events(self) -> list[Event]:
        """Return every event so far."""
        return read_events(self.path)

    def state(self) -> State:
        """Return the state, from the events and from whether the worker lives.

        Raises
        ------
        JobError
            If the folder has gone.
        """
        self.open(self.path)
        told = told_state(self.events()) or "queued"
        if told in ACTIVE and living_owner(self.path) is None:
            # Between reading the two the worker may have ended well.
            told = told_state(self.events()) or "queued"
            return "interrupted" if told in ACTIVE else told
        return told

    def enqueue(self) -> None:
        """Mark the job as to be run (again).

        Raises
        ------
        JobError
            If a process is running it.
        """
        with Lock(self.path):
            EventLog(self.path).emit("state", state="queued")

    def send(self, message: dict[str, Any]) -> None:
        """Leave a control message for the worker, from whichever process."""
        append_line(self.path / CONTROL, message, durable=True)

    def follow(self, since: int = 0, alive: Callable[[], bool] | None = None) -> Iterator[Event]:
        """Yield events as they come, until the job has ended.

        Parameters
        ----------
        since : int
            Yield only events with a higher number.
        alive : callable, optional
            Whether a worker that was just started, and may not hold the job yet, still lives.
        """
        yield from Follower(self, since=since, alive=alive)

    def remove(self) -> None:
        """Delete what the job wrote, its model too; files of another origin stay, and so does their folder.

        Raises
        ------
        JobError
            If it is running.
        """
        with Lock(self.path), storage_errors(self.path):
            for name in _OWN_FOLDERS:
                if (self.path / name).exists():
                    shutil.rmtree(self.path / name)
        with storage_errors(self.path):
            for path in [*(self.path / name for name in _OWN_FILES), *self.path.glob("worker-[0-9]*.log")]:
                path.unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()
        registry.discard(self.path)
