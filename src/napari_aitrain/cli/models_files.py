"""The commands `models import|export`: models as files, for other people and other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..models import Model


class Format(StrEnum):
    """Of exported files."""

    aitrain = "aitrain"
    bioimageio = "bioimageio"
    cellpose = "cellpose"


class Task(StrEnum):
    """As what a model of the zoo is used."""

    instances = "instances"
    semantic = "semantic"


def register(app: typer.Typer) -> None:
    """Add the commands to those of `models`."""
    app.command("import")(import_)
    app.command()(export)


def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="A model in one file (.aitrain.zip), one of the BioImage Model Zoo (a zip or a folder), a file of "
            "weights of Cellpose 4, or known weights by name."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name in the store; that of the model if not given.")] = None,
    dims: Annotated[
        int | None,
        typer.Option(min=2, max=3, help="Of Cellpose: 2: slice by slice; 3: follow objects through volumes."),
    ] = None,
    task: Annotated[
        Task | None, typer.Option(help="Of a model of the zoo: separate objects, or a class for every voxel.")
    ] = None,
    foreground: Annotated[
        int | None, typer.Option(min=0, help="Of a model of the zoo: the channel that says where objects are, from 0.")
    ] = None,
    border: Annotated[
        int | None, typer.Option(min=0, help="Of a model of the zoo: the channel that says where borders are, from 0.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Put a model that came as a file into the store; it is predicted with like any other."""
    from ..models import locate_model, take_in
    from ..models.incoming import kind_of
    from ..models.one_file import is_remote
    from ..models.weights import KNOWN, find_weights, known_weights, missing_weights
    from ..models.zoo import Wanted

    output, path = Output(as_json), Path(file)
    if not path.exists() and file in {known.name for known in KNOWN}:
        path = find_weights(file) or path
        if not path.exists():
            raise missing_weights(known_weights(file))
    if not path.exists():
        path = locate_model(file) or path
    if kind_of(path) == "one-file" and is_remote(path) and not yes:
        typer.confirm("This model runs on a server, to which images will be sent. Import it?", abort=True, err=True)
    wanted = Wanted(None if task is None else task.value, foreground, border)
    tell_stored(output, take_in(path, name, None if dims is None else (2 if dims == 2 else 3), wanted))


def export(
    model: Annotated[
        str, typer.Argument(help="NAME (its active version), NAME/vN, a starter model, or a folder.", metavar="MODEL")
    ],
    file: Annotated[Path, typer.Argument(help="A new file; of one's own format also a folder to put it into.")],
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="aitrain: for napari-aitrain elsewhere. bioimageio: for the BioImage Model Zoo and "
            "programs that read it. cellpose: for Cellpose. By the file's name if not given.",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="For the zoo: what the model is called there.")] = None,
    description: Annotated[str | None, typer.Option(help="For the zoo: a sentence on what it is for.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="For the zoo: who made it; repeatable.")] = None,
    licence: Annotated[str, typer.Option(help="For the zoo: on what terms it may be used (an SPDX name).")] = (
        "CC-BY-4.0"
    ),
    sample: Annotated[
        Path | None, typer.Option(help="For the zoo: an image for the test that goes with it; else one is made up.")
    ] = None,
    no_onnx: Annotated[bool, typer.Option("--no-onnx", help="For the zoo: weights for PyTorch alone.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write a model as one file."""
    from ..models import export_cellpose, export_file, find_model
    from ..models.versions import list_versions
    from ..models.zoo import About, export_bioimageio

    output, found = Output(as_json), find_model(model)
    kind = format or _format_of(found, file)
    notes: tuple[str, ...] = ()
    if kind is Format.cellpose:
        export_cellpose(found, file)
        notes = (f"In Cellpose: CellposeModel(pretrained_model={str(file)!r}), or Models > Add custom torch model",)
    elif kind is Format.bioimageio:
        about = About(title, description, tuple(author or ()), licence)
        image = None if sample is None else _sample(found, sample)
        exported = export_bioimageio(found, file, about, sample=image, onnx=not no_onnx)
        said = "PyTorch and ONNX" if "onnx" in exported.formats else "PyTorch"
        notes = (f"With weights for {said}; licence {licence}.", *exported.notes)
    else:
        version = next((v for v in list_versions() if v.folder == found.folder), None)
        file = export_file(found, file, version)
    if not as_json:
        output.say(f"Written: {file}")
        for note in notes:
            output.say(note)
    output.result({"file": str(file), "format": kind.value, "notes": list(notes)})


def tell_stored(output: Output, stored: Model) -> None:
    """Say where a model lies now, and what should be known of it."""
    reference = f"{stored.folder.parent.name}/{stored.folder.name}"
    notes = []
    if stored.card.network.get("architecture") == "zoo":
        notes.append(stored.card.comments)
    if stored.card.script is not None:
        notes.append("Its task is a script, which is code of whoever made it: it does not run before you allow it.")
    if not output.as_json:
        for line in (f"Stored as {reference} in {stored.folder}", *notes):
            output.say(line)
    output.result({"folder": str(stored.folder), "name": reference, "notes": notes})


def _format_of(model: Model, file: Path) -> Format:
    from ..errors import ConfigError
    from ..models.one_file import SUFFIX

    if file.is_dir() or file.name.endswith(SUFFIX):
        return Format.aitrain
    if file.suffix == ".zip":
        return Format.bioimageio
    if model.card.network.get("architecture") == "cellpose":
        return Format.cellpose
    raise ConfigError(
        f"{file.name} does not say what it is to be", f"a name that ends in {SUFFIX} or .zip", "write --format aitrain"
    )


def _sample(model: Model, path: Path) -> npt.NDArray[Any]:
    """Return a piece of an image, (c, z, y, x), of a size that is quick to test."""
    from ..geometry import Region, triple
    from ..inference.image import choose_view
    from ..volumes import open_volume

    volume = choose_view(model, open_volume(path)).volume
    most = (1, 256, 256) if model.card.dims == 2 else (32, 128, 128)
    shape = triple([min(n, m) for n, m in zip(volume.shape, most, strict=True)])
    start = triple([(n - m) // 2 for n, m in zip(volume.shape, shape, strict=True)])
    return volume.read(Region.from_shape(shape, start))
