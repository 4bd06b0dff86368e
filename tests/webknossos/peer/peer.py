"""Runs in an environment with the official `webknossos` package and nothing of ours: writes and reads on request.

The package is AGPL and pins many versions, so it is never installed beside this project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import webknossos as wk

OFFSET = (100, 36, 8)  # x, y, z


def make(folder: Path, data_format: str, compress: str) -> None:
    """Write a dataset with the layers color, rgb and segmentation from arrays of shape (c, x, y, z)."""
    arrays = np.load(folder / "arrays.npz")
    size = wk.VoxelSize((0.004, 0.004, 0.04), wk.LengthUnit.MICROMETER)
    dataset = wk.Dataset(folder / f"{data_format}-{compress}", voxel_size_with_unit=size)
    for name, array in arrays.items():
        box = wk.BoundingBox(OFFSET, array.shape[1:])
        category = "segmentation" if name == "segmentation" else "color"
        layer = dataset.add_layer(
            name,
            category,
            dtype=array.dtype,
            num_channels=len(array),
            data_format=data_format,
            bounding_box=box,
            **({"largest_segment_id": int(array.max())} if category == "segmentation" else {}),
        )
        shards = {} if data_format == "zarr" else {"shard_shape": (64, 64, 64)}
        mag = layer.add_mag(1, compress=compress == "yes", chunk_shape=(32, 32, 32), **shards)
        mag.write(array, absolute_offset=OFFSET, allow_unaligned=True)
        layer.downsample(coarsest_mag=wk.Mag("4-4-1"), sampling_mode="anisotropic", compress=compress == "yes")


def annotate(path: Path) -> None:
    """Write an annotation with boxes."""
    annotation = wk.Annotation(
        "mine", dataset_name="brain", voxel_size=(4, 5, 40), task_bounding_box=wk.BoundingBox((1, 2, 3), (400, 500, 60))
    )
    annotation.user_bounding_boxes = [
        wk.BoundingBox((10, 20, 30), (4, 5, 6), name="first"),
        wk.BoundingBox((0, 0, 0), (1, 2, 3), name='ümlaut & "quotes"'),
    ]
    annotation.save(path)


def read(path: Path, out: Path) -> None:
    """Read a dataset that was written for it: the voxels go to `out`, what is said of them to the output."""
    dataset = wk.Dataset.open(path)
    (layer,) = dataset.layers.values()
    arrays = {str(mag): view.read() for mag, view in layer.mags.items()}
    np.savez(out, **arrays)
    box = layer.bounding_box
    said = {
        "category": layer.category,
        "dtype": str(np.dtype(layer.dtype)),
        "largest": layer.largest_segment_id,
        "voxel_size": list(dataset.voxel_size),
        "topleft": list(box.topleft),
        "size": list(box.size),
        "mags": list(arrays),
        "channels": layer.num_channels,
    }
    sys.stdout.write(json.dumps(said))


def boxes(path: Path) -> None:
    """Read an annotation, and tell its boxes, its voxel size and its volume layers."""
    annotation = wk.Annotation.load(path)
    volumes = list(annotation.get_volume_layer_names())
    said = {
        "boxes": [[box.name, *box.topleft, *box.size] for box in annotation.user_bounding_boxes],
        "voxel_size": list(annotation.voxel_size),
        "volumes": volumes,
    }
    sys.stdout.write(json.dumps(said))


def volume(path: Path, out: Path) -> None:
    """Read the finest magnification of the only volume layer of an annotation, where its layer has its bounding box."""
    annotation = wk.Annotation.load(path)
    with annotation.temporary_volume_layer_copy() as layer:
        box = layer.bounding_box
        np.save(out, layer.get_finest_mag().read())
        sys.stdout.write(json.dumps({"topleft": list(box.topleft), "size": list(box.size)}))


if __name__ == "__main__":
    commands = {"make": make, "annotate": annotate, "read": read, "boxes": boxes, "volume": volume}
    name, first, *rest = sys.argv[1:]
    commands[name](Path(first), *(Path(word) if name in ("read", "volume") else word for word in rest))
