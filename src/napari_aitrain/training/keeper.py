"""What is kept of a training while it runs: checkpoints, the best weights, and the way back to them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ..errors import JobError, TrainingDivergedError
from .checkpoints import BEST, LATEST, read_checkpoint, write_checkpoint
from .setup import Setup, fit_batch_size

CHECKPOINTS = "checkpoints"
MAX_FALLBACKS = 2


@dataclass
class Record:
    """How far a training has come, beside its weights; a checkpoint holds it."""

    seconds: float = 0.0
    best_score: float = -math.inf
    loss: float = math.nan
    _last: float = field(default_factory=time.perf_counter)

    def clock(self) -> float:
        """Return the seconds of training so far, over all runs of the job; pauses do not count."""
        now = time.perf_counter()
        self.seconds += now - self._last
        self._last = now
        return self.seconds

    def skip(self) -> None:
        """Leave out the time since the clock was last asked."""
        self._last = time.perf_counter()

    @property
    def best(self) -> float | None:
        """The best validation score, if there is one."""
        return self.best_score if math.isfinite(self.best_score) else None

    def take_loss(self, loss: float) -> None:
        """Add the loss of a step to the running mean."""
        self.loss = loss if math.isnan(self.loss) else 0.9 * self.loss + 0.1 * loss


class Keeper:
    """Writes and reads the checkpoints of a job.

    Parameters
    ----------
    folder : Path
        The job folder.
    setup : Setup
        What is trained.
    record : Record
        Changed in place when a checkpoint is read.
    emit : callable
        As in `loop.run_training`.
    """

    def __init__(self, folder: Path, setup: Setup, record: Record, emit: Callable[..., None]) -> None:
        self._folder, self._setup, self._record, self._emit = folder / CHECKPOINTS, setup, record, emit
        self._fallbacks = 0
        self.best: dict[str, Tensor] | None = None

    def save(self) -> None:
        """Write a checkpoint."""
        setup, record = self._setup, self._record
        tensors, plain = setup.trainer.state()
        tensors["generator"] = setup.sampler.generator.get_state()
        plain |= {
            "seconds": record.seconds,
            "best_score": record.best_score,
            "batch_size": setup.batch_size,
            "loss": record.loss,
        }
        write_checkpoint(self._folder / LATEST, tensors, plain)
        self._emit("checkpoint", step=setup.trainer.steps)

    def offer(self, score: float) -> None:
        """Keep the averaged weights if their validation score is the best so far."""
        if score >= self._record.best_score:
            self._record.best_score = score
            self.best = {k: v.clone() for k, v in self._setup.trainer.average.state_dict().items()}
            write_checkpoint(self._folder / BEST, self.best, {"score": score, "step": self._setup.trainer.steps})

    def restore(self) -> None:
        """Take up the latest checkpoint, or find the batch size where there is none.

        Raises
        ------
        JobError
            If the checkpoint is damaged, or of another network than the config asks for by now.
        """
        setup, record = self._setup, self._record
        if not (self._folder / LATEST).exists():
            asked = setup.batch_size
            if fit_batch_size(setup) < asked:
                self._emit("warning", message=f"{asked} patches per step did not fit into memory; "
                           f"going on with {setup.batch_size}.")  # fmt: skip
            return
        tensors, plain = read_checkpoint(self._folder / LATEST)
        expected = {name: t.shape for name, t in setup.trainer.state()[0].items() if name.startswith("network.")}
        if expected != {name: t.shape for name, t in tensors.items() if name.startswith("network.")}:
            raise JobError(
                "the checkpoint is of another network than the config asks for",
                "the size of network that the job began with; 'auto' follows minutes and steps",
                "undo what was changed in job.yaml since, or begin a new job that continues from this one's model",
            )
        setup.trainer.restore(tensors, plain)
        setup.sampler.generator.set_state(tensors["generator"])
        setup.batch_size = int(plain["batch_size"])
        record.seconds, record.best_score, record.loss = (float(plain[k]) for k in ("seconds", "best_score", "loss"))
        if (self._folder / BEST).exists():
            self.best, _ = read_checkpoint(self._folder / BEST)
        self._emit("log", message=f"Going on from step {setup.trainer.steps}.")

    def fall_back(self) -> None:
        """Return to the last good checkpoint with half the learning rate.

        Raises
        ------
        TrainingDivergedError
            If that was done twice already.
        """
        trainer = self._setup.trainer
        step = trainer.steps
        self._fallbacks += 1
        if self._fallbacks > MAX_FALLBACKS:
            raise TrainingDivergedError(
                f"the loss stayed non-finite at step {step} after {MAX_FALLBACKS} returns to an earlier checkpoint",
                "a loss that falls",
                "look for extreme intensities in the image, or set a smaller learning_rate",
            )
        learning_rate = trainer.learning_rate / 2
        if (self._folder / LATEST).exists():
            trainer.restore(*read_checkpoint(self._folder / LATEST))
        trainer.learning_rate = learning_rate
        self._emit("warning", message=f"The loss was not a number at step {step}. Back to step "
                   f"{trainer.steps} with half the learning rate, {learning_rate:g}.")  # fmt: skip
