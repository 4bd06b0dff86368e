"""What is asked of an array that is read lazily, and what reading may raise."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Protocol

READ_ERRORS = (OSError, ValueError, RuntimeError, EOFError, KeyError, IndexError, struct.error, zlib.error)
"""What readers and codecs raise on a damaged file."""


class LazyArray(Protocol):
    """What a level needs of an array: numpy, memmap, zarr and dask arrays all have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent per axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of a voxel."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """Read by integers and slices."""
        ...
