"""The training loop: steps, previews, validation, checkpoints, control messages and the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import TrainingDivergedError
from ..geometry import Region
from ..nets import InferenceNetwork
from ..nets.device import describe_device
from .checkpoints import BEST, LATEST, read_checkpoint, write_checkpoint
from .config import TrainConfig
from .crops import freeze_crops
from .cropset import FOLDER, CropSet
from .finish import finish, validator
from .previews import PreviewRegion, describe, predict_preview_maps, write_preview
from .schedule import Budget, learning_rate_factor, teaching_weight
from .setup import Setup, fit_batch_size, prepare
from .teacher import Teacher

Emit = Callable[..., None]
Control = Callable[[], list[dict[str, Any]]]

FIRST_PREVIEW_STEPS = 4
PROGRESS_EVERY = 0.25
PREVIEW_SHARE = 0.04
VALIDATION_SHARE = 0.05
MAX_FALLBACKS = 2
CHECKPOINTS = "checkpoints"
BEHIND_FOREST = (
    "The previews came from the pixel forest, which still explains the validation labels better than the network. The "
    "model that is saved is the network: train longer, or paint more, above all what is wrongly taken for a class."
)


def run_training(folder: Path, config: TrainConfig, emit: Emit, control: Control) -> None:
    """Train the job in a folder, or go on with it, until its budget is spent or somebody stops it.

    Parameters
    ----------
    folder : Path
        The job folder. Crops are frozen into it unless they are there; checkpoints, previews and the model go there.
    config : TrainConfig
        The job's settings.
    emit : callable
        Called as ``emit(kind, **data)`` with what happened: state, log, warning, progress, metrics, preview,
        checkpoint and, last, done.
    control : callable
        Returns the messages that came since it was last asked: stop, pause, resume or preview.

    Raises
    ------
    AitrainError
        If the job cannot be run; `TrainingDivergedError` if the loss stays non-finite.
    """
    crops = CropSet.load(folder) if (folder / FOLDER).exists() else freeze_crops(config, folder)
    for note in crops.notes:
        emit("log", message=note)
    setup = prepare(config, crops, folder / FOLDER)
    Loop(folder, setup, emit, control).run()


@dataclass
class Loop:
    """One run of the loop; its state is what a checkpoint keeps.

    Parameters
    ----------
    folder : Path
        The job folder.
    setup : Setup
        What to train with.
    emit, control : callable
        As in `run_training`.
    """

    folder: Path
    setup: Setup
    emit: Emit
    control: Control
    seconds: float = 0.0
    best_score: float = -math.inf
    best: dict[str, Tensor] | None = None
    fallbacks: int = 0
    loss: float = math.nan
    stopping: bool = False
    teacher: Teacher | None = None
    _due: dict[str, float] = field(default_factory=dict)
    _last: float = 0.0

    def run(self) -> None:
        """Train to the end and save the model."""
        config = self.setup.config
        budget = Budget(config.steps, None if config.minutes is None else config.minutes * 60)
        self._last = time.perf_counter()
        self._restore()
        self._announce()
        crops = self.setup.crops
        shown = (crops.of_role("validation") or crops.of_role("train"))[0]
        self.preview_region = PreviewRegion.of_labels(shown, self.setup.dims)[0]
        self.quick = validator(self.setup, crops.of_role("validation")).quick()
        self.emit("state", state="running")
        self._ask_forest()
        while not self.stopping and not budget.finished(self.setup.trainer.steps, self._clock()):
            self._obey(self.control())
            if self.stopping:
                break
            spent = budget.spent(self.setup.trainer.steps, self.seconds)
            self._step(learning_rate_factor(self.setup.trainer.steps, spent))
            self._look(spent)
        self._checkpoint()
        if self.teacher is not None and self.teacher.blend == 1:
            self.emit("warning", message=BEHIND_FOREST)
        self.emit("log", message="Choosing the best weights and fitting the scores.")
        self._preview(self.setup.trainer.steps)
        result = finish(self.setup, self.folder, self.best, self.seconds)
        metrics = result.pop("metrics")
        best = metrics.get("validation", {}).get("score", self._best())
        self.emit("metrics", step=self.setup.trainer.steps, final=True, **metrics)
        self.emit("done", steps=self.setup.trainer.steps, seconds=self._clock(), best=best, **result,
                  device=describe_device(self.setup.device), precision=self._precision())  # fmt: skip

    def _clock(self) -> float:
        """Return the seconds of training so far, over all runs of the job; pauses do not count."""
        now = time.perf_counter()
        self.seconds += now - self._last
        self._last = now
        return self.seconds

    def _step(self, factor: float) -> None:
        setup = self.setup
        batch = setup.sampler.batch(setup.batch_size, setup.device, setup.trainer.steps)
        loss = setup.trainer.step(batch, factor, teaching_weight(setup.trainer.steps))
        if math.isfinite(loss):
            self.loss = loss if math.isnan(self.loss) else 0.9 * self.loss + 0.1 * loss
        else:
            self._fall_back()

    def _look(self, spent: float) -> None:
        """Report, preview, validate and save, each when it is due."""
        step, seconds = self.setup.trainer.steps, self._clock()
        if self._is_due("progress", PROGRESS_EVERY):
            self.emit("progress", step=step, loss=self.loss, seconds=seconds, fraction=spent, best=self._best())
        if step >= FIRST_PREVIEW_STEPS and self._is_due("preview", 0.0):
            self._spend("preview", self.setup.config.preview_interval, PREVIEW_SHARE, lambda: self._preview(step))
        if step > FIRST_PREVIEW_STEPS and self.quick.regions and self._is_due("validation", 5.0):
            self._spend("validation", 5.0, VALIDATION_SHARE, self._validate)
        if self._is_due("checkpoint", self.setup.config.checkpoint_interval):
            self._checkpoint()

    def _is_due(self, what: str, every: float) -> bool:
        if self.seconds < self._due.setdefault(what, every):
            return False
        self._due[what] = self.seconds + every
        return True

    def _spend(self, what: str, every: float, share: float, work: Callable[[], None]) -> None:
        """Do something that takes time, and not again before it is a small share of the whole."""
        began = self._clock()
        work()
        self._due[what] = self._clock() + max(every, (self.seconds - began) / share)

    def _runner(self) -> InferenceNetwork:
        return InferenceNetwork(self.setup.trainer.average, self.setup.device, self.setup.trainer.precision)

    def _preview(self, step: int) -> None:
        region = self.preview_region
        setup = self.setup
        if self.teacher is None:
            maps = predict_preview_maps(self._runner(), setup.task, region, setup.dims)
        else:
            maps = self.teacher.blended(self._runner(), region)
        shown = describe(maps, setup.task, region, setup.dims)
        path = write_preview(self.folder / "previews", region, shown, step, self.seconds)
        self.emit("preview", step=step, seconds=self.seconds, path=path.name, crop=region.crop.number,
                  start=list(region.region.start), stop=list(region.region.stop))  # fmt: skip

    def _ask_forest(self) -> None:
        """Fit a forest to tasks that it knows: it gives the first preview, and teaches where nothing is labelled."""
        setup = self.setup
        train = setup.crops.of_role("train")
        if not setup.task.taught_by_forest:
            return
        self.teacher = Teacher(train, setup.task, setup.dims, setup.config.seed, torch.get_num_threads())
        if any(crop.sparse for crop in train):
            setup.sampler.teacher = self.teacher
        if setup.trainer.steps == 0:
            self._preview(0)
        else:
            self.teacher.blend = 0.0

    def _validate(self) -> None:
        network = self._runner()
        metrics = self.quick.metrics(network) if self.teacher is None else self.teacher.judge(network, self.quick)
        step = self.setup.trainer.steps
        self.emit("metrics", step=step, seconds=self.seconds, validation=metrics)
        if metrics.get("score", -math.inf) >= self.best_score:
            self.best_score = metrics["score"]
            self.best = {k: v.clone() for k, v in self.setup.trainer.average.state_dict().items()}
            write_checkpoint(self.folder / CHECKPOINTS / BEST, self.best, {"score": self.best_score, "step": step})

    def _checkpoint(self) -> None:
        tensors, plain = self.setup.trainer.state()
        tensors["generator"] = self.setup.sampler.generator.get_state()
        plain |= {
            "seconds": self._clock(),
            "best_score": self.best_score,
            "batch_size": self.setup.batch_size,
            "loss": self.loss,
        }
        write_checkpoint(self.folder / CHECKPOINTS / LATEST, tensors, plain)
        self.emit("checkpoint", step=self.setup.trainer.steps)

    def _restore(self) -> None:
        """Take up the latest checkpoint, or find the batch size where there is none."""
        latest = self.folder / CHECKPOINTS / LATEST
        if not latest.exists():
            asked = self.setup.batch_size
            if fit_batch_size(self.setup) < asked:
                self.emit("warning", message=f"{asked} patches per step did not fit into memory; "
                          f"going on with {self.setup.batch_size}.")  # fmt: skip
            return
        tensors, plain = read_checkpoint(latest)
        self.setup.trainer.restore(tensors, plain)
        self.setup.sampler.generator.set_state(tensors["generator"])
        self.setup.batch_size = int(plain["batch_size"])
        self.seconds, self.best_score, self.loss = (float(plain[k]) for k in ("seconds", "best_score", "loss"))
        best = self.folder / CHECKPOINTS / BEST
        if best.exists():
            self.best, _ = read_checkpoint(best)
        self.emit("log", message=f"Going on from step {self.setup.trainer.steps}.")

    def _fall_back(self) -> None:
        """Return to the last good checkpoint with half the learning rate."""
        step = self.setup.trainer.steps
        self.fallbacks += 1
        if self.fallbacks > MAX_FALLBACKS:
            raise TrainingDivergedError(
                f"the loss stayed non-finite at step {step} after {MAX_FALLBACKS} returns to an earlier checkpoint",
                "a loss that falls",
                "look for extreme intensities in the image, or set a smaller learning_rate",
            )
        learning_rate = self.setup.trainer.learning_rate / 2
        latest = self.folder / CHECKPOINTS / LATEST
        if latest.exists():
            tensors, plain = read_checkpoint(latest)
            self.setup.trainer.restore(tensors, plain)
        self.setup.trainer.learning_rate = learning_rate
        self.emit("warning", message=f"The loss was not a number at step {step}. Back to step "
                  f"{self.setup.trainer.steps} with half the learning rate, {learning_rate:g}.")  # fmt: skip

    def _obey(self, messages: list[dict[str, Any]]) -> None:
        paused = False
        while messages or paused:
            for message in messages:
                kind = message.get("kind")
                if kind == "stop":
                    self.stopping, paused = True, False
                elif kind == "pause" and not paused:
                    paused = True
                    self._checkpoint()
                    self.emit("state", state="paused")
                elif kind == "resume" and paused:
                    paused = False
                    self.emit("state", state="running")
                elif kind == "preview":
                    self._show(message)
            if not paused:
                break
            time.sleep(0.05)
            messages = self.control()
            self._last = time.perf_counter()

    def _show(self, message: dict[str, Any]) -> None:
        """Preview the part of a crop that was asked for from now on, if there is such a part."""
        wanted = Region(message["start"], message["stop"])
        for crop in self.setup.crops.crops:
            part = wanted.relative_to(crop.start).intersect(Region.from_shape(crop.shape))
            if crop.number == message.get("crop") and not part.empty:
                self.preview_region = PreviewRegion(crop, part)
                self._due["preview"] = 0.0
                return

    def _announce(self) -> None:
        setup = self.setup
        weights = sum(p.numel() for p in setup.trainer.network.parameters())
        self.emit(
            "log",
            message=f"{setup.dims}-D network with {weights:,} weights on {describe_device(setup.device)} in "
            f"{self._precision()}, {torch.get_num_threads()} threads; {setup.batch_size} patches of "
            f"{'×'.join(map(str, setup.sampler.patch_shape))} voxels (z×y×x) per step.",
        )

    def _best(self) -> float | None:
        return self.best_score if math.isfinite(self.best_score) else None

    def _precision(self) -> str:
        return str(self.setup.trainer.precision).removeprefix("torch.")
