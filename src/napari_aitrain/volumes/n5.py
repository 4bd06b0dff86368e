"""N5 through tensorstore: a dataset, or a pyramid of datasets named s0, s1, ….

N5 counts axes from the fastest on, so a volume is x, y, z there.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AitrainError, VolumeError
from ..geometry import FINEST, Triple
from ..location import Location, Url
from .axes import Kind
from .lazy import READ_ERRORS
from .opened import Opened, damaged
from .patience import Patience
from .remote import fetch
from .server_errors import explain
from .units import VoxelSize, nanometres_per

ATTRIBUTES = "attributes.json"
_OF_THE_SERVER = ("PERMISSION_DENIED", "UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "HTTP")
_NAMES: dict[Kind, tuple[str, ...]] = {
    "image": ("raw", "image", "data", "em"),
    "labels": ("labels", "label", "neuron_ids", "masks", "segmentation"),
}


def is_n5(path: Path) -> bool:
    """Whether a folder is an N5 container, or a group or dataset in one."""
    return (path / ATTRIBUTES).is_file()


def open_n5(place: Location, kind: Kind) -> Opened:
    """Open a dataset or a multiscale group; nothing but metadata is read.

    Parameters
    ----------
    place : Path or Url
        Of a dataset (``a.n5/volumes/raw/s0``), of a group with s0, s1, …, or of a container with only one of these.
    kind : {'image', 'labels'}
        Which dataset to look for where none is named.

    Raises
    ------
    VolumeError
        If tensorstore is missing, metadata are damaged, or it is not clear which dataset is meant.
    """
    if importlib.util.find_spec("tensorstore") is None:
        raise VolumeError(
            f"{place} is N5, which needs the package tensorstore",
            "tensorstore, which is not installed",
            'install it with: python -m pip install "napari-aitrain[n5]"; or convert the volume to OME-Zarr',
        )
    attributes = _attributes(place)
    if "dimensions" in attributes:
        array = N5Array(place)
        return Opened([(array, FINEST)], _axes(attributes), voxel_size=_voxel_size(attributes))
    levels, remarks = _levels(place, attributes)
    if not levels:
        return open_n5(_only_member(place, kind), kind)
    first = _attributes(levels[0][0])
    return Opened(
        [(N5Array(path), magnification) for path, magnification in levels],
        _axes(first),
        voxel_size=_voxel_size(first) or _voxel_size(attributes),
        remarks=tuple(remarks),
    )


class N5Array:
    """A dataset of N5 as tensorstore reads it."""

    def __init__(self, place: Location) -> None:
        import tensorstore

        spec = {
            "driver": "n5",
            "kvstore": _kvstore(place),
            "open": True,
            "recheck_cached_data": "open",
            "context": _retries(Patience.from_environment()),
        }
        try:
            self._store = tensorstore.open(spec, read=True).result()
        except (*READ_ERRORS, TypeError) as error:
            raise damaged(place, error) from error
        self.shape = tuple(int(n) for n in self._store.shape)
        self.dtype: np.dtype[Any] = np.dtype(self._store.dtype.numpy_dtype)
        chunk = self._store.chunk_layout.read_chunk.shape or self.shape
        self.chunks = tuple(int(n or 1) for n in chunk)
        self.place = place

    def __getitem__(self, key: Any, /) -> Any:
        """Read by integers and slices."""
        try:
            return self._store[key].read().result()
        except (ValueError, RuntimeError, OSError) as error:
            if isinstance(self.place, Url) and any(word in str(error) for word in _OF_THE_SERVER):
                raise explain(self.place, error, 1) from error
            raise


def _retries(patience: Patience) -> dict[str, Any]:
    """Return how tensorstore is to ask servers again."""
    rule = {
        "max_retries": patience.attempts,
        "initial_delay": f"{round(1000 * patience.pause)}ms",
        "max_delay": f"{round(8000 * patience.pause)}ms",
    }
    return {f"{kind}_request_retries": rule for kind in ("http", "s3", "gcs")}


def _kvstore(place: Location) -> dict[str, Any]:
    if isinstance(place, Path):
        return {"driver": "file", "path": f"{place.absolute()}/"}
    if place.scheme in ("http", "https"):
        return {"driver": "http", "base_url": f"{place.text}/"}
    bucket, _, path = place.text.partition("://")[2].partition("/")
    drivers = {"s3": "s3", "gs": "gcs", "gcs": "gcs"}
    if place.scheme in drivers:
        return {"driver": drivers[place.scheme], "bucket": bucket, "path": f"{path}/"}
    raise VolumeError(
        f"N5 is not read from {place.scheme}://", "a path, http://, https://, s3:// or gs://", "download the volume"
    )


def _attributes(place: Location) -> Mapping[str, Any]:
    where = place / ATTRIBUTES
    try:
        data = json.loads(fetch(where) if isinstance(where, Url) else where.read_bytes())
    except AitrainError:
        raise
    except (OSError, ValueError) as error:
        raise damaged(where, error) from error
    if not isinstance(data, dict):
        raise damaged(where, ValueError("it holds no attributes"))
    return data


def _levels(place: Location, attributes: Mapping[str, Any]) -> tuple[list[tuple[Location, Triple]], list[str]]:
    """Return the datasets s0, s1, … of a group with their magnifications, and what is left out."""
    listed = attributes.get("downsamplingFactors") or attributes.get("scales") or []
    levels: list[tuple[Location, Triple]] = []
    remarks = []
    for number in range(max(len(listed), 64)):
        path = place / f"s{number}"
        try:
            own = _attributes(path).get("downsamplingFactors")
        except VolumeError:
            break
        factors = own or (listed[number] if number < len(listed) else None) or [2**number] * 3
        magnification = _magnification(factors)
        if magnification is None or (number == 0 and magnification != FINEST):
            remarks.append(f"level s{number} of {place.name} is left out: its factors {factors} are no whole multiples")
        else:
            levels.append((path, magnification))
    return levels, remarks


def _magnification(factors: Any) -> Triple | None:
    """Return factors, which N5 has in x, y, z order, in z, y, x order."""
    try:
        numbers = [float(n) for n in factors][::-1]
    except (TypeError, ValueError):
        return None
    numbers = [1.0] * (3 - len(numbers)) + numbers
    if len(numbers) != 3 or not all(math.isfinite(n) and n >= 1 and n == int(n) for n in numbers):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def _only_member(place: Location, kind: Kind) -> Location:
    found = sorted(path.parent for path in place.glob(f"*/**/{ATTRIBUTES}")) if isinstance(place, Path) else []
    datasets = [path for path in found if "dimensions" in _attributes(path)]
    # A pyramid counts once, as the group that holds s0.
    named = sorted({path.parent if path.name[:1] == "s" and path.name[1:].isdigit() else path for path in datasets})
    fitting = [path for path in named if path.name.lower() in _NAMES[kind]] if len(named) > 1 else named
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(str(path) for path in named) or "none that is known"
    raise VolumeError(
        f"{place} holds {len(named)} datasets, and it is not clear which one is meant",
        f"one of: {listed}",
        f"give the path of one of them, such as {min(map(str, named), default=str(place / 's0'))}",
    )


def _axes(attributes: Mapping[str, Any]) -> str | None:
    count = len(attributes["dimensions"])
    named = attributes.get("axes")
    if isinstance(named, list) and len(named) == count and {"y", "x"} <= {str(n).lower()[:1] for n in named}:
        # Names are written in the order of z, y, x by most programs, and dimensions the other way round.
        letters = "".join(str(n).lower()[:1] for n in named)
        return letters if letters.startswith("x") else letters[::-1]
    return {2: "xy", 3: "xyz", 4: "xyzc"}.get(count)


def _voxel_size(attributes: Mapping[str, Any]) -> VoxelSize | None:
    resolution = attributes.get("pixelResolution", attributes.get("resolution"))
    unit: Any = "nm"
    if isinstance(resolution, Mapping):
        unit, resolution = resolution.get("unit", "nm"), resolution.get("dimensions")
    unit = attributes.get("units", unit)
    scale = nanometres_per(unit[0] if isinstance(unit, list) and unit else unit)
    try:
        numbers = [float(n) for n in resolution or []]
    except (TypeError, ValueError):
        return None
    if scale is None or len(numbers) != 3 or not all(math.isfinite(n) and n > 0 for n in numbers):
        return None
    x, y, z = (n * scale for n in numbers)
    return z, y, x
