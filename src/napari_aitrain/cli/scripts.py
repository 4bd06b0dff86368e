"""The commands `scripts list|show|trust|forget`: Python files that provide a task, which are code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError, ScriptNotTrustedError
from . import options
from .output import Output

app = typer.Typer(
    help="Scripts that provide a task of your own: which ones may run on this computer.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(help="A Python file that provides a task.", metavar="SCRIPT.py")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: you have looked at it.")]

WARNING = (
    "{path} is a program. It runs with your rights: it can read, change, delete and send what you can. Go on only if "
    "you have looked at it, or trust who wrote it."
)


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the scripts that were confirmed."""
    from rich.table import Table

    from ..tasks.script_store import trusted_scripts

    output = Output(as_json)
    rows = [_row(script) for script in trusted_scripts()]
    table = Table("script", "finds", "checksum", "kept copy", box=None)
    for row in rows:
        table.add_row(row["script"], row["title"], row["sha256"][:16], row["path"])
    if not as_json:
        output.console.print(table) if rows else output.say("No script was confirmed on this computer.")
    output.result({"scripts": rows})


@app.command()
def show(script: File, as_json: options.Json = False) -> None:
    """Show a script and whether it was confirmed; nothing of it is run."""
    from ..tasks.script_store import find_script, read_script

    output = Output(as_json)
    content, sha256 = read_script(script)
    try:
        find_script(str(script))
        confirmed = True
    except ScriptNotTrustedError:
        confirmed = False
    if not as_json:
        output.console.print(content.decode("utf-8"), markup=False, highlight=False, soft_wrap=True)
        output.say(f"Checksum {sha256}; {'confirmed' if confirmed else 'not confirmed'} on this computer.")
    output.result({"script": str(script), "sha256": sha256, "confirmed": confirmed})


@app.command()
def trust(script: File, yes: Yes = False, as_json: options.Json = False) -> None:
    """Confirm a script, so that trainings and models that use it may run on this computer. Any change asks again."""
    from ..tasks.script_store import trust_script

    output = Output(as_json)
    if not yes:
        _ask(script)
    found = trust_script(script)
    if not as_json:
        output.say(f"Confirmed: {found.title}, which finds: {found.description.title}. Use it: --task {script}")
    output.result(_row(found))


@app.command()
def forget(
    checksum: Annotated[str, typer.Argument(help="The first digits of its checksum, or the script itself.")],
    as_json: options.Json = False,
) -> None:
    """Take the confirmation of a script back."""
    from ..tasks.script_store import forget_script, read_script, trusted_scripts

    output = Output(as_json)
    digits = read_script(Path(checksum))[1] if checksum.endswith(".py") else checksum
    found = [script for script in trusted_scripts() if digits and script.sha256.startswith(digits)]
    if len(found) != 1:
        raise ConfigError(
            f"{'several scripts begin' if found else 'no confirmed script begins'} with {digits!r}",
            "the checksum of one script",
            "see `napari-aitrain scripts list`",
        )
    forget_script(found[0].sha256)
    if not as_json:
        output.say(f"{found[0].title} is not confirmed any more.")
    output.result(_row(found[0]))


def confirm_script(task: str, as_json: bool) -> None:
    """Ask a person at a terminal whether a script may run, if it was not confirmed yet; elsewhere it is an error.

    Raises
    ------
    ScriptNotTrustedError
        If nobody is there who could be asked.
    typer.Abort
        If the answer is no.
    """
    from ..tasks.script_store import find_script, is_script, trust_script

    if not is_script(task):
        return
    try:
        find_script(task)
    except ScriptNotTrustedError as error:
        if as_json or not sys.stdin.isatty() or not isinstance(error.path, Path):
            raise
        _ask(error.path)
        trust_script(error.path)


def _ask(script: Path) -> None:
    from ..tasks.script_store import read_script

    content, sha256 = read_script(script)
    lines = len(content.decode("utf-8").splitlines())
    typer.secho(WARNING.format(path=script), fg="yellow", err=True)
    typer.echo(
        f"It has {lines} lines and the checksum {sha256}. See it: napari-aitrain scripts show {script}", err=True
    )
    typer.confirm("May it run on this computer?", abort=True, err=True)


def _row(script: Any) -> dict[str, Any]:
    return {
        "script": script.title,
        "task": script.name,
        "title": script.description.title,
        "sha256": script.sha256,
        "path": str(script.path),
    }
