"""The command `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..words import spoken_time
from . import options, values
from .estimates import tell_estimate
from .output import Output
from .written import zarr_options

if TYPE_CHECKING:
    from ..inference.run import PredictedImage
    from ..volumes.damage import OnDamage

FAILED_BLOCKS = 3
"""Exit code where some blocks could not be predicted."""

_LARGE, _WRITTEN = "Large volumes", "What is written"


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
    diameter: Annotated[
        str | None,
        typer.Option(
            help="Of the objects, in voxels, or auto: they are seen as large as those that the model has learned."
        ),
    ] = None,
    on_damage: Annotated[
        str,
        typer.Option(
            help="Chunks that cannot be read: stop leaves out their block, fill takes 0.", rich_help_panel=_LARGE
        ),
    ] = "stop",
    near: Annotated[
        str | None,
        typer.Option(help="Make the blocks nearest to Z,Y,X first, in voxels of the image.", rich_help_panel=_LARGE),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="local: a process per GPU or core; threads; or tcp://HOST:PORT of dask.distributed. Without, this "
            "process predicts alone.",
            rich_help_panel=_LARGE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many workers local or threads start.", rich_help_panel=_LARGE),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Only say how long it will take, and how much disk.", rich_help_panel=_LARGE),
    ] = False,
    save: Annotated[
        str | None, typer.Option(help="Also write maps: probability,uncertainty.", rich_help_panel=_WRITTEN)
    ] = None,
    table: Annotated[
        str, typer.Option("--table", help="Format of the table: csv, parquet or both.", rich_help_panel=_WRITTEN)
    ] = "csv",
    ome: Annotated[
        str, typer.Option("--ome", help="Version of OME-Zarr: 0.5 or 0.4.", rich_help_panel=_WRITTEN)
    ] = "0.5",
    shards: Annotated[
        bool, typer.Option("--shards", help="Many chunks per file, for huge volumes.", rich_help_panel=_WRITTEN)
    ] = False,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Run a model on an image, however large, and write labels and a table of the objects' scores.

    The scores are kept beside the labels: another threshold takes seconds and does not run the network again. Ctrl-C
    keeps what is finished, and --resume goes on from there. A block that fails three times is left out and named, the
    exit code is then 3, and --resume tries it again.
    """
    from ..inference.blocks import PredictionCancelledError
    from ..inference.run import predict as predict_files
    from ..models import find_model
    from .watch import watched

    output = Output(as_json)
    folder = find_model(model).folder
    size = values.three_numbers(voxel_size)
    stored = zarr_options(out, ome, shards, maps=save is not None)
    given: dict[str, Any] = {
        "channels": values.names_or_numbers(channels), "axes": axes,
        "voxel_size": None if size is None else (size[0], size[1], size[2]),
    }  # fmt: skip
    if estimate:
        tell_estimate(output, folder, image, device or "auto", resample, **given)
        return
    with watched(output.progress_console, "Predicting") as watch:
        try:
            images = predict_files(
                folder,
                image,
                out,
                threshold=threshold,
                resume=resume,
                device=device or "auto",
                on_damage=cast("OnDamage", on_damage),
                resample=resample,
                diameter=values.diameter(diameter),
                near=values.place(near),
                scheduler=scheduler,
                workers=workers,
                options=stored,
                tables=values.words(table),
                save=values.words(save),
                **given,
                progress=watch.progress,
                cancelled=watch.cancelled,
            )
        except PredictionCancelledError:
            output.progress_console.print("Interrupted; what is finished is kept. Go on with --resume.", style="yellow")
            raise typer.Exit(130) from None
    classes = _classify(output, folder, images, given, device or "auto")
    if not as_json:
        for one in images:
            _say(one, output)
        for path, counts in classes.items():
            output.say(f"{path}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    plain = {str(path): counts for path, counts in classes.items()}
    output.result({"out": str(out), "model": str(folder), "images": [_plain(one) for one in images], "classes": plain})
    if any(one.failed for one in images):
        raise typer.Exit(FAILED_BLOCKS)


def _classify(
    output: Output, folder: Path, images: list[PredictedImage], given: dict[str, Any], device: str
) -> dict[Path, dict[str, int]]:
    """Give classes to objects, if the model was trained with classes."""
    from ..classification.beside import classify_outputs, has_classes
    from ..classification.files import How
    from ..models import load_model
    from .watch import watched

    model = load_model(folder)
    if not has_classes(model):
        return {}
    with watched(output.progress_console, "Classifying") as watch:
        return classify_outputs(model, images, How(**given, device=device), watch.progress, watch.cancelled)


def _plain(one: PredictedImage) -> dict[str, Any]:
    return {**vars(one), "failed": [block.model_dump(mode="json") for block in one.failed]}


def _say(one: PredictedImage, output: Output) -> None:
    for text in one.warnings:
        output.say(f"Warning: {text}", "yellow")
    for block in one.failed:
        z, y, x = (f"{a}–{b - 1}" for a, b in zip(block.start, block.stop, strict=True))
        output.say(f"Failed: x {x}, y {y}, z {z} ({block.stage}): {block.error}", "red")
    if one.failed:
        output.say(f"{len(one.failed)} blocks failed and are background; --resume tries them again.", "yellow")
    for text in one.notes:
        output.say(text, "dim")
    found = "classes"
    if one.objects is not None:
        found = f"{one.objects:,} objects at threshold {one.threshold:.2f}"
    output.say(f"{one.out}: {found}, scores in {one.scores.name}, {spoken_time(one.seconds)}")
