"""Other people's tasks as code: whether this process may run it, loading it, and telling its faults from ours."""

from __future__ import annotations

import contextlib
import importlib
import linecache
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AitrainError, TaskScriptError

if TYPE_CHECKING:
    from .protocol import Task

_allowed = False
_files: dict[str, str] = {}
"""Files of loaded code, and what people call them."""
_loaded: dict[str, type[Task]] = {}
PROVIDES = "TASK"


def may_run_code() -> bool:
    """Whether this process may run other people's code: a worker or a program of the command line, never a window."""
    return _allowed


def allow_code() -> None:
    """Let this process run other people's code from now on, if a person has agreed to it."""
    global _allowed
    _allowed = True


@contextlib.contextmanager
def code_allowed() -> Iterator[None]:
    """Let this process run other people's code meanwhile."""
    global _allowed
    before, _allowed = _allowed, True
    try:
        yield
    finally:
        _allowed = before


def load_code(code: str, file: str = "", content: bytes | None = None) -> type[Task]:
    """Run code and return the class of the task that it provides; once per process.

    Parameters
    ----------
    code : str
        A Python file, or ``MODULE:CLASS`` of an installed package.
    file : str
        What people call it; by default the name of the file.
    content : bytes, optional
        What to run, where the file was read already.

    Raises
    ------
    TaskScriptError
        If it raises, or provides no task.
    """
    if code in _loaded:
        return _loaded[code]
    if not _allowed:
        raise TaskScriptError(
            f"{file or code} is code of other people, which only a worker runs",
            "a training or a prediction that runs as a job",
            "start it as a job, or on the command line",
        )
    called = file or (Path(code).name if code.endswith(".py") else code)
    try:
        found = _run_file(code, called, content) if code.endswith(".py") else _import(code)
    except AitrainError:
        raise
    except (Exception, SystemExit) as error:
        raise _fault(error, called, "when it was loaded") from error
    _loaded[code] = _checked(found, called)
    return _loaded[code]


def blame(error: BaseException) -> AitrainError | None:
    """Return an error that says which line of other people's code failed; None where the fault is not in any."""
    if isinstance(error, AitrainError) or not _files:
        return None
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in _files:
            return _fault(error, _files[frame.filename], f"in {frame.name}")
    return None


def _run_file(code: str, called: str, content: bytes | None) -> Any:
    text = (Path(code).read_bytes() if content is None else content).decode("utf-8")
    module = types.ModuleType(f"aitrain_task_{Path(code).stem}")
    module.__file__ = code
    _files[code] = called
    # So that a traceback shows what was run, whatever becomes of the file.
    linecache.cache[code] = (len(text), None, text.splitlines(keepends=True), code)
    # Dataclasses and pydantic look their module up.
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, code, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    if not hasattr(module, PROVIDES):
        raise TaskScriptError(
            f"{called} provides no task", f"a line {PROVIDES} = MyTask", "see the page Your own task for an example"
        )
    return getattr(module, PROVIDES)


def _import(code: str) -> Any:
    name, _, attribute = code.partition(":")
    module = importlib.import_module(name)
    if module.__file__ is not None:
        _files[module.__file__] = name
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def _checked(found: Any, called: str) -> type[Task]:
    from .protocol import Task

    wanted = {name for name in (*dir(Task), *Task.__annotations__) if not name.startswith("_")}
    missing = sorted(wanted - set(dir(found)) - {"settings", "classes"})
    if not isinstance(found, type) or missing:
        said = f"lacks {', '.join(missing[:6])}" if isinstance(found, type) else "is no class"
        raise TaskScriptError(
            f"the task of {called} {said}",
            "a class with all that a task has, most easily one that builds on a task of this program",
            "see the page Your own task for an example",
        )
    return found


def _fault(error: BaseException, called: str, where: str) -> TaskScriptError:
    line = next(
        (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if _files.get(f.filename) == called),
        getattr(error, "lineno", None),
    )
    place = f" at line {line}" if line else ""
    said = str(error).splitlines()[0] if str(error) else ""
    return TaskScriptError(
        f"{called} failed {where}{place}: {type(error).__name__}{': ' + said if said else ''}",
        "a task whose code runs",
        "mend the script; the log of the job has the whole traceback",
    )
