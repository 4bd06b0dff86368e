"""What a task of other people's code is, asked in a process of its own: a window never runs such code.

``python -m napari_aitrain.tasks.describing CODE ANSWER NAME`` loads the code and writes a `Description` as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import psutil
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..errors import AitrainError, TaskScriptError

PATIENCE = 60.0
"""Seconds that code may take to say what its task is."""
_TOLD = 2000
FACTS = (
    "title", "description", "feature_names", "architecture", "instances", "nearest", "alternatives",
    "taught_by_forest", "agglomerates", "continuous", "micrographs", "takes_bytes", "needs_voxel_size",
)  # fmt: skip
"""What the class of a task says of it."""
_KINDS: dict[Any, Literal["bool", "int", "float", "str"]] = {bool: "bool", int: "int", float: "float", str: "str"}


class SettingDescription(BaseModel):
    """One setting of a task, as far as a form can show it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["bool", "int", "float", "str", "choice", "other"] = "other"
    choices: tuple[str, ...] = ()
    optional: bool = False
    default: Any = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    title: str | None = None
    description: str = ""
    basic: bool = False


class Description(BaseModel):
    """A task without its code: what a form, a check and a list need of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    name: str
    title: str
    description: str
    feature_names: tuple[str, ...] = ()
    architecture: str = "unet"
    scaling_low: float
    scaling_high: float
    scaling_clip: tuple[float, float]
    instances: bool
    nearest: tuple[bool, ...] = ()
    alternatives: tuple[dict[str, float], ...] = ()
    taught_by_forest: bool = False
    agglomerates: bool = False
    continuous: bool = False
    micrographs: bool = False
    takes_bytes: bool = False
    needs_voxel_size: bool = False
    max_distance: float | None = None
    settings: tuple[SettingDescription, ...] = ()


def describe_code(code: str, file: str, patience: float = PATIENCE) -> Description:
    """Ask code what its task is, in a process of its own that is ended if it takes too long.

    Parameters
    ----------
    code : str
        A Python file, or ``MODULE:CLASS`` of an installed package.
    file : str
        What people call it.
    patience : float
        Seconds.

    Raises
    ------
    TaskScriptError
        If it raises, does not end in time, or provides no task.
    """
    with tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as place:
        answer, log = Path(place) / "answer.json", Path(place) / "log.txt"
        command = [sys.executable, "-m", "napari_aitrain.tasks.describing", code, str(answer), file]
        with open(log, "wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                raise TaskScriptError(
                    f"{file} did not end within {patience:g} s when it was loaded",
                    "a script that only defines a task, and leaves the work to it",
                    "move what takes long into the methods of the task",
                ) from None
            finally:
                _end(process)
        printed = log.read_text(encoding="utf-8", errors="replace")[-_TOLD:].strip()
        try:
            told = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = printed.splitlines()[-1] if printed else "no word"
            raise TaskScriptError(
                f"{file} ended Python when it was loaded: {last}", "a script that defines a task", "mend the script"
            ) from None
    if "error" in told:
        raise TaskScriptError(str(told["what"]), str(told["expected"]), str(told["remedy"]))
    try:
        return Description.model_validate({**told, "file": file})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TaskScriptError(
            f"{file}: {where}: {first['msg']}", "a task as the page Your own task shows it", "mend the script"
        ) from error


def description_of(task: Any) -> dict[str, Any]:
    """Return what is to be known of the class of a task, as plain data."""
    made = task(task.Settings(), (0, 1))
    scaling = task.scaling
    return {
        **{fact: getattr(task, fact) for fact in FACTS},
        "name": task.name,
        "scaling_low": scaling.low,
        "scaling_high": scaling.high,
        "scaling_clip": list(scaling.clip),
        "max_distance": made.max_distance,
        "settings": [_setting(name, info).model_dump(mode="json") for name, info in task.Settings.model_fields.items()],
    }


def _setting(name: str, info: FieldInfo) -> SettingDescription:
    kind, optional = info.annotation, False
    if get_origin(kind) in (Union, types.UnionType):
        rest = [one for one in get_args(kind) if one is not type(None)]
        kind, optional = (rest[0] if len(rest) == 1 else None), len(rest) < len(get_args(kind))
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    choices = choices if all(isinstance(one, str) for one in choices) else ()
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    hidden = bool(extra.get("hidden"))
    limits = {
        key: getattr(rule, key)
        for rule in info.metadata
        for key in ("ge", "gt", "le", "lt")
        if isinstance(rule, annotated_types.BaseMetadata) and hasattr(rule, key)
    }
    default = info.get_default(call_default_factory=True)
    return SettingDescription(
        name=name,
        kind="choice" if choices else "other" if hidden else _KINDS.get(kind, "other"),
        choices=choices,
        optional=optional,
        default=json.loads(json.dumps(default, default=str)),
        title=info.title,
        description=info.description or "",
        basic=bool(extra.get("basic")),
        **limits,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        others = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        others = []
    for one in others:
        try:
            one.kill()
        except psutil.Error:
            continue
    process.kill()
    process.wait()


def _answer(code: str, answer: Path, file: str) -> None:
    from .code import allow_code, load_code

    allow_code()
    try:
        told = description_of(load_code(code, file))
    except AitrainError as error:
        told = error.as_dict()
    answer.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    _answer(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
