"""Run a job as the worker does, alone or under torchrun, and keep what each step learned from and came to.

As a script: ``recorded_training.py JOB OUT [KIND RANK STEP]``; each process writes ``OUT/losses-RANK.json``. With KIND
``nan`` the loss of one step on one rank is no number, with ``error`` that step fails.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

from napari_aitrain.errors import GroundTruthError
from napari_aitrain.jobs import worker
from napari_aitrain.training.trainer import Trainer


def record(rows: list[dict[str, float]]) -> None:
    """Have every step leave a row."""
    learn = Trainer.step

    def step(self, batch, factor, teaching=0.0):
        loss = learn(self, batch, factor, teaching)
        weights = sum(float(p.detach().double().sum()) for p in self.network.state_dict().values())
        rows.append({"loss": loss, "image": float(batch[0].double().sum()), "weights": weights})
        return loss

    Trainer.step = step  # type: ignore[method-assign]


def spoil(kind: str, at: int) -> None:
    """Have one step go wrong, counted from 0 over all tries."""
    loss, count = Trainer._loss, [0]

    def spoilt(self, *args):
        count[0] += 1
        if count[0] - 1 != at:
            return loss(self, *args)
        if kind == "error":
            raise GroundTruthError("the paint is wet", "dry paint", "wait until it has dried")
        return loss(self, *args) * math.nan

    Trainer._loss = spoilt  # type: ignore[method-assign]


def main(job: str, out: str, kind: str = "", rank: str = "", step: str = "") -> int:
    """Run the job; return the worker's exit code."""
    rows: list[dict[str, float]] = []
    here = os.environ.get("RANK", "0")
    record(rows)
    if rank == here:
        spoil(kind, int(step))
    try:
        return worker.main([job, "--at-once"])
    finally:
        (Path(out) / f"losses-{here}.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
