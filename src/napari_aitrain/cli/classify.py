"""The commands `classify train|apply|measure`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options, values
from .output import Output

if TYPE_CHECKING:
    from ..classification.classifier import ObjectClassifier
    from ..classification.files import Given, How
    from .watch import Watch

app = typer.Typer(help="Tell objects, or boxes, of different classes apart, from a few examples.", no_args_is_help=True)

Image = Annotated[str, typer.Argument(help="Image file or zarr; or the URL of a zarr.")]
OfImage = Annotated[str | None, typer.Option("--labels", "-l", help="Its objects, one label each.")]
OfBoxes = Annotated[
    Path | None, typer.Option("--boxes", "-b", help="A JSON file of boxes, to classify these instead of objects.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Also look at what this model's network sees in objects: NAME, NAME/vN or a folder."),
]
Dims = Annotated[
    int | None, typer.Option(min=2, max=3, help="2: every slice on its own; by default what has slices is a volume.")
]
Table = Annotated[Path, typer.Option("--out", "-o", help="New table: OUT.csv or OUT.parquet.")]


@app.command()
def train(
    image: Annotated[list[str], typer.Option("--image", "-i", help="Image file or zarr. Repeat for more.")],
    classes: Annotated[
        list[Path],
        typer.Option("--classes", "-c", help="CSV with the columns id and class, or JSON of napari; one per --image."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file: OUT.classifier.json.")],
    labels: Annotated[
        list[str] | None, typer.Option("--labels", "-l", help="Its objects, one --labels per --image.")
    ] = None,
    boxes: Annotated[
        list[Path] | None,
        typer.Option("--boxes", "-b", help="Boxes instead of objects; ids are their numbers in the file, from 1."),
    ] = None,
    multi: Annotated[
        bool, typer.Option("--multi", help="Classes are attributes: an object has any number of them (a;b).")
    ] = False,
    model: Model = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Of the classifier; that of the file.")] = None,
    dims: Dims = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.")] = 0,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Learn classes of objects from examples: 20 are enough for a try, 40–50 of each class are good."""
    from ..classification.training_files import train_from_files

    output = Output(as_json)
    how = _how(model, dims, channels, axes, voxel_size, device)
    with _measuring(output) as watch:
        trained = train_from_files(
            _pairs(image, labels or [], boxes or []), classes, how,
            choice="multi" if multi else "single", name=name or out.name.split(".")[0], seed=seed,
            progress=watch.progress, cancelled=watch.cancelled,
        )  # fmt: skip
    trained.classifier.save(out, overwrite=False)
    _say_trained(output, trained.classifier, trained.gone, out)
    output.result(
        {"classifier": str(out), "objects": trained.objects, "gone": trained.gone, **_plain(trained.classifier)}
    )


@app.command()
def apply(
    classifier: Annotated[Path, typer.Argument(help="A .classifier.json, or the folder of a model that has one.")],
    image: Image,
    out: Table,
    labels: OfImage = None,
    boxes: OfBoxes = None,
    classes_out: Annotated[
        Path | None,
        typer.Option("--classes-out", help="New file of labels with the number of the class: CLASSES.tif, .ome.zarr."),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", "-t", min=0, max=1, help="Objects that are less sure are called unsure.")
    ] = 0.0,
    model: Model = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Classify all objects of an image, and write their classes, probabilities and features as a table."""
    from ..classification.classifier import CLASSIFIER, read_classifier
    from ..classification.files import check_model, measure_given
    from ..classification.writing import columns_of, write_classes
    from ..volumes import check_output, open_volume

    output = Output(as_json)
    known = read_classifier(classifier)
    if model is None and (classifier / CLASSIFIER).is_file():
        model = str(classifier)
    dims = known.dims if labels else None
    how = check_model(known, _how(model if known.embedding else None, dims, channels, axes, voxel_size, device))
    _check_table(out)
    if classes_out is not None:
        if labels is None:
            raise ConfigError("boxes have no labels to be written", "a table alone", "leave --classes-out out")
        check_output(classes_out)
    with _measuring(output) as watch:
        table = measure_given(_one(image, labels, boxes), how, watch.progress, watch.cancelled)
    found = known.classify(table)
    _write(out, columns_of(table, found, threshold))
    numbers: dict[str, Any] = {}
    if classes_out is not None and labels is not None:
        volume = open_volume(labels, kind="labels", voxel_size=how.voxel_size)
        unsure = write_classes(classes_out, volume, found, threshold, _attribute(known))
        numbers = {str(classes_out): {**{one.name: one.id for one in known.classes}, "unsure": unsure}}
    counts = found.counts(threshold)
    if not as_json:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        output.say(f"{out}: {len(table):,} {table.kind}: {told}")
        for path, names in numbers.items():
            output.say(f"{path}: " + ", ".join(f"{number} = {name}" for name, number in names.items()))
    output.result({"table": str(out), "counts": counts, "classes": numbers})


@app.command("measure")
def measure_(
    image: Image,
    out: Table,
    labels: OfImage = None,
    boxes: OfBoxes = None,
    dims: Dims = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    as_json: options.Json = False,
) -> None:
    """Write size, shape, intensity, texture and neighbourhood of all objects as a table."""
    from ..classification.files import measure_given
    from ..classification.writing import columns_of

    output = Output(as_json)
    _check_table(out)
    how = _how(None, dims, channels, axes, voxel_size, None)
    with _measuring(output) as watch:
        table = measure_given(_one(image, labels, boxes), how, watch.progress, watch.cancelled)
    _write(out, columns_of(table, None))
    if not as_json:
        unit = "voxels" if table.unit == "voxel" else table.unit
        output.say(f"{out}: {len(table.names)} features of {len(table):,} {table.kind}, lengths in {unit}")
    output.result({"table": str(out), "objects": len(table), "features": list(table.names), "unit": table.unit})


@contextlib.contextmanager
def _measuring(output: Output) -> Iterator[Watch]:
    """Show a bar while the block runs; Ctrl-C ends the command at the next block of the image."""
    from ..inference.blocks import PredictionCancelledError
    from .watch import watched

    with watched(output.progress_console, "Measuring") as watch:
        try:
            yield watch
        except PredictionCancelledError:
            raise typer.Exit(130) from None


def _how(
    model: str | None, dims: int | None, channels: str | None, axes: str | None, voxel_size: str | None,
    device: str | None,
) -> How:  # fmt: skip
    from ..classification.files import How
    from ..models import find_model

    size = values.three_numbers(voxel_size)
    return How(
        channels=values.names_or_numbers(channels),
        axes=axes,
        voxel_size=None if size is None else (size[0], size[1], size[2]),
        dims=None if dims is None else (2 if dims == 2 else 3),
        model=None if model is None else find_model(model),
        device=device or "auto",
    )


def _pairs(images: list[str], labels: list[str], boxes: list[Path]) -> list[Given]:
    from ..classification.files import Given

    if bool(labels) == bool(boxes) or len(labels or boxes) != len(images):
        raise ConfigError(
            f"there are {len(images)} --image, {len(labels)} --labels and {len(boxes)} --boxes",
            "one --labels, or one --boxes, per --image, in the same order",
            "write for example: -i a.tif -l a-labels.tif -c a.csv",
        )
    if labels:
        return [Given(image, truth) for image, truth in zip(images, labels, strict=True)]
    return [Given(image, boxes=file) for image, file in zip(images, boxes, strict=True)]


def _one(image: str, labels: str | None, boxes: Path | None) -> Given:
    return _pairs([image], [] if labels is None else [labels], [] if boxes is None else [boxes])[0]


def _attribute(known: ObjectClassifier) -> int | None:
    """Return the attribute that is written as labels; of several there would be several."""
    return known.classes[0].id if known.choice == "multi" else None


def _check_table(out: Path) -> None:
    from ..inference.tables import check_formats
    from ..volumes.atomic import refuse_existing

    check_formats([out.suffix.removeprefix(".")])
    refuse_existing(out)


def _write(out: Path, columns: Any) -> None:
    from ..classification.table import PRECISE
    from ..inference.tables import write_table

    write_table(out, columns, overwrite=False, significant=PRECISE)


def _plain(classifier: ObjectClassifier) -> dict[str, Any]:
    measured = classifier.measured
    return {
        "classes": {one.name: one.id for one in classifier.classes},
        "measured": None if measured is None else measured.model_dump(),
        "warnings": list(classifier.warnings),
    }


def _say_trained(output: Output, classifier: ObjectClassifier, gone: int, out: Path) -> None:
    if output.as_json:
        return
    for text in classifier.warnings:
        output.say(f"Warning: {text}", "yellow")
    if gone:
        output.say(f"Warning: {gone} of the ids are no objects of the labels, and are left out.", "yellow")
    measured = classifier.measured
    if measured is not None:
        told = ", ".join(f"{count} “{name}”" for name, count in measured.marked.items())
        output.say(f"{out}: learned from {told}; {measured.accuracy:.0%} right of those left out in turn")
