"""The command `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Output


def demo(
    out: Annotated[Path, typer.Option(help="New folder for the model, the prediction, pictures and report.")] = Path(
        "aitrain-demo"
    ),
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train.")] = 1.0,
) -> None:
    """See it work: label, train, predict and evaluate on real microscopy, in about two minutes, without a network."""
    from ..demo import run_demo

    run_demo(out, minutes, Output(as_json=False).console)
