"""The command `suggest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import ConfigError
from . import options, values
from .output import Output

if TYPE_CHECKING:
    from ..suggestions.run import Asked, Suggested

_TRUTH, _CHOICE = "What is labelled", "How places are chosen"


def suggest(
    model: Annotated[str, typer.Argument(help="A model folder, a job folder, or NAME or NAME/vN of the store.")],
    images: Annotated[list[str], typer.Argument(help="Image files or zarrs.", metavar="IMAGE…")],
    queue: Annotated[
        Path, typer.Option("--queue", "-q", help="Folder that keeps what is suggested, done and predicted.")
    ],
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", "-l", help="Ground truth so far, one per image.", rich_help_panel=_TRUTH),
    ] = None,
    boxes: Annotated[
        list[Path] | None,
        typer.Option("--boxes", "-b", help="File of boxes, one per image: of every role.", rich_help_panel=_TRUTH),
    ] = None,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="0 in the labels means unlabelled.", rich_help_panel=_TRUTH)
    ] = False,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many places to suggest.")] = 12,
    size: Annotated[
        str | None,
        typer.Option(help="Of the boxes in voxels as Z,Y,X; a training patch if not given.", rich_help_panel=_CHOICE),
    ] = None,
    measure: Annotated[
        Literal["margin", "augmentation", "ensemble"] | None,
        typer.Option(
            help="margin: how near to deciding otherwise; augmentation: disagreement on mirrored images; ensemble: "
            "with earlier versions.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option("--with", help="For ensemble: another model. Repeat for more.", rich_help_panel=_CHOICE),
    ] = None,
    spread: Annotated[
        Literal["distance", "features"] | None,
        typer.Option(
            help="distance: never nearly the same place twice; features: also places that look different.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    random_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of places that chance chooses.", rich_help_panel=_CHOICE),
    ] = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Say what to label next: boxes where the model is unsure, and some by chance to compare them with.

    Label the places, train again, and run the same command: with --labels it notes how wrong the earlier model was at
    each place, says whether its suggestions pay on your data, and suggests new ones. Nothing is suggested where
    something is labelled or in any box. The boxes are written as JSON, which `train --boxes` reads.
    """
    from ..inference.blocks import PredictionCancelledError
    from ..suggestions.run import suggest as suggest_places
    from ..suggestions.settings import SuggestSettings
    from .watch import watched

    output = Output(as_json)
    chosen = {"measure": measure, "spread": spread, "random_share": random_share, "count": count}
    settings = SuggestSettings(**{key: value for key, value in chosen.items() if value is not None})  # type: ignore[arg-type]
    voxels = values.three_numbers(voxel_size)
    with watched(output.progress_console, "Predicting") as watch:
        try:
            found = suggest_places(
                model,
                _asked(images, labels, boxes, sparse),
                queue,
                settings,
                others=other or (),
                size=values.extent(size),
                device=device or "auto",
                channels=values.names_or_numbers(channels),
                axes=axes,
                voxel_size=None if voxels is None else (voxels[0], voxels[1], voxels[2]),
                progress=watch.progress,
                cancelled=watch.cancelled,
            )
        except PredictionCancelledError:
            output.progress_console.print("Interrupted; run the same command again to go on.", style="yellow")
            raise typer.Exit(130) from None
    if not as_json:
        _say(found, output)
    output.result(_plain(found))


def _asked(images: list[str], labels: list[str] | None, boxes: list[Path] | None, sparse: bool) -> list[Asked]:
    from ..annotation.boxes import read_boxes
    from ..location import located
    from ..suggestions.run import Asked

    for name, given in (("--labels", labels), ("--boxes", boxes)):
        if given and len(given) != len(images):
            raise ConfigError(
                f"there are {len(images)} images and {len(given)} of {name}",
                f"one {name} per image",
                "repeat the option",
            )
    return [
        Asked(
            located(image),
            located(labels[number]) if labels else None,
            read_boxes(boxes[number]) if boxes else (),
            sparse,
        )
        for number, image in enumerate(images)
    ]


def _plain(found: Suggested) -> dict[str, Any]:
    return {
        "suggestions": [one.model_dump(mode="json") for one in found.suggestions],
        "finished": found.finished,
        "places": found.places,
        "boxes": {image: str(path) for image, path in found.boxes.items()},
        "verdict": {**vars(found.verdict), "pays": found.verdict.pays, "sentence": found.verdict.sentence},
    }


def _say(found: Suggested, output: Output) -> None:
    from rich.table import Table

    several = len(found.boxes) > 1
    table = Table(
        "", *(["image"] if several else []), "x", "y", "z", "uncertainty", "more than at", "chosen by", box=None
    )
    for number, one in enumerate(found.suggestions, start=1):
        z, y, x = (f"{a}–{b - 1}" for a, b in zip(one.start, one.stop, strict=True))
        by = "uncertainty" if one.kind == "uncertain" else "chance, to compare"
        name = [Path(one.image).name] if several else []
        table.add_row(str(number), *name, x, y, z, f"{one.score:.3f}", f"{100 * one.rank:.0f} %", by)
    output.console.print(table)
    for text in found.notes:
        output.say(text, "dim")
    if found.finished:
        output.say(f"{found.finished} earlier suggestions are labelled by now.")
    output.say(found.verdict.sentence)
    for path in found.boxes.values():
        output.say(f"Boxes: {path}", "dim")
