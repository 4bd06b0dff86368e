"""The options of `train` and `check`, and the config that they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import values

if TYPE_CHECKING:
    from ..training.config import TrainConfig

DEFAULT_MINUTES = 15.0
_DATA, _HOW, _LONG = "What to learn from", "How to learn", "How long, and where to"

Job = Annotated[Path | None, typer.Argument(help="A YAML config, or the folder of a job.", metavar="[JOB.yaml]")]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", "-i", help="Image file, zarr or folder of images. Repeat for more.", rich_help_panel=_DATA),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", "-l", help="Its ground truth, one per --image.", rich_help_panel=_DATA),
]
Boxes = Annotated[
    list[Path] | None,
    typer.Option("--boxes", "-b", help="File of boxes to use, one per --image: JSON, or NML.", rich_help_panel=_DATA),
]
Magnification = Annotated[
    str | None,
    typer.Option(help="Train at reduced size: 1, 2, or x-y-z such as 2-2-1.", rich_help_panel=_DATA),
]
Voxel = Annotated[
    str | None,
    typer.Option("--voxel-size", help="Voxel size in nm as Z,Y,X if the file does not say.", rich_help_panel=_DATA),
]
Channels = Annotated[str | None, typer.Option(help="Channels to use, by name or number: DAPI,1", rich_help_panel=_DATA)]
Axes = Annotated[
    str | None, typer.Option(help="Order of the image's axes, such as zyx, to correct a guess.", rich_help_panel=_DATA)
]
Sparse = Annotated[
    bool | None,
    typer.Option("--sparse/--dense", help="0 means unlabelled (sparse) or background.", rich_help_panel=_DATA),
]
Task = Annotated[
    str | None,
    typer.Option(
        help="instances: one label per object; semantic: one per class; neurons; em-instances; cellpose; or MY.py.",
        rich_help_panel=_HOW,
    ),
]
MaxDistance = Annotated[
    float | None,
    typer.Option(
        "--max-distance",
        help="For em-instances: diameter of the largest objects, in nm.",
        rich_help_panel=_HOW,
    ),
]
Dims = Annotated[
    str | None, typer.Option(help="2: slice by slice; 3: volumes; auto: by the data.", rich_help_panel=_HOW)
]
StartFrom = Annotated[
    str | None,
    typer.Option(
        help="auto: the starter model that fits, if one does; scratch; a model's name; or a model or job folder.",
        rich_help_panel=_HOW,
    ),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_HOW)]
Seed = Annotated[int | None, typer.Option(help="Seed of every random choice.", rich_help_panel=_HOW)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting of the config: --set augmentation=light.",
        rich_help_panel=_HOW,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", "-m", help=f"Train this long; {DEFAULT_MINUTES:g} if neither is given.", rich_help_panel=_LONG
    ),
]
Steps = Annotated[int | None, typer.Option(help="Train this many steps.", rich_help_panel=_LONG)]
Name = Annotated[str | None, typer.Option("--name", "-n", help="Name of the model.", rich_help_panel=_LONG)]
ThenPredict = Annotated[
    str | None,
    typer.Option(
        "--then-predict",
        metavar="IMAGE",
        help="Image or folder of images to predict as soon as the training has ended.",
        rich_help_panel=_LONG,
    ),
]
ThenOut = Annotated[
    Path | None,
    typer.Option(
        "--then-out", help="Where to: OUT.tif, OUT.ome.zarr, or a folder for a folder.", rich_help_panel=_LONG
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        help="Train in so many processes of this machine, one per GPU, that share each batch.",
        rich_help_panel=_HOW,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, and nothing else.")]


def make_config(
    job: Path | None,
    images: Sequence[str] | None,
    labels: Sequence[str] | None,
    boxes: Sequence[Path] | None,
    *,
    of_source: dict[str, Any],
    of_training: dict[str, Any],
    of_task: dict[str, Any] | None = None,
    settings: Sequence[str] | None = None,
) -> TrainConfig:
    """Make the config from a YAML file or from images and labels; options that were given go before the file.

    Parameters
    ----------
    job : Path, optional
        A YAML config.
    images, labels : sequence of str, optional
        The training sources, matched by order.
    boxes : sequence of Path, optional
        Files of boxes, in the same order.
    of_source, of_training, of_task : dict
        Options by the name of their setting; None was not given.
    settings : sequence of str, optional
        ``KEY=VALUE``; a dot goes into a group, such as ``task_settings``.

    Raises
    ------
    ConfigError, BoxError
        If they do not go together, or a value is not allowed.
    """
    from ..training.config_file import parse_config, read_config

    if job is not None and (images or labels or boxes):
        raise ConfigError(
            f"both {job} and --image, --labels or --boxes are given", "one or the other", "leave one of them out"
        )
    if job is not None:
        data = read_config(job).model_dump(mode="json")
    else:
        data = {"sources": _sources(images or [], labels or [], boxes or []), "name": _name(images or [])}
    for source in data["sources"]:
        source.update(_given(of_source))
    data.update(_given(of_training))
    if given := _given(of_task or {}):
        data["task_settings"] = {**data.get("task_settings", {}), **given}
    for text in settings or []:
        _set(data, text)
    if job is None and data.get("minutes") is None and data.get("steps") is None:
        data["minutes"] = DEFAULT_MINUTES
    return parse_config(data, str(job) if job is not None else "the command")


def source_options(
    magnification: str | None, voxel_size: str | None, channels: str | None, axes: str | None, sparse: bool | None
) -> dict[str, Any]:
    """Return the options that hold for every source, by the names of their settings."""
    return {
        "magnification": magnification,
        "voxel_size": values.three_numbers(voxel_size),
        "channels": values.names_or_numbers(channels),
        "axes": axes,
        "sparse": sparse,
    }


def training_options(
    task: str | None,
    dims: str | None,
    start_from: str | None,
    device: str | None,
    seed: int | None,
    minutes: float | None,
    steps: int | None,
    name: str | None = None,
    then_predict: str | None = None,
    then_out: Path | None = None,
) -> dict[str, Any]:
    """Return the options of the training, by the names of their settings."""
    from ..location import absolute

    return {
        "task": str(Path(task).absolute()) if task is not None and task.endswith(".py") else task,
        "dims": dims,
        "start_from": None if start_from is None else _absolute(start_from),
        "device": device,
        "seed": seed,
        "minutes": minutes,
        "steps": steps,
        "name": name,
        "then_predict": None if then_predict is None else str(absolute(then_predict)),
        "then_out": None if then_out is None else str(then_out.absolute()),
    }


def _absolute(model: str) -> str:
    path = Path(model)
    return str(path.absolute()) if path.exists() and model not in ("auto", "scratch") else model


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _name(images: Sequence[str]) -> str:
    from ..location import absolute

    return absolute(images[0]).name.split(".")[0] or "model" if images else "model"


def _sources(images: Sequence[str], labels: Sequence[str], boxes: Sequence[Path]) -> list[dict[str, Any]]:
    from ..location import absolute
    from ..volumes import open_volume
    from ..volumes.webknossos import boxes_for

    if not images or len(images) != len(labels) or (boxes and len(boxes) != len(images)):
        raise ConfigError(
            f"there are {len(images)} --image, {len(labels)} --labels and {len(boxes)} --boxes",
            "one --labels per --image, in the same order, and one --boxes per --image or none; or a JOB.yaml",
            "write for example: --image a.tif --labels a-labels.tif --image b.tif --labels b-labels.tif",
        )
    rows = [{"image": str(absolute(i)), "labels": str(absolute(t))} for i, t in zip(images, labels, strict=True)]
    for row, path in zip(rows, boxes, strict=bool(boxes)):
        found = boxes_for(path, lambda image=row["image"]: open_volume(image).place)  # type: ignore[misc]
        row["boxes"] = [box.model_dump(mode="json") for box in found]  # type: ignore[assignment]
    return rows


def _set(data: dict[str, Any], text: str) -> None:
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text} has no value", "KEY=VALUE", "write for example --set augmentation=light")
    *groups, last = key.strip().split(".")
    for group in groups:
        data = data.setdefault(group, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {text}: {group} is no group of settings", "KEY=VALUE", "check the key")
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text} cannot be read: {error}", "KEY=VALUE", "quote the value") from error
