"""The command `export`: labels in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .output import Output


def export(
    labels: Annotated[Path, typer.Argument(help="Labels of any format that is read, also of WEBKNOSSOS.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New file or folder: OUT.tif, OUT.ome.zarr or OUT.webknossos.")
    ],
    image: Annotated[
        Path | None,
        typer.Option("--image", "-i", help="Their image, where it knows its place in a dataset and they do not."),
    ] = None,
    voxel_size: options.Voxel = None,
    as_json: options.Json = False,
) -> None:
    """Write labels in another format, for example as a dataset that WEBKNOSSOS opens.

    Ids stay as they are. To write a prediction at another threshold, repeat `predict` with another --out.
    """
    from ..geometry import tiles
    from ..volumes import LabelsWriter, check_output, explain_shape_mismatch, open_volume, read_labels

    output = Output(as_json)
    check_output(out)
    size = options.three_numbers(voxel_size)
    given = None if size is None else (size[0], size[1], size[2])
    shown = None if image is None else open_volume(image, voxel_size=given)
    volume = open_volume(labels, kind="labels", voxel_size=given, onto=None if shown is None else shown.place)
    if shown is not None and shown.shape != volume.shape:
        raise explain_shape_mismatch(shown, volume)
    place = volume.place if shown is None or volume.cut_from is not None else shown.place
    known = volume.voxel_size or (None if shown is None else shown.voxel_size)
    with LabelsWriter(out, volume.shape, voxel_size=known, place=place) as writer:
        for tile in tiles(volume.region, (64, 512, 512)):
            writer.write(tile.core, read_labels(volume, tile.core))
    output.say(f"Written: {out}")
    output.result({"out": str(out), "labels": str(labels), "place": str(place)})
