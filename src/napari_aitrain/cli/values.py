"""What people write behind options, as values."""

from __future__ import annotations

import math
from typing import Literal

from ..errors import ConfigError


def three_numbers(text: str | None) -> list[float] | None:
    """Read a voxel size written as Z,Y,X.

    Raises
    ------
    ConfigError
        If it is not three numbers above 0.
    """
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(0 < number < math.inf for number in numbers):
        raise ConfigError(
            f"voxel size {text!r} is not known", "three numbers above 0, in nm, as Z,Y,X", "write --voxel-size 50,4,4"
        )
    return numbers


def extent(text: str | None) -> tuple[int, int, int] | None:
    """Read the size of a box written as Z,Y,X.

    Raises
    ------
    ConfigError
        If it is not three whole numbers above 0.
    """
    if text is None:
        return None
    parts = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if len(parts) != 3 or not all(parts):
        raise ConfigError(
            f"the size {text!r} is not known", "three whole numbers of voxels, as Z,Y,X", "write --size 1,128,128"
        )
    return parts[0], parts[1], parts[2]


def diameter(text: str | None) -> float | Literal["auto"] | None:
    """Read a diameter: a number or auto.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if text is None:
        return None
    if text == "auto":
        return "auto"
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise ConfigError(f"the diameter {text!r} is not known", "a number of voxels above 0, or auto", "--diameter 30")
    return number


def place(text: str | None) -> list[float] | None:
    """Read a place written as Z,Y,X.

    Raises
    ------
    ConfigError
        If it is not three numbers.
    """
    if text is None:
        return None
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"the place {text!r} is not known", "three numbers as Z,Y,X, in voxels", "write --near 20,500,500"
        ) from None
    return [z, y, x]


def words(text: str | None) -> list[str]:
    """Read words written as probability,uncertainty."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def names_or_numbers(text: str | None) -> list[str | int] | None:
    """Read channels written as DAPI,1."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [int(part) if part.isdigit() else part for part in parts]
