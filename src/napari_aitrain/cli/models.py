"""The commands `models list|show|add|import|export|remove`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..words import spoken_time
from . import options
from .output import Output

if TYPE_CHECKING:
    from ..models import Model

app = typer.Typer(
    help="The models you have: those in the store, and those in the folders of jobs.", no_args_is_help=True
)

Reference = Annotated[
    str,
    typer.Argument(help="NAME (its newest version), NAME/vN, a starter model, or a folder.", metavar="MODEL"),
]


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List models: of the store, of jobs, and the starter models that come with the program."""
    from rich.table import Table

    from ..errors import ModelError
    from ..models import list_models, load_model, starter_folder, starter_names

    output = Output(as_json)
    found: list[Model | ModelError] = list(list_models())
    starters = [starter_folder(name) for name in starter_names()]
    for folder in [*_job_models(), *starters]:
        try:
            found.append(load_model(folder))
        except ModelError as error:
            found.append(error)
    models = [model for model in found if not isinstance(model, ModelError)]
    errors = [damaged for damaged in found if isinstance(damaged, ModelError)]
    table = Table("name", "task", "dims", "score", "trained", "created", "folder", box=None)
    for model in models:
        row = _row(model)
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        created = model.card.created.astimezone().strftime("%Y-%m-%d %H:%M")
        trained = spoken_time(model.card.seconds)
        where = "starter model" if row["starter"] else str(model.folder)
        table.add_row(row["name"], row["task"], str(row["dims"]), score, trained, created, where)
    if not as_json:
        output.console.print(table) if models else output.say("There are no models yet: `napari-aitrain train --help`.")
        for damaged in errors:
            output.say(f"Damaged: {damaged.what}", "red")
    output.result({"models": [_row(model) for model in models], "damaged": [damaged.as_dict() for damaged in errors]})


def _job_models() -> list[Path]:
    from ..jobs import known_folders
    from ..models.folder import CARD

    return [folder / "model" for folder in known_folders() if (folder / "model" / CARD).is_file()]


def _row(model: Model) -> dict[str, Any]:
    from ..models import starters

    card = model.card
    starter = model.folder.parent == starters.FOLDER
    score = card.metrics.get("validation", card.metrics)
    return {
        "name": model.folder.name if starter else card.name,
        "starter": starter,
        "version": card.version,
        "task": card.task,
        "dims": card.dims,
        "score": score.get("score") if isinstance(score, dict) else None,
        "seconds": card.seconds,
        "created": card.created.isoformat(),
        "folder": str(model.folder),
    }


@app.command()
def show(model: Reference, as_json: options.Json = False) -> None:
    """Show a model's card: what it was trained on, how long, and how good it is."""
    import yaml

    from ..models import find_model

    output = Output(as_json)
    found = find_model(model)
    card = found.card.model_dump(mode="json")
    if not as_json:
        output.say(str(found.folder), "bold")
        output.say(yaml.safe_dump(card, sort_keys=False, allow_unicode=True).rstrip())
    output.result({"folder": str(found.folder), **card})


@app.command()
def add(
    model: Reference,
    name: Annotated[str | None, typer.Option(help="Name in the store; the model's own if not given.")] = None,
    as_json: options.Json = False,
) -> None:
    """Copy a model into the store, as the next version of its name."""
    from ..models import find_model, import_model

    output = Output(as_json)
    stored = import_model(find_model(model).folder, name)
    if not as_json:
        output.say(f"Stored as {stored.folder.parent.name}/{stored.folder.name} in {stored.folder}")
    output.result({"folder": str(stored.folder), "name": f"{stored.folder.parent.name}/{stored.folder.name}"})


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="A file of weights of Cellpose 4, or known weights by name.")],
    name: Annotated[str | None, typer.Option(help="Name in the store; that of the file if not given.")] = None,
    dims: Annotated[
        int | None, typer.Option(min=2, max=3, help="2: slice by slice; 3: follow objects through volumes.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make a model of weights that Cellpose has written; it is predicted with and trained like any other."""
    from ..models import find_model, import_model

    output = Output(as_json)
    stored = import_model(find_model(file).folder, name, None if dims is None else (2 if dims == 2 else 3))
    if not as_json:
        output.say(f"Stored as {stored.folder.parent.name}/{stored.folder.name} in {stored.folder}")
    output.result({"folder": str(stored.folder), "name": f"{stored.folder.parent.name}/{stored.folder.name}"})


@app.command()
def export(
    model: Reference,
    file: Annotated[Path, typer.Argument(help="A new file, which Cellpose 4 opens.")],
    as_json: options.Json = False,
) -> None:
    """Write a model of the task cellpose as a file for Cellpose's own window and API."""
    from ..models import export_cellpose, find_model

    output = Output(as_json)
    export_cellpose(find_model(model), file)
    if not as_json:
        output.say(f"Written: {file}")
        output.say(f"In Cellpose: CellposeModel(pretrained_model={str(file)!r}), or Models > Add custom torch model")
    output.result({"file": str(file)})


@app.command()
def remove(
    model: Annotated[str, typer.Argument(help="NAME/vN, or NAME for all its versions; only models of the store.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Delete a model from the store. A job's model goes with its job."""
    from ..models import remove_model

    output = Output(as_json)
    if not yes:
        typer.confirm(f"Delete {model} from the model store?", abort=True, err=True)
    folder = remove_model(model)
    if not as_json:
        output.say(f"Deleted {folder}")
    output.result({"removed": str(folder)})
