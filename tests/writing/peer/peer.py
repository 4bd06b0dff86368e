"""Runs in an environment with other people's readers and nothing of ours: tells what they make of an OME-Zarr."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def told(array: Any) -> list[Any]:
    """Return type, shape and a checksum of an array."""
    values = np.asarray(array)
    plain = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    return [values.dtype.name, list(values.shape), hashlib.sha256(plain.tobytes()).hexdigest()]


def tensorstore(path: Path, driver: str) -> Any:
    """Read every level with tensorstore."""
    import tensorstore as ts

    levels = sorted(p for p in path.iterdir() if p.is_dir())
    spec = {"driver": driver, "kvstore": {"driver": "file"}}
    return [
        told(ts.open({**spec, "kvstore": {"driver": "file", "path": str(level)}}).result().read().result())
        for level in levels
    ]


def ome_zarr(path: Path, _: str) -> Any:
    """Read with ome-zarr-py: the levels of the label, its colours, transforms and the image it names."""
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    nodes = list(Reader(parse_url(str(path), mode="r"))())
    mine = next(node for node in nodes if Path(node.zarr.path) == path)
    return {
        "levels": [told(level.compute()) for level in mine.data],
        "transforms": mine.metadata["coordinateTransformations"],
        "axes": mine.metadata["axes"],
        "colors": len(mine.metadata.get("color", {})),
        "others": [str(node.zarr.path) for node in nodes if node is not mine],
    }


def models(path: Path, _: str) -> Any:
    """Validate with ome-zarr-models, strictly; tell the class that it takes it for."""
    import zarr
    from ome_zarr_models import open_ome_zarr

    group = open_ome_zarr(zarr.open_group(path, mode="r"))
    return {"kind": type(group).__name__, "version": group.ome_zarr_version}


def napari(path: Path, image: str) -> Any:
    """Open labels and their image with napari-ome-zarr, as layers without a window."""
    import napari_ome_zarr
    from napari.layers import Image, Labels

    layers = []
    for place in (path, Path(image)):
        (data, meta, kind), *_ = napari_ome_zarr.napari_get_reader(str(place))(str(place))
        channel = meta.pop("channel_axis", None)
        if channel is not None:
            data = [level[(slice(None),) * channel + (0,)] for level in data]
            meta = {
                key: value[0] if isinstance(value, list) and key != "scale" else value for key, value in meta.items()
            }
        layers.append({"image": Image, "labels": Labels}[kind](data, **meta))
    labels, shown = layers
    level = np.asarray(labels.data[0] if labels.multiscale else labels.data)
    ids = np.unique(level)[1:]
    return {
        "kind": type(labels).__name__,
        "extent": labels.extent.world.tolist(),
        "image_extent": shown.extent.world.tolist(),
        "units": [str(unit) for unit in labels.units],
        "image_units": [str(unit) for unit in shown.units],
        "visible": [bool(labels.get_color(int(i))[3] > 0) for i in (ids[0], ids[-1])],
        "level": told(level),
        "levels": len(labels.data) if labels.multiscale else 1,
    }


def zarr2(path: Path, _: str) -> Any:
    """Read every level with zarr 2."""
    import zarr

    assert zarr.__version__.startswith("2.")
    group = zarr.open_group(str(path), mode="r")
    paths = [dataset["path"] for dataset in group.attrs["multiscales"][0]["datasets"]]
    return [told(group[name][...]) for name in paths]


if __name__ == "__main__":
    commands = {"tensorstore": tensorstore, "ome_zarr": ome_zarr, "models": models, "napari": napari, "zarr2": zarr2}
    sys.stdout.write(json.dumps(commands[sys.argv[1]](Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")))
