"""The commands `remote add|list|show|test|edit|refresh|key`: models behind a URL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    from ..inference.remote.config import RemoteConfig
    from ..inference.remote.testing import Checked
    from ..models import Model

app = typer.Typer(help="Models behind a URL: of `napari-aitrain serve`, or of other servers.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name in the model store; it predicts wherever a model's name does.")]
Form = Annotated[
    str, typer.Option(help='aitrain: a server of this program; multipart: a TIFF in a form; json: {"image": …}.')
]
Answer = Annotated[
    str | None,
    typer.Option(help="What the server finds: classes, objects, boxes or scores; not for servers of this program."),
]
Header = Annotated[
    str | None,
    typer.Option(help="Name of the header with the key, such as Authorization or X-Api-Key; you are asked for it."),
]
Settings = Annotated[
    Path | None, typer.Option("--settings", help="YAML file with all settings; see the page on remote models.")
]
Class = Annotated[
    list[str] | None,
    typer.Option("--class", help="OUTPUT=ID:NAME maps an output to your class, OUTPUT= leaves it out; repeat it."),
]


@app.command()
def add(
    name: Name,
    url: Annotated[str, typer.Argument(help="Address of the model.")],
    form: Form = "aitrain",
    answer: Answer = None,
    header: Header = None,
    classes: Class = None,
    settings: Settings = None,
    as_json: options.Json = False,
) -> None:
    """Add a remote model to the store. The key goes into the system keyring, never into a file."""
    from ..errors import RemoteError
    from ..inference.remote import add_remote
    from ..inference.remote.secrets import headers_of_environment
    from ..inference.remote.troubles import KEY

    output = Output(as_json)
    config = _config(url, form, answer, classes, settings)
    given = headers_of_environment(config.url, (header or "Authorization",))
    try:
        model = add_remote(name, config, None if header is None else given or _ask_key(header))
    except RemoteError as error:
        if error.trouble != KEY or header is not None or not (given or sys.stdin.isatty()):
            raise
        model = add_remote(name, config, given or _ask_key("Authorization"))
    if not as_json:
        output.say(f"Added as {model.folder.parent.name}/{model.folder.name}: {model.card.task}, {model.card.dims}-D")
        output.say(f"Try it: napari-aitrain remote test {model.folder.parent.name}")
    output.result(_row(model))


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the remote models of the store."""
    from rich.table import Table

    from ..inference.remote import remotes

    output = Output(as_json)
    rows = [_row(model) for model in remotes()]
    table = Table("name", "address", "form", "answers", "task", box=None)
    for row in rows:
        table.add_row(row["name"], row["url"], row["form"], row["answer"], row["task"])
    if not as_json:
        output.console.print(table) if rows else output.say("There are none yet: `napari-aitrain remote add --help`.")
    output.result({"remote": rows})


@app.command()
def show(name: Name, as_json: options.Json = False) -> None:
    """Show the settings of a remote model, as `--settings` reads them."""
    import yaml

    from ..inference.remote import read_remote

    output = Output(as_json)
    data = read_remote(_remote(name).folder).model_dump(mode="json")
    if not as_json:
        output.say(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip())
    output.result(data)


@app.command()
def edit(
    name: Name,
    settings: Annotated[Path, typer.Option("--settings", help="YAML file with all settings.")],
    as_json: options.Json = False,
) -> None:
    """Give a remote model other settings."""
    from ..inference.remote import change_remote

    output = Output(as_json)
    model = change_remote(_remote(name).folder, _from_file(settings, {}))
    if not as_json:
        output.say(f"Changed {model.folder}")
    output.result(_row(model))


@app.command()
def test(name: Name, as_json: options.Json = False) -> None:
    """Send a small image, and say step by step what came of it. The exit code is 1 where it does not work."""
    from ..inference.remote import read_remote
    from ..inference.remote.testing import check_connection

    output = Output(as_json)
    checked = check_connection(read_remote(_remote(name).folder))
    tell(output, checked)
    if not checked.works:
        raise typer.Exit(1)


@app.command()
def refresh(name: Name, as_json: options.Json = False) -> None:
    """Ask a server of this program for its model again, after it was changed there."""
    from ..inference.remote import refresh_remote

    output = Output(as_json)
    model = refresh_remote(_remote(name).folder)
    if not as_json:
        output.say(f"{model.folder.parent.name} is up to date: {model.card.task}, {model.card.dims}-D")
    output.result(_row(model))


@app.command()
def key(
    name: Name,
    header: Header = None,
    forget: Annotated[bool, typer.Option("--forget", help="Remove the key from the keyring.")] = False,
    as_json: options.Json = False,
) -> None:
    """Enter the key of a remote model again, as on another computer, or have it forgotten."""
    from ..inference.remote import change_remote, forget_headers, read_remote

    output = Output(as_json)
    folder = _remote(name).folder
    config = read_remote(folder)
    if forget:
        forget_headers(config.url)
    else:
        change_remote(folder, config, _ask_key(header or next(iter(config.headers), "Authorization")))
    if not as_json:
        output.say("Forgotten." if forget else "Kept in the system keyring.")
    output.result({"name": name, "forgotten": forget})


def tell(output: Output, checked: Checked) -> None:
    """Say what a test of a connection has found."""
    if not output.as_json:
        for step in checked.steps:
            output.say(f"{'OK' if step.passed else 'No'}: {step.what}", "green" if step.passed else "red")
        if checked.error is not None:
            for title, text in (("Expected", checked.error.expected), ("What to do", checked.error.remedy)):
                if text:
                    output.say(f"{title}: {text}")
    output.result(checked.as_dict())


def _ask_key(header: str) -> dict[str, str]:
    """Return the header with the key; typed without being shown, or piped in."""
    from ..errors import ConfigError

    if sys.stdin.isatty():
        value = typer.prompt(f"Value of {header} (not shown)", hide_input=True, err=True)
    else:
        value = sys.stdin.readline()
    value = value.strip()
    if not value:
        raise ConfigError(f"no key was entered for {header}", "the key, in one line", "enter it, or pipe it in")
    return {header: f"Bearer {value}" if header.lower() == "authorization" and " " not in value else value}


def _config(url: str, form: str, answer: str | None, classes: list[str] | None, settings: Path | None) -> RemoteConfig:
    from ..inference.remote import parse_remote

    given: dict[str, Any] = {"url": url, "form": form}
    if form != "aitrain":
        given["answer"] = answer or "classes"
    if classes:
        given["outputs"] = [_output(text) for text in classes]
    return parse_remote(given) if settings is None else _from_file(settings, given)


def _from_file(path: Path, given: dict[str, Any]) -> RemoteConfig:
    from ..errors import ConfigError
    from ..inference.remote import parse_remote
    from ..jobs.predict_config import read_yaml

    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no settings", "a YAML file with url, form, answer …", "see `remote show NAME`")
    if "form" in data:
        given.pop("form", None)
        given.pop("answer", None) if "answer" in data else None
    return parse_remote({**data, **given}, str(path))


def _output(text: str) -> dict[str, Any]:
    from ..errors import ConfigError

    output, equals, mine = text.partition("=")
    number, _, name = mine.partition(":")
    if not equals or not output or (mine and not number.isdigit()):
        raise ConfigError(
            f"{text!r} maps no class", "OUTPUT=ID:NAME, or OUTPUT= to leave it out", "such as 1=2:nucleus"
        )
    return {"output": output, "id": int(number) if number else None, "name": name}


def _remote(name: str) -> Model:
    from ..errors import ModelError
    from ..models import find_model

    model = find_model(name)
    if not model.remote:
        raise ModelError(
            f"{name} is no remote model: its weights are on this computer", "a model that was added with `remote add`",
            "see `napari-aitrain remote list`",
        )  # fmt: skip
    return model


def _row(model: Model) -> dict[str, Any]:
    from ..inference.remote import read_remote
    from ..inference.remote.address import shown

    config = read_remote(model.folder)
    return {
        "name": f"{model.folder.parent.name}/{model.folder.name}",
        "url": shown(config.url),
        "form": config.form,
        "answer": config.answer,
        "task": model.card.task,
        "headers": list(config.headers),
        "folder": str(model.folder),
    }
