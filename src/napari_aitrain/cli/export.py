"""The command `export`: labels or a stored prediction in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from . import options, values
from .output import Output
from .written import zarr_options

if TYPE_CHECKING:
    from ..volumes.write_zarr import ZarrOptions

_PREDICTION, _LABELS, _ZARR = "Of a prediction", "Of labels", "OME-Zarr"


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="Labels of any format that is read, also of WEBKNOSSOS; or OUT.prediction, which `predict` keeps.",
            metavar="LABELS|PREDICTION",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="New file or folder: OUT.tif, OUT.ome.zarr or OUT.webknossos; boxes: OUT.json.",
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option("--image", "-i", help="Their image, on which they are laid.", rich_help_panel=_LABELS),
    ] = None,
    voxel_size: options.Voxel = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Count ids anew from 1; OUT.ids.csv tells the old ones.", rich_help_panel=_LABELS
        ),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", "-t", min=0, max=1, help="The model's own if not given.", rich_help_panel=_PREDICTION
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(help="Also write maps: probability,uncertainty.", rich_help_panel=_PREDICTION),
    ] = None,
    table: Annotated[
        str,
        typer.Option(
            "--table", help="Format of the table of objects: csv, parquet or both.", rich_help_panel=_PREDICTION
        ),
    ] = "csv",
    ome: Annotated[str, typer.Option("--ome", help="Version of OME-Zarr: 0.5 or 0.4.", rich_help_panel=_ZARR)] = "0.5",
    shards: Annotated[
        bool, typer.Option("--shards", help="Many chunks per file, for huge volumes.", rich_help_panel=_ZARR)
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Write labels in another format, for example as a dataset that WEBKNOSSOS opens.

    Ids stay as they are, in the smallest type that holds them. OME-Zarr gets a pyramid. Of a prediction, labels at any
    threshold, maps and tables are written without running the network again.
    """
    from ..inference.store import INFO

    output = Output(as_json)
    stored = zarr_options(out, ome, shards, maps=save is not None)
    if (Path(source) / INFO).is_file():
        _refuse({"--image": image, "--voxel-size": voxel_size, "--compact": compact}, "labels")
        if out.suffix == ".json":
            _boxes(output, Path(source), out, threshold)
            return
        _prediction(output, Path(source), out, threshold, values.words(save), values.words(table), stored)
    else:
        _refuse({"--threshold": threshold, "--save": save, "--table": table != "csv"}, "a prediction")
        _labels(output, source, out, image, voxel_size, compact, stored)


def _prediction(
    output: Output,
    source: Path,
    out: Path,
    threshold: float | None,
    save: list[str],
    tables: list[str],
    stored: ZarrOptions,
) -> None:
    from ..inference.export import export as export_prediction
    from ..inference.export_maps import check_kinds, maps_path
    from ..inference.store import StoredPrediction

    prediction = StoredPrediction.open(source)
    wrote = export_prediction(prediction, out, threshold, options=stored, tables=tables, save=save)
    maps = [maps_path(out, kind) for kind in check_kinds(save)]
    output.say("Written: " + ", ".join(map(str, (out, wrote, *maps))))
    output.result({"out": str(out), "scores": str(wrote), "maps": [str(path) for path in maps]})


def _labels(
    output: Output,
    source: str,
    out: Path,
    image: str | None,
    voxel_size: str | None,
    compact: bool,
    stored: ZarrOptions,
) -> None:
    import numpy as np

    from ..inference.tables import write_table
    from ..volumes import check_output, open_volume
    from ..volumes.atomic import refuse_existing
    from ..volumes.copy_labels import copy_labels

    check_output(out)
    table = out.with_name(out.name + ".ids.csv")
    if compact:
        refuse_existing(table)
    size = values.three_numbers(voxel_size)
    given = None if size is None else (size[0], size[1], size[2])
    shown = None if image is None else open_volume(image, voxel_size=given)
    volume = open_volume(source, kind="labels", voxel_size=given, onto=None if shown is None else shown.place)
    copied = copy_labels(volume, out, image=shown, compact=compact, options=stored)
    if copied.ids is not None:
        write_table(table, {"id": np.arange(1, len(copied.ids)), "original": copied.ids[1:]}, overwrite=False)
    place = volume.place if shown is None or volume.cut_from is not None else shown.place
    output.say(f"Written: {out} ({copied.dtype})" + (f"; old ids in {table.name}" if compact else ""))
    output.result(
        {"out": str(out), "labels": source, "place": str(place), "type": copied.dtype, "largest": copied.max_id}
    )


def _refuse(given: dict[str, object], what: str) -> None:
    """Raise `ConfigError` if an option was given that belongs to another kind of source."""
    names = [name for name, value in given.items() if value not in (None, False)]
    if names:
        raise ConfigError(
            f"{', '.join(names)} cannot be used here", f"{what} as the source", "leave it out, or give the other source"
        )


def _boxes(output: Output, source: Path, out: Path, threshold: float | None) -> None:
    from ..annotation.boxes import write_boxes
    from ..inference.object_boxes import object_boxes
    from ..inference.store import StoredPrediction
    from ..volumes.atomic import refuse_existing, storage_errors

    boxes = object_boxes(StoredPrediction.open(source), threshold)
    refuse_existing(out)
    with storage_errors(out):
        write_boxes(out, boxes)
    if not output.as_json:
        output.say(f"{out}: {len(boxes):,} boxes")
    output.result({"out": str(out), "boxes": len(boxes)})
