"""Scripts that provide a task: which ones a person has agreed to, by checksum, and what they say of themselves.

A script is code, and runs with the rights of whoever runs it. So nothing of it runs, not even to ask its name, before a
person has agreed to exactly this content; a change of a letter is another script. What was agreed to is copied into the
user's folder, and only the copy is ever run.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError, ScriptNotTrustedError
from ..home import home
from ..volumes.atomic import atomic_write_bytes, atomic_write_text, storage_errors
from .describing import Description, describe_code

PREFIX = "script:"
SCRIPT_COPY = "task.py"
"""Name of the copy of a script in the folders of jobs and models."""
LARGEST = 2**20
_DIGITS = 16
_NAME = re.compile(rf"{PREFIX}([^@]+)@([0-9a-f]{{{_DIGITS}}})")


@dataclass(frozen=True)
class Script:
    """A script that a person has agreed to.

    Parameters
    ----------
    title : str
        Name of its file, without the ending.
    sha256 : str
        Checksum of its content.
    path : Path
        The copy that is run.
    description : Description
        What it says of its task.
    """

    title: str
    sha256: str
    path: Path
    description: Description

    @property
    def name(self) -> str:
        """The name of its task in configs and on model cards."""
        return name_of(self.title, self.sha256)


def name_of(title: str, sha256: str) -> str:
    """Return the name of a script's task: ``script:TITLE@`` and the first digits of the checksum."""
    return f"{PREFIX}{title.replace('@', '_')}@{sha256[:_DIGITS]}"


def is_script(name: str) -> bool:
    """Whether a task is named that a script provides: by name, or as a Python file."""
    return name.startswith(PREFIX) or name.endswith(".py")


def shown_name(name: str) -> str:
    """Return the name of a task as people read it.

    Examples
    --------
    >>> shown_name("script:membranes@0123456789abcdef"), shown_name("instances")
    ('membranes (script)', 'instances')
    """
    match = _NAME.fullmatch(name)
    return f"{match[1]} (script)" if match else name


def read_script(path: Path) -> tuple[bytes, str]:
    """Return the content of a script and its checksum; nothing of it is run.

    Raises
    ------
    ConfigError
        If it cannot be read, is no text, or is far larger than a script.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a Python file with a task", "check the path") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path} has more than {LARGEST:,} bytes", "a Python file with a task", "choose the script")
    return content, hashlib.sha256(content).hexdigest()


def trust_script(path: Path) -> Script:
    """Agree to a script: keep a copy, and have a process of its own ask it what its task is.

    Raises
    ------
    ConfigError
        If it cannot be read.
    TaskScriptError
        If it raises, does not end, or provides no task; it is not agreed to then.
    """
    content, sha256 = read_script(path)
    with contextlib.suppress(ScriptNotTrustedError):
        return _kept(sha256, Path(path).stem)
    copy = _folder() / f"{sha256}.py"
    with storage_errors(copy):
        copy.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(copy, content)
    described = False
    try:
        description = describe_code(str(copy), Path(path).name)
        atomic_write_text(copy.with_suffix(".json"), description.model_dump_json(indent=1))
        described = True
    finally:
        if not described:
            copy.unlink(missing_ok=True)
    return Script(Path(path).stem, sha256, copy, description)


def find_script(name: str) -> Script:
    """Return the script that provides a task.

    Parameters
    ----------
    name : str
        ``script:TITLE@DIGITS``, or the path of a Python file.

    Raises
    ------
    ScriptNotTrustedError
        If nobody has agreed to it on this computer.
    ConfigError
        If the file cannot be read, or it is no such name.
    """
    if not name.startswith(PREFIX):
        _, sha256 = read_script(Path(name))
        return _kept(sha256, Path(name).stem, Path(name))
    match = _NAME.fullmatch(name)
    if match is None:
        raise ConfigError(f"{name!r} names no script", f"{PREFIX}TITLE@ and {_DIGITS} digits", "name its file instead")
    for path in _folder().glob(f"{match[2]}*.py"):
        return _kept(path.stem, match[1])
    raise not_trusted(f"the script {match[1]}")


def not_trusted(what: str, path: Path | None = None) -> ScriptNotTrustedError:
    """Return the error for a script that nobody has agreed to."""
    lies = f"it is {path}" if path is not None else f"it is {SCRIPT_COPY} in the folder of its job or model"
    named = str(path) if path is not None else SCRIPT_COPY
    return ScriptNotTrustedError(
        f"{what} was not confirmed on this computer, and nothing of it was run",
        "a script that you have looked at, and whose author you trust: it is code, and runs with your rights",
        f"look at it ({lies}); then confirm it in the Train dock, or with: napari-aitrain scripts trust {named}",
        path,
    )


def describe_entry(point: EntryPoint) -> Description:
    """Return what the task of an installed package says of itself; it is asked once per version of the package.

    Raises
    ------
    TaskScriptError
        If it raises, does not end, or provides no task.
    """
    package = f"{point.dist.name}=={point.dist.version}" if point.dist is not None else ""
    key = hashlib.sha256(f"{package} {point.name} {point.value}".encode()).hexdigest()
    kept = _folder() / f"package-{key}.json"
    with contextlib.suppress(OSError, UnicodeDecodeError, ValidationError):
        return Description.model_validate_json(kept.read_text(encoding="utf-8"))
    description = describe_code(point.value, package or point.value)
    with storage_errors(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(kept, description.model_dump_json(indent=1))
    return description


def trusted_scripts() -> Iterator[Script]:
    """Yield the scripts that were agreed to."""
    for path in sorted(_folder().glob("*.py")):
        with contextlib.suppress(ScriptNotTrustedError):
            yield _kept(path.stem, "")


def forget_script(sha256: str) -> None:
    """Take the agreement to a script back."""
    for suffix in (".json", ".py"):
        (_folder() / f"{sha256}{suffix}").unlink(missing_ok=True)


def content_of(script: Script) -> bytes:
    """Return the content of the copy, if it is what was agreed to.

    Raises
    ------
    ScriptNotTrustedError
        If it was changed.
    """
    content, sha256 = read_script(script.path)
    if sha256 != script.sha256:
        raise not_trusted(f"{script.path} was changed, and what it is now")
    return content


def _folder() -> Path:
    return home() / "task-scripts"


def _kept(sha256: str, title: str, path: Path | None = None) -> Script:
    copy = _folder() / f"{sha256}.py"
    try:
        description = Description.model_validate_json(copy.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise not_trusted(f"the script {path or title}", path) from None
    return Script(title or description.file.removesuffix(".py"), sha256, copy, description)
