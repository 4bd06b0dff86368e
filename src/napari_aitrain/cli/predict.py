"""The command `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..words import spoken_time
from . import options
from .output import Output

if TYPE_CHECKING:
    from ..inference.run import PredictedImage


def predict(
    model: Annotated[str, typer.Argument(help="A model folder, a job folder, or NAME or NAME/vN of the store.")],
    image: Annotated[str, typer.Argument(help="Image file, zarr, or folder of images; or the URL of a zarr.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: OUT.tif or OUT.ome.zarr; a folder for a folder.")],
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", "-t", min=0, max=1, help="Show objects of at least this score; the model's own."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a prediction that was broken off.")] = False,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    resample: Annotated[
        bool,
        typer.Option("--resample", help="Bring the image to the voxel size of the training; labels fit the image."),
    ] = False,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Run a model on an image, however large, and write labels and a table of the objects' scores.

    The scores are kept beside the labels: another threshold takes seconds and does not run the network again. Ctrl-C
    keeps what is finished, and --resume goes on from there.
    """
    from ..inference.blocks import PredictionCancelledError
    from ..inference.run import predict as predict_files
    from ..models import find_model
    from .watch import watched

    output = Output(as_json)
    folder = find_model(model).folder
    size = options.three_numbers(voxel_size)
    with watched(output.progress_console, "Predicting") as watch:
        try:
            images = predict_files(
                folder,
                image,
                out,
                threshold=threshold,
                resume=resume,
                device=device or "auto",
                channels=options.names_or_numbers(channels),
                axes=axes,
                voxel_size=None if size is None else (size[0], size[1], size[2]),
                resample=resample,
                progress=watch.progress,
                cancelled=watch.cancelled,
            )
        except PredictionCancelledError:
            output.progress_console.print("Interrupted; what is finished is kept. Go on with --resume.", style="yellow")
            raise typer.Exit(130) from None
    if not as_json:
        for one in images:
            _say(one, output)
    output.result({"out": str(out), "model": str(folder), "images": [vars(one) for one in images]})


def _say(one: PredictedImage, output: Output) -> None:
    for text in one.warnings:
        output.say(f"Warning: {text}", "yellow")
    for text in one.notes:
        output.say(text, "dim")
    found = "classes"
    if one.objects is not None:
        found = f"{one.objects:,} objects at threshold {one.threshold:.2f}"
    output.say(f"{one.out}: {found}, scores in {one.scores.name}, {spoken_time(one.seconds)}")
