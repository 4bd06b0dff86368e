"""Lengths in nanometres from the many spellings that file formats use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..errors import ConfigError

VoxelSize = tuple[float, float, float]

_NANOMETRES = {
    "pm": 1e-3, "picometer": 1e-3, "picometre": 1e-3,
    "å": 0.1, "angstrom": 0.1, "ångström": 0.1,
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "μm": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6,
    "cm": 1e7, "centimeter": 1e7, "centimetre": 1e7,
    "m": 1e9, "meter": 1e9, "metre": 1e9,
}  # fmt: skip


def nanometres_per(unit: object) -> float | None:
    """Return how many nanometres a unit is, or None if it is no known length.

    Examples
    --------
    >>> nanometres_per("µm"), nanometres_per("Nanometers"), nanometres_per("pixel")
    (1000.0, 1.0, None)
    """
    name = str(unit).strip().replace("\\u00B5", "μ").replace("µ", "μ").casefold()
    return _NANOMETRES.get(name, _NANOMETRES.get(name.removesuffix("s")))


def voxel_size_of(spacing: Mapping[str, float | None]) -> VoxelSize | None:
    """Return a voxel size from spacings in nm by axis name.

    Parameters
    ----------
    spacing : mapping
        Nanometres of ``y``, ``x`` and, for a volume, ``z``; a key that is absent means that there is no such axis.

    Returns
    -------
    tuple of float or None
        Nanometres in z, y, x order; None if any is unknown or not positive. A 2-D image, which has no extent in
        depth, gets its y spacing for z, so that it counts as isotropic.
    """
    z = spacing["z"] if "z" in spacing else spacing.get("y")
    y, x = spacing.get("y"), spacing.get("x")
    if z is None or y is None or x is None:
        return None
    if not all(math.isfinite(v) and v > 0 for v in (z, y, x)):
        return None
    return float(z), float(y), float(x)


def check_voxel_size(voxel_size: Sequence[float] | None) -> VoxelSize | None:
    """Return a voxel size that somebody gave; None stays unknown.

    Raises
    ------
    ConfigError
        If it is not three lengths above 0.
    """
    if voxel_size is None:
        return None
    lengths = [float(length) for length in voxel_size]
    if len(lengths) != 3 or not all(math.isfinite(length) and length > 0 for length in lengths):
        told = ", ".join(f"{length:g}" for length in lengths)
        raise ConfigError(
            f"the voxel size {told} cannot be used",
            "three lengths above 0, in nm, in z, y, x order",
            "give for example 50, 4, 4; leave it out if it is not known",
        )
    z, y, x = lengths
    return z, y, x


def magnified(voxel_size: VoxelSize | None, magnification: Sequence[int]) -> VoxelSize | None:
    """Return the voxel size at a magnification, both in z, y, x order; None stays unknown."""
    if voxel_size is None:
        return None
    z, y, x = (size * m for size, m in zip(voxel_size, magnification, strict=True))
    return z, y, x
