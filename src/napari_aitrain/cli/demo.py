"""The command `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Output


def demo(
    out: Annotated[
        Path | None, typer.Option(help="New folder for model, prediction, picture and report; aitrain-demo here.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train.")] = 1.0,
) -> None:
    """See it work: label, train, predict and evaluate on made-up microscopy, in two minutes, without a network."""
    from ..demo import run_demo

    run_demo(out, minutes, Output(as_json=False).console)
