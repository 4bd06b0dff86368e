"""The commands `models list|show|add`; what changes models is in `models_changes`, files are in `models_files`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..words import spoken_time
from . import models_changes, models_compare, models_files, options
from .models_changes import plain
from .models_files import tell_stored
from .output import Output

if TYPE_CHECKING:
    from ..models import Model, ModelCard, Version

app = typer.Typer(
    help="The models you have: those in the store, and those in the folders of jobs.", no_args_is_help=True
)
models_changes.register(app)
models_files.register(app)
app.command()(models_compare.compare)

Reference = Annotated[
    str,
    typer.Argument(help="NAME (its active version), NAME/vN, a starter model, or a folder.", metavar="MODEL"),
]


@app.command("list")
def list_(
    archived: Annotated[bool, typer.Option("--archived", help="Also those that are archived.")] = False,
    as_json: options.Json = False,
) -> None:
    """List models: of the store, of jobs, and the starter models that come with the program."""
    from rich.table import Column, Table

    output = Output(as_json)
    rows, damaged = [], []
    for row in _rows():
        if "error" in row:
            damaged.append(row)
        elif archived or not row["archived"]:
            rows.append(row)
    name_column, folder_column = Column("name", no_wrap=True), Column("folder", overflow="fold")
    table = Table(name_column, "task", "dims", "score", "trained", "created", "tags", folder_column, box=None)
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        where = "starter model" if row["starter"] else row["folder"]
        name = row["reference"] + (" *" if row["active"] else "") + (" (archived)" if row["archived"] else "")
        trained = spoken_time(row["seconds"])
        table.add_row(name, row["task"], str(row["dims"]), score, trained, row["made"], ", ".join(row["tags"]), where)
    if not as_json:
        output.console.print(table) if rows else output.say("There are no models yet: `napari-aitrain train --help`.")
        if any(row["active"] for row in rows):
            output.say("* is the version that the name alone means.")
        for row in damaged:
            output.say(f"Damaged: {row['what']}", "red")
    output.result({"models": [{k: v for k, v in row.items() if k != "made"} for row in rows], "damaged": damaged})


def _rows() -> Iterator[dict[str, Any]]:
    """Yield what is listed of each model, or its error."""
    from ..errors import ModelError
    from ..models import list_versions, load_model, starter_folder, starter_names

    places: list[tuple[Path, Version | None, str]] = [(v.folder, v, v.reference) for v in list_versions()]
    places += [(folder, None, "") for folder in _job_models()]
    places += [(starter_folder(name), None, name) for name in starter_names()]
    for folder, version, reference in places:
        try:
            yield _row(load_model(folder), version, reference)
        except ModelError as error:
            yield error.as_dict()


def _job_models() -> list[Path]:
    from ..jobs import known_folders
    from ..models.folder import CARD

    return [folder / "model" for folder in known_folders() if (folder / "model" / CARD).is_file()]


def _row(model: Model, version: Version | None, reference: str) -> dict[str, Any]:
    card = model.card
    return {
        "name": card.name if version is None and not reference else reference.split("/")[0],
        "reference": reference or card.name,
        "starter": version is None and bool(reference),
        "version": card.version if version is None else version.number,
        "active": version is not None and version.active,
        "archived": version is not None and version.state.archived,
        "tags": [] if version is None else list(version.state.tags),
        "task": card.task,
        "dims": card.dims,
        "score": _score(card),
        "seconds": card.seconds,
        "created": card.created.isoformat(),
        "made": card.created.astimezone().strftime("%Y-%m-%d %H:%M"),
        "folder": str(model.folder),
    }


def _score(card: ModelCard) -> float | None:
    score = card.metrics.get("validation", card.metrics)
    return score.get("score") if isinstance(score, dict) else None


@app.command()
def show(model: Reference, as_json: options.Json = False) -> None:
    """Show a model's card: what it was trained on, how long, and how good it is."""
    import yaml

    from ..models import find_model, list_versions

    output = Output(as_json)
    found = find_model(model)
    card = found.card.model_dump(mode="json")
    version: dict[str, Any] = next((plain(one) for one in list_versions() if one.folder == found.folder), {})
    said: dict[str, Any] = {k: version[k] for k in ("reference", "active", "archived", "tags") if k in version}
    if version.get("comments"):
        card["comments"] = version["comments"]
    if not as_json:
        output.say(str(found.folder), "bold")
        output.say(yaml.safe_dump({**said, **card}, sort_keys=False, allow_unicode=True).rstrip())
    output.result({"folder": str(found.folder), **card, **said})


@app.command()
def add(
    model: Reference,
    name: Annotated[str | None, typer.Option(help="Name in the store; the model's own if not given.")] = None,
    as_json: options.Json = False,
) -> None:
    """Copy a model into the store, as the next version of its name."""
    from ..models import find_model, import_model

    tell_stored(Output(as_json), import_model(find_model(model).folder, name))
