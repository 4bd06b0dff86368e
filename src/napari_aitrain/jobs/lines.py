"""Files of JSON lines that one process appends to and others read while it grows."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..volumes.atomic import storage_errors


def append_line(path: Path, value: Mapping[str, object], *, durable: bool = False) -> None:
    """Append one object as a line, in one write.

    Parameters
    ----------
    path : Path
        Made if it is not there; its folder must be. It is opened every time, so a deleted folder is noticed.
    value : mapping
        Made plain by `plain`.
    durable : bool
        Whether to wait until the disk has it.

    Raises
    ------
    StorageError
        If the disk is full or the folder has gone.
    """
    line = json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n"
    with storage_errors(path), open(path, "ab") as file:
        file.write(line.encode("utf-8"))
        file.flush()
        if durable:
            os.fsync(file.fileno())


def plain(value: object) -> Any:
    """Return a value as JSON has it: mappings, lists, text, numbers; what is not finite is None.

    Examples
    --------
    >>> plain({"loss": float("nan"), "shape": (1, 2)})
    {'loss': None, 'shape': [1, 2]}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


class Tail:
    """Reads the complete lines that a file has gained; a line that is still being written waits.

    Parameters
    ----------
    path : Path
        May not exist yet, or have gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """Return the new objects; lines cut off by a kill or a full disk are left out."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                raw = file.read()
        except OSError:
            return []
        end = raw.rfind(b"\n") + 1
        self._offset += end
        return [row for row in map(_parse, raw[:end].splitlines()) if row is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def end_line(path: Path) -> None:
    """End a line that a killed writer left unfinished, so that the next one stands alone."""
    if not path.exists():
        return
    with storage_errors(path), open(path, "rb+") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
