"""Small datasets and annotation archives, as WEBKNOSSOS writes them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, TransposeCodec

from napari_aitrain.geometry import Region, Triple, format_magnification

Array = npt.NDArray[Any]
CHUNK = 8
ORIGIN: Triple = (3, 10, 20)
SHAPE: Triple = (6, 20, 24)


def at_origin(array: Array, origin: Triple) -> Array:
    """Put an array (z, y, x) behind zeros, so that voxel 0 is the origin of the dataset."""
    return np.pad(array, [(n, 0) for n in origin])


def write_zarr(folder: Path, array: Array, version: int = 3) -> None:
    """Write (z, y, x) as an array with the axes c, x, y, z."""
    extra: dict[str, Any] = {}
    if version == 3:
        extra = {
            "filters": [TransposeCodec(order=(3, 2, 1, 0))],
            "compressors": [BloscCodec(cname="lz4", shuffle="shuffle", typesize=1)],
            "dimension_names": list("cxyz"),
        }
    zarr.create_array(
        folder, data=array.transpose()[None], chunks=(1, CHUNK, CHUNK, CHUNK), zarr_format=version, **extra
    )


def write_wkw(folder: Path, array: Array, compressed: bool = True, blocks: int = 1) -> None:
    """Write (z, y, x) as cubes of `blocks`³ blocks; cubes of nothing but zeros are left out."""
    side = CHUNK * blocks
    codes = {"u1": 1, "u2": 2, "u4": 3, "u8": 4}
    log2 = (blocks.bit_length() - 1) << 4 | CHUNK.bit_length() - 1
    kind = bytes([1, log2, 2 if compressed else 1, codes[array.dtype.str[1:]], array.dtype.itemsize])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "header.wkw").write_bytes(b"WKW" + kind + bytes(8))
    padded = np.pad(array, [(0, -n % side) for n in array.shape])
    for place in np.ndindex(*(n // side for n in padded.shape)):
        cube = padded[tuple(slice(i * side, (i + 1) * side) for i in place)]
        if not cube.any():
            continue
        pieces: list[bytes] = [b""] * blocks**3
        for z, y, x in np.ndindex(blocks, blocks, blocks):
            spans = [slice(i * CHUNK, (i + 1) * CHUNK) for i in (z, y, x)]
            index = sum((x >> b & 1) << 3 * b | (y >> b & 1) << 3 * b + 1 | (z >> b & 1) << 3 * b + 2 for b in range(4))
            raw = np.ascontiguousarray(cube[tuple(spans)]).tobytes()
            pieces[index] = imagecodecs.lz4_encode(raw, header=False) if compressed else raw
        start = 16 + (8 * len(pieces) if compressed else 0)
        ends = np.cumsum([start, *map(len, pieces)])[1:].astype("<u8").tobytes() if compressed else b""
        z, y, x = place
        path = folder / f"z{z}" / f"y{y}" / f"x{x}.wkw"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"WKW" + kind + start.to_bytes(8, "little") + ends + b"".join(pieces))


def layer_json(
    name: str, array: Array, origin: Triple, data_format: str, mags: Sequence[Triple], **more: Any
) -> dict[str, Any]:
    """Return what ``datasource-properties.json`` says of a layer."""
    depth, height, width = array.shape
    return {
        "name": name,
        "category": "color" if array.dtype == np.uint8 else "segmentation",
        "boundingBox": {"topLeft": list(origin[::-1]), "width": width, "height": height, "depth": depth},
        "elementClass": str(array.dtype),
        "dataFormat": data_format,
        "numChannels": 1,
        "mags": [{"mag": list(mag[::-1]), "axisOrder": {"c": 0, "x": 1, "y": 2, "z": 3}} for mag in mags],
        **more,
    }


def write_layer(root: Path, array: Array, origin: Triple, data_format: str, mags: Sequence[Triple]) -> None:
    """Write the magnifications of a layer, each taken from every n-th voxel."""
    for mag in mags:
        whole = at_origin(array, origin)[tuple(slice(None, None, m) for m in mag)]
        folder = root / format_magnification(mag)
        if data_format == "wkw":
            write_wkw(folder, whole)
        else:
            write_zarr(folder, whole, 3 if data_format == "zarr3" else 2)


def write_dataset(
    path: Path,
    layers: Mapping[str, Array],
    data_format: str = "zarr3",
    origin: Triple = ORIGIN,
    mags: Sequence[Triple] = ((1, 1, 1),),
    scale: Any = (4.0, 4.0, 40.0),
) -> Path:
    """Write a dataset folder; arrays of uint8 become color layers."""
    path.mkdir()
    found = []
    for name, array in layers.items():
        write_layer(path / name, array, origin, data_format, mags)
        found.append(layer_json(name, array, origin, data_format, mags))
    text = json.dumps({"id": {"name": path.name, "team": ""}, "scale": scale, "dataLayers": found})
    (path / "datasource-properties.json").write_text(text, encoding="utf-8")
    return path


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change ``datasource-properties.json`` of a dataset."""
    file = path / "datasource-properties.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data)
    file.write_text(json.dumps(data), encoding="utf-8")


def xml_box(tag: str, region: Region, name: str = "") -> str:
    (z, y, x), (depth, height, width) = region.start, region.shape
    colour = 'color.r="0.1" color.g="0.5" color.b="0.2" color.a="1.0"'
    named = f'id="1" name="{name}" isVisible="true" {colour}' if name else ""
    return (
        f'<{tag} {named} topLeftX="{x}" topLeftY="{y}" topLeftZ="{z}"'
        f' width="{width}" height="{height}" depth="{depth}" />'
    )


def nml(
    volumes: Sequence[str] = ('<volume id="0" name="Volume" location="data_Volume.zip" />',),
    boxes: Sequence[str] = (),
    scale: str = '<scale x="4.0" y="4.0" z="40.0" />',
) -> str:
    return (
        '<things><meta name="writer" content="NmlWriter.scala" /><parameters>'
        '<experiment name="brain" organization="lab" description="" />'
        f"{scale}{''.join(boxes)}</parameters>"
        '<thing id="1" name="tree"><nodes><node id="1" x="1" y="2" z="3" /></nodes><edges /></thing>'
        f"{''.join(volumes)}</things>"
    )


def zipped(folder: Path) -> bytes:
    """Return a folder as an archive, deflated."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return stream.getvalue()


def volume_zip(
    folder: Path,
    array: Array,
    data_format: str = "zarr3",
    origin: Triple = ORIGIN,
    mags: Sequence[Triple] = ((1, 1, 1),),
) -> bytes:
    """Return the archive of one volume layer of an annotation."""
    name = "volumeAnnotationData"
    if data_format == "wkw":
        write_layer(folder, array, origin, data_format, mags)
        return zipped(folder)
    write_layer(folder / name, array, origin, data_format, mags)
    layer = layer_json(name, array, origin, data_format, mags, category="segmentation")
    text = json.dumps({"id": {"name": "", "team": ""}, "dataLayers": [layer], "scale": [4, 4, 40]})
    (folder / "datasource-properties.json").write_text(text, encoding="utf-8")
    return zipped(folder)


def write_archive(path: Path, members: Mapping[str, str | bytes]) -> Path:
    """Write an annotation archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
