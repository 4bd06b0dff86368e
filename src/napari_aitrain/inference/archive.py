"""Named arrays in one file, without pickle."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..volumes.atomic import atomic_file


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return arrays as the bytes of an NPZ file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def write_archive(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to an NPZ file, without a copy of them in memory."""
    with atomic_file(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an NPZ file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
