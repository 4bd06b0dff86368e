"""The commands `weights list|download|import`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    from ..models.weights import KnownWeights

app = typer.Typer(
    help="Weights of other people's networks, such as Cellpose's. They are downloaded only when you say so.",
    no_args_is_help=True,
)


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the weights that are known: size, licence, where they go, and whether they are there."""
    from ..models.weights import KNOWN

    output = Output(as_json)
    rows = [_row(known) for known in KNOWN]
    if not as_json:
        for known, row in zip(KNOWN, rows, strict=True):
            output.say(f"{known.name}: {known.title}", "bold")
            _describe(output, known)
            output.say(f"  {'here' if row['present'] else 'not here'}")
    output.result({"weights": rows})


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A name of `weights list`.", metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: you have read the licence.")] = False,
    as_json: options.Json = False,
) -> None:
    """Download weights, after showing source, size, licence and place; a download that broke off goes on."""
    from ..models.download import download as fetch
    from ..models.weights import find_weights, known_weights, weights_folder

    output = Output(as_json)
    known = known_weights(name)
    path = find_weights(name)
    if path is None:
        if not yes:
            shown = Output(as_json=True)
            shown.say(f"{known.title} ({known.name})", "bold")
            _describe(shown, known)
            typer.confirm("Download it, on these terms?", abort=True, err=True)
        with _bar(output, known.name) as progress:
            path = fetch(known, weights_folder(known.kind), progress=progress, cancelled=lambda: False)
    if not as_json:
        output.say(f"{known.name} is at {path}")
        output.say(f"Use it: napari-aitrain predict {known.name} IMAGE --out LABELS.tif", "cyan")
    output.result(_row(known))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that was downloaded elsewhere.", metavar="FILE")],
    as_json: options.Json = False,
) -> None:
    """Put a file of known weights where it is looked for, after checking that it is what it should be."""
    from ..models.weights import import_weights, known_weights

    output = Output(as_json)
    path = import_weights(file)
    if not as_json:
        output.say(f"{path.name} is at {path}")
    output.result(_row(known_weights(path.name)))


def _describe(output: Output, known: KnownWeights) -> None:
    from ..models.weights import weights_folder
    from ..words import spoken_size

    output.say(f"  {known.note}")
    output.say(f"  from     {known.url}")
    output.say(f"  size     {spoken_size(known.size)}")
    output.say(f"  licence  {known.licence}, {known.licence_url}")
    output.say(f"  place    {weights_folder(known.kind) / known.name}")


def _row(known: KnownWeights) -> dict[str, Any]:
    from dataclasses import asdict

    from ..models.weights import find_weights, weights_folder

    path = weights_folder(known.kind) / known.name
    return {**asdict(known), "path": str(path), "present": find_weights(known.name) is not None}


@contextmanager
def _bar(output: Output, name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error where that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = output.progress_console
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
