"""The program: its commands, and the edge at which errors become words and exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import AitrainError, JobError, TrainingDivergedError
from ..tasks.code import code_allowed
from . import (
    autosegment,
    check,
    classify,
    demo,
    evaluate,
    export,
    jobs,
    models,
    predict,
    remote,
    scripts,
    serve,
    suggest,
    train,
    weights,
)
from .output import Output

OK, FAILED, BAD_INPUT = 0, 1, 2

app = typer.Typer(
    name="napari-aitrain",
    help="Train a segmentation model on your own labels, run it on your images, and see how good it is.",
    epilog="Start with `napari-aitrain demo`. Exit codes: 0 done, 1 a run failed, 2 the input must be mended first, "
    "3 blocks of a prediction or images of a folder failed, "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-aitrain {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("autosegment")(autosegment.autosegment)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("suggest")(suggest.suggest)
app.add_typer(classify.app, name="classify")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(weights.app, name="weights")
app.add_typer(remote.app, name="remote")
app.add_typer(scripts.app, name="scripts")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors are told without a traceback.

    Parameters
    ----------
    arguments : sequence of str, optional
        As typed after the program's name; those of this process if not given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(as_json="--json" in given)
    command: Any = typer.main.get_command(app)
    try:
        # Nothing of a window lives in this process, and trainings run in a worker's.
        with contextlib.nullcontext() if given[:1] in (["train"], ["check"]) else code_allowed():
            command.main(args=given, prog_name="napari-aitrain", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except AitrainError as error:
        output.error(error.as_dict())
        return FAILED if isinstance(error, (JobError, TrainingDivergedError)) else BAD_INPUT
    except Exception as error:  # the edge of the program: a fault of ours, told as such
        from ..jobs.failure import describe

        output.error(describe(error))
        if os.environ.get("AITRAIN_DEBUG"):
            traceback.print_exc()
        return FAILED
    return OK


def main() -> None:
    """Run the program."""
    sys.exit(run())
