"""The command `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .output import Output


def predict(
    model: Annotated[str, typer.Argument(help="A model folder, a job folder, or NAME or NAME/vN of the store.")],
    image: Annotated[Path, typer.Argument(help="Image file, zarr, or folder of images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: OUT.tif or OUT.ome.zarr; a folder for a folder.")],
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", "-t", min=0, max=1, help="Show objects of at least this score; the model's own."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a prediction that was broken off.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: options.Json = False,
) -> None:
    """Run a model on an image, however large. Writes labels, and the scores of the objects as a table.

    The threshold uses stored scores: with --resume another one takes seconds. Ctrl-C keeps what is finished, and
    --resume goes on from there.
    """
    from ..inference.run import predict as run_predict
    from ..models import find_model
    from .watch import watched

    output = Output(as_json)
    folder = find_model(model).folder
    with watched(output.progress_console, "Predicting") as watch:
        result = run_predict(
            folder,
            image,
            out,
            threshold=threshold,
            resume=resume,
            device=device,
            progress=watch.progress,
            cancelled=watch.cancelled,
        )
    figures = result.as_dict()
    if not as_json:
        for key, value in figures.items():
            output.say(f"{key}: {value}")
    output.result(figures)
