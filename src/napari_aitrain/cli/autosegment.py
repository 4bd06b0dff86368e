"""The command `autosegment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..words import spoken_time
from . import options, values
from .output import Output

FAILED_IMAGES = 3
"""Exit code where some images of a folder could not be segmented."""


def autosegment(
    image: Annotated[str, typer.Argument(help="Image file, zarr, or folder of images; or the URL of a zarr.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: OUT.tif or OUT.ome.zarr; a folder for a folder.")],
    preset: Annotated[
        Literal["single-cells", "nuclei-in-organoids", "organoids", "membranes", "starter"],
        typer.Option(help="What is in the image; starter: let a starter model find it."),
    ] = "single-cells",
    minimum_size: Annotated[
        int | None, typer.Option(min=1, help="Leave out objects of fewer voxels; by default the image says.")
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(min=0, help="In voxels; larger merges more distant parts. By default the image says."),
    ] = None,
    model: Annotated[str, typer.Option(help="Starter model, for that preset: by default that which fits.")] = "",
    diameter: Annotated[str, typer.Option(help="For a starter model: of typical objects in voxels, or auto.")] = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="For a starter model: leave out less sure objects; by default its own."),
    ] = None,
    dark: Annotated[
        bool, typer.Option("--dark", help="The objects, or the membranes, are darker than the rest.")
    ] = False,
    dims: Annotated[
        Literal["auto", "2", "3"], typer.Option(help="2: slice by slice; 3: volumes; auto: by the number of slices.")
    ] = "auto",
    magnification: Annotated[str, typer.Option(help="Segment at reduced size: 2, or x-y-z such as 2-2-1.")] = "1",
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    as_json: options.Json = False,
) -> None:
    """Segment by a minimum size and a sigma, or by a starter model: ground truth to begin with, to be corrected.

    Of a folder every image is segmented; those that fail are named at the end, and the exit code is then 3. Ctrl-C
    keeps what is finished. OUT.json beside each output says how it was made.
    """
    from ..autosegment.asked import Asked
    from ..autosegment.files import autosegment as segment_files
    from ..autosegment.files import spoken_numbers
    from .watch import watched

    output = Output(as_json)
    size = values.three_numbers(voxel_size)
    asked = Asked(preset, minimum_size, sigma, dark, dims, model, _diameter(diameter), threshold)
    with watched(output.progress_console, "Segmenting") as watch:
        images = segment_files(
            image, out, asked,
            magnification=magnification, channels=values.names_or_numbers(channels), axes=axes,
            voxel_size=None if size is None else (size[0], size[1], size[2]),
            progress=watch.progress, cancelled=watch.cancelled,
        )  # fmt: skip
        stopped = watch.cancelled()
    for one in images:
        if one.error:
            output.say(f"{one.image}: {one.error}", "red")
            continue
        assert one.settings is not None
        if one.warning:
            output.say(f"Warning: {one.warning}", "yellow")
        output.say(f"{one.out}: {one.objects:,} objects; {spoken_numbers(one)}; {spoken_time(one.seconds)}")
    output.result({"out": str(out), "images": [_plain(one) for one in images]})
    if stopped:
        output.progress_console.print("Interrupted; what is finished is kept.", style="yellow")
        raise typer.Exit(130)
    if any(one.error for one in images):
        raise typer.Exit(FAILED_IMAGES)


def _diameter(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither auto nor a number of voxels", param_hint="--diameter") from error


def _plain(one: Any) -> dict[str, Any]:
    settings = None if one.settings is None else one.settings.used()
    return {**vars(one), "settings": settings}
