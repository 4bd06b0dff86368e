"""The command `models compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    from ..evaluation.side_by_side import Column, SideBySide


def compare(
    models: Annotated[
        list[str],
        typer.Argument(help="Two or more models, or folders of their evaluations; differences are from the first."),
    ],
    role: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Of the boxes; if not given test, else validation, else train."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all of it as a table to this new file.")] = None,
    as_json: options.Json = False,
) -> None:
    """Compare models, by their newest evaluations, on the boxes that all were evaluated on."""
    from rich.table import Table

    from ..evaluation.side_by_side import side_by_side
    from ..jobs.evaluated import evaluation_of
    from ..volumes.atomic import atomic_write_text, refuse_existing

    output = Output(as_json)
    if csv is not None:
        refuse_existing(csv)
    found = side_by_side([evaluation_of(reference) for reference in models], role, models)
    if csv is not None:
        from ..evaluation.model_tables import as_csv

        atomic_write_text(csv, as_csv(found.rows()), overwrite=False)
    if not as_json:
        output.say(f"{len(found.boxes)} {found.role} box{'es'[: 2 * (len(found.boxes) != 1)]}:")
        table = Table("", *(column.label for column in found.columns), box=None)
        for name in found.names:
            table.add_row(_word(name), *(_cell(column, name) for column in found.columns))
        output.console.print(table)
        for note in found.notes:
            output.say(note)
    output.result(_plain(found))


def _word(name: str) -> str:
    from .evaluate import WORDS

    return WORDS.get(name, name)


def _cell(column: Column, name: str) -> str:
    value = column.figures[name].value
    said = f"{value:.0f}" if name.startswith("n_") else f"{value:.3f}"
    if (difference := column.differences.get(name)) is None:
        return said
    sure = {True: " better", False: " worse", None: ""}[difference.better]
    apart = f"{difference.value:+.0f}" if name.startswith("n_") else f"{difference.value:+.3f}"
    if difference.interval is None or name.startswith("n_"):
        return f"{said} ({apart})"
    low, high = difference.interval
    return f"{said} ({apart}, {low:+.3f} to {high:+.3f}{sure})"


def _plain(found: SideBySide) -> dict[str, Any]:
    return {
        "role": found.role,
        "boxes": [box.name for box in found.boxes],
        "models": [
            {
                "model": column.label,
                "figures": {name: column.figures[name].value for name in found.names},
                "differences": {
                    name: {"value": d.value, "interval": d.interval, "better": d.better}
                    for name, d in column.differences.items()
                    if name in found.names
                },
                "each": list(column.each),
            }
            for column in found.columns
        ],
        "notes": list(found.notes),
    }
