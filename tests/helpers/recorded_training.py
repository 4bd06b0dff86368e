"""Run a job as the worker does, alone or under torchrun, and keep the loss of every step and the patches behind it.

As a script: ``recorded_training.py JOB OUT``; each process writes ``OUT/losses-RANK.json``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from napari_aitrain.jobs import worker
from napari_aitrain.training.trainer import Trainer


def main(job: str, out: Path) -> int:
    """Run the job; return the worker's exit code."""
    rows: list[dict[str, float]] = []
    learn = Trainer.step

    def step(self, batch, factor, teaching=0.0):
        loss = learn(self, batch, factor, teaching)
        rows.append({"loss": loss, "patches": len(batch[0]), "image": batch[0].double().sum().item()})
        return loss

    Trainer.step = step  # type: ignore[method-assign]
    try:
        return worker.main([job, "--at-once"])
    finally:
        (out / f"losses-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
