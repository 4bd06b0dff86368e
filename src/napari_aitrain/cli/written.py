"""How results are written, from the options of `predict` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..volumes.write_ome import OmeVersion
    from ..volumes.write_zarr import ZarrOptions


def zarr_options(out: Path, ome: str, shards: bool, maps: bool) -> ZarrOptions:
    """Return how OME-Zarr is to be written.

    Raises
    ------
    ConfigError
        If none is written, because `out` is another format and no maps are asked for; or there is no such version.
    """
    from ..volumes.write_zarr import ZarrOptions

    named = [name for name, given in (("--ome", ome != "0.5"), ("--shards", shards)) if given]
    if named and not maps and out.suffix.lower() in (".tif", ".tiff", ".webknossos"):
        raise ConfigError(
            f"{' and '.join(named)} says how OME-Zarr is written, and {out.name} is none",
            "an output whose name ends with .ome.zarr",
            f"write --out {out.stem}.ome.zarr, or leave {' and '.join(named)} out",
        )
    return ZarrOptions(version=cast("OmeVersion", ome), shards=shards)
