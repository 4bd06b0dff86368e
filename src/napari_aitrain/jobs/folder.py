"""The job folder: everything there is to know about a job, on disk."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, JobError, OutputExistsError
from ..models import load_model
from ..tasks import make_task
from ..training.config import TrainConfig, config_to_yaml, read_config
from ..training.crops import freeze_plan
from ..training.plan import Plan, plan_crops
from ..volumes.atomic import atomic_folder, atomic_write_text, storage_errors
from . import registry
from .events import ACTIVE, ENDED, EVENTS, Event, EventLog, EventTail, State, read_events, told_state
from .lines import append_line
from .lock import LOCK, Lock, living_owner

CONFIG = "job.yaml"
CONTROL = "control.jsonl"
LOG = "worker.log"
_POLL = 0.05
_OWN_FILES = (CONFIG, CONTROL, LOG, EVENTS, LOCK)
_OWN_FOLDERS = ("crops", "checkpoints", "previews", "model")


def refuse_filled(folder: Path) -> None:
    """Raise `OutputExistsError` if something is there that is not an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExistsError(
            f"{folder} exists and is not empty",
            "a new or an empty folder",
            f"choose another --out, or go on with `napari-aitrain jobs resume {folder}`",
        )


def check_settings(config: TrainConfig) -> None:
    """Check what can be checked without torch and without reading images.

    Raises
    ------
    ConfigError
        If the task, one of its settings or the device is not known.
    ModelError
        If the model to go on from cannot be opened.
    """
    make_task(config.task, config.task_settings)
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", config.device):
        raise ConfigError(
            f"device {config.device!r} is not known", "auto, cpu, cuda, cuda:N or mps", "use --device auto"
        )
    if config.initial_model is not None:
        load_model(config.initial_model)


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
        check_settings(config)
        plan = plan_crops(config) if plan is None else plan
        plan.raise_errors()
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rmdir()
        with atomic_folder(folder) as place:
            atomic_write_text(place / CONFIG, config_to_yaml(config))
            freeze_plan(plan, place)
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

    def config(self) -> TrainConfig:
        """Read the config.

        Raises
        ------
        ConfigError
            If it was changed to something that cannot be run.
        """
        return read_config(self.path / CONFIG)

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
        tail = EventTail(self.path)
        told: State | None = None
        while True:
            held = living_owner(self.path) is not None
            starting = alive is not None and alive()
            new = tail.read()
            told = told_state(new, told)
            yield from (event for event in new if event.seq > since)
            if not held and (told in ENDED or not starting):
                return
            if not new:
                time.sleep(_POLL)

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
            for name in _OWN_FILES:
                (self.path / name).unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()
        registry.discard(self.path)
