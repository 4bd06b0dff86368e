"""The training loop: steps, previews, validation, checkpoints, control messages and the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..models import starters
from ..nets.device import describe_device
from .config import TrainConfig
from .crops import freeze_crops
from .cropset import FOLDER, CropSet
from .distributed import Alone
from .finish import finish, validator
from .keeper import Keeper, Record
from .new_truth import KeepConfig, NewTruth
from .previewer import FIRST_STEPS, Previewer
from .schedule import Budget, learning_rate_factor, teaching_weight
from .setup import Setup, prepare
from .teacher import Teacher
from .teaching import ask_forest

Emit = Callable[..., None]
Control = Callable[[], list[dict[str, Any]]]

PROGRESS_EVERY = 0.25
VALIDATION_EVERY, VALIDATION_SHARE = 5.0, 0.05
BEHIND_FOREST = (
    "The previews came from the pixel forest, which still explains the validation labels better than the network. The "
    "model that is saved is the network: train longer, or paint more, above all what is wrongly taken for a class."
)


def run_training(
    folder: Path,
    config: TrainConfig,
    emit: Emit,
    control: Control,
    keep_config: KeepConfig | None = None,
    team: Alone | None = None,
) -> None:
    """Train the job in a folder, or go on with it, until its budget is spent or somebody stops it.

    Parameters
    ----------
    folder : Path
        The job folder. Crops are frozen into it unless they are there; checkpoints, previews and the model go there.
    config : TrainConfig
        The job's settings.
    emit : callable
        Called as ``emit(kind, **data)`` with what happened: state, log, warning, progress, metrics, preview,
        checkpoint, ground-truth and, last, done.
    control : callable
        Returns the messages that came since it was last asked: stop, pause, resume, preview or ground-truth.
    keep_config : callable, optional
        Called with the config whenever new ground truth has changed its sources.
    team : Alone, optional
        The processes that train together, of which this one leads; see `training.distributed`.

    Raises
    ------
    AitrainError
        If the job cannot be run; `TrainingDivergedError` if the loss stays non-finite.
    """
    team = team or Alone()
    with team.telling(keep=lambda: None):
        crops = CropSet.load(folder) if (folder / FOLDER).exists() else freeze_crops(config, folder)
        for note in crops.notes:
            emit("log", message=note)
        team.call("prepare")
        setup = prepare(config, crops, folder / FOLDER, team.device(config.device), team.size)
    loop = Loop(folder, setup, emit, control, keep_config, team)
    with team.telling(loop.keep):
        loop.run()


class Loop:
    """One run of the loop.

    Parameters
    ----------
    folder : Path
        The job folder.
    setup : Setup
        What to train with.
    emit, control, keep_config, team
        As in `run_training`.
    """

    def __init__(
        self,
        folder: Path,
        setup: Setup,
        emit: Emit,
        control: Control,
        keep_config: KeepConfig | None,
        team: Alone,
    ) -> None:
        self.folder, self.setup, self.emit, self.control, self.team = folder, setup, emit, control, team
        self._before_step = setup.sampler.generator.get_state()
        self.record = Record()
        self.keeper = Keeper(folder, setup, self.record, emit)
        self.new_truth = NewTruth(folder, setup, emit, keep_config)
        self.teacher: Teacher | None = None
        self.stopping = False
        self._due: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all runs of the job."""
        return self.record.seconds

    def run(self) -> None:
        """Train to the end and save the model."""
        setup, config = self.setup, self.setup.config
        budget = Budget(config.steps, None if config.minutes is None else config.minutes * 60)
        self.keeper.restore()
        self.team.join(setup)
        self._announce()
        self.previewer = Previewer(self.folder, setup, self.emit, self.record.clock)
        self.quick = validator(setup, setup.crops.of_role("validation")).quick()
        self.emit("state", state="running")
        begun = False
        while not budget.finished(setup.trainer.steps, self.record.clock()):
            self._obey()
            if self.stopping:
                break
            if not begun:
                begun = True
                young = setup.trainer.steps == 0 and setup.parent is None
                self._ask_forest(blend=1.0 if young else 0.0)
                starter = setup.parent is not None and setup.parent.folder.parent == starters.FOLDER
                if setup.trainer.steps == 0 and starter and self.quick.regions:
                    self._judge_parent()
                # What was asked for meanwhile is shown first.
                continue
            self.previewer.show_if_due()
            spent = budget.spent(setup.trainer.steps, self.seconds)
            self._step(learning_rate_factor(setup.trainer.steps, spent))
            self._look(spent)
        self._end()

    def _end(self) -> None:
        setup = self.setup
        self.record.clock()
        self.keeper.save()
        self.team.call("end")
        self.team.leave()
        if self.teacher is not None and self.quick.regions:
            self._validate()
            if self.teacher.blend == 1:
                self.emit("warning", message=BEHIND_FOREST)
            # What is shown at the end is the model that is saved.
            self.teacher.blend = 0.0
        self.emit("log", message="Choosing the best weights and fitting the scores.")
        self.previewer.show()
        result = finish(setup, self.folder, self.keeper.best, self.seconds)
        metrics, told = result.pop("metrics"), result.pop("told")
        if told:
            self.emit("log", message=told)
        best = metrics.get("validation", {}).get("score", self.record.best)
        self.emit("metrics", step=setup.trainer.steps, final=True, **metrics)
        self.emit("done", steps=setup.trainer.steps, seconds=self.record.clock(), best=best, **result,
                  device=describe_device(setup.device), precision=self._precision())  # fmt: skip

    def _step(self, factor: float) -> None:
        setup, teaching = self.setup, teaching_weight(self.setup.trainer.steps)
        self._before_step = setup.sampler.generator.get_state()
        self.team.call("step", factor=factor, teaching=teaching)
        batch = setup.sampler.batch(setup.batch_size, setup.device, setup.trainer.steps)
        loss = setup.trainer.step(batch, factor, teaching)
        self._before_step = setup.sampler.generator.get_state()
        if math.isfinite(loss):
            self.record.take_loss(loss)
        else:
            self.keeper.fall_back()
            self.team.call("back")
            self.team.share(setup)

    def keep(self) -> None:
        """Save what is learned when a step cannot be finished, as it was before that step."""
        if self.setup.trainer.steps:
            self.setup.sampler.generator.set_state(self._before_step)
            self.keeper.save()

    def _look(self, spent: float) -> None:
        """Report, validate, take in what was painted, and save, each when it is due."""
        step, seconds, record = self.setup.trainer.steps, self.record.clock(), self.record
        if self._is_due("progress", PROGRESS_EVERY):
            self.emit("progress", step=step, loss=record.loss, seconds=seconds, fraction=spent, best=record.best)
        if step > FIRST_STEPS and self.quick.regions and self._is_due("validation", VALIDATION_EVERY):
            began = self.record.clock()
            self._validate()
            took = self.record.clock() - began
            self._due["validation"] = self.seconds + max(VALIDATION_EVERY, took / VALIDATION_SHARE)
        if self.new_truth.is_due(self.seconds) and self.new_truth.take(self.record.clock):
            self._learn_anew()
        if self._is_due("checkpoint", self.setup.config.checkpoint_interval):
            self.keeper.save()

    def _is_due(self, what: str, every: float) -> bool:
        if self.seconds < self._due.setdefault(what, every):
            return False
        self._due[what] = self.seconds + every
        return True

    def _ask_forest(self, blend: float) -> None:
        """Fit a forest: it gives the first preview, and may teach where nothing is labelled."""
        self.team.call("forest")
        teacher = ask_forest(self.setup)
        if teacher is not None:
            self.teacher = self.previewer.teacher = teacher
            teacher.blend = blend

    def _learn_anew(self) -> None:
        """After new ground truth: a new forest, and a checkpoint, so that a resume does not mix old steps and new."""
        self.team.call("crops")
        self.team.targets(self.setup.sampler)
        if self.teacher is not None:
            self._ask_forest(self.teacher.blend)
        self.record.clock()
        self.keeper.save()
        self.previewer.changed()

    def _judge_parent(self) -> None:
        """Keep the weights of a starter model, for where labels do not make it better."""
        metrics = self.quick.metrics(self.setup.runner(self.setup.trainer.average))
        self.emit("metrics", step=0, seconds=self.seconds, validation=metrics)
        self.keeper.offer(metrics.get("score", -math.inf))

    def _validate(self) -> None:
        setup, steps = self.setup, self.setup.trainer.steps
        network = setup.runner(setup.trainer.average)
        if self.teacher is None:
            metrics = self.quick.metrics(network)
        else:
            metrics = self.teacher.judge(network, self.quick, steps)
        self.emit("metrics", step=steps, seconds=self.seconds, validation=metrics)
        self.keeper.offer(metrics.get("score", -math.inf))

    def _obey(self) -> None:
        messages, paused = self.control(), False
        while messages or paused:
            for message in messages:
                kind = message.get("kind")
                if kind == "stop":
                    self.stopping, paused = True, False
                elif kind == "pause" and not paused:
                    paused = True
                    self.keeper.save()
                    self.emit("state", state="paused")
                elif kind == "resume" and paused:
                    paused = False
                    self.emit("state", state="running")
                elif kind == "preview":
                    self.previewer.ask(message)
                elif kind == "ground-truth":
                    self.new_truth.offer(message)
            if not paused:
                break
            self.previewer.show_if_due(free=True)
            time.sleep(0.05)
            messages = self.control()
            self.record.skip()

    def _announce(self) -> None:
        setup = self.setup
        weights = sum(p.numel() for p in setup.trainer.network.parameters())
        self.emit(
            "log",
            message=f"{setup.dims}-D network with {weights:,} weights on {describe_device(setup.device)} in "
            f"{self._precision()}, {torch.get_num_threads()} threads; {setup.batch_size} patches of "
            f"{'×'.join(map(str, setup.sampler.patch_shape))} voxels (z×y×x) per step"
            f"{f', shared by {self.team.size} processes' if self.team.size > 1 else ''}.",
        )

    def _precision(self) -> str:
        return str(self.setup.trainer.precision).removeprefix("torch.")
