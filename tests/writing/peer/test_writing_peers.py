"""Other people's readers read what is written, and give the same numbers. Run by ``tox -e formats``."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_aitrain.annotation.sparse import SparseTruth
from napari_aitrain.annotation.sparse_change import difference
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import LabelsWriter, open_volume
from napari_aitrain.volumes.write_placement import Placement, placement_on
from napari_aitrain.volumes.write_zarr import ZarrOptions
from napari_aitrain.volumes.writers import MapsWriter

pytestmark = [
    pytest.mark.formats,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        "AITRAIN_FORMATS" not in os.environ,
        reason="AITRAIN_FORMATS names no folder with environments of other readers; tox -e formats makes them",
    ),
]
PEER = Path(__file__).with_name("peer.py")
STORED = {
    "0.5": ZarrOptions(),
    "0.5 sharded": ZarrOptions(shards=True, chunks=(16, 64, 64)),
    "0.4": ZarrOptions(version="0.4"),
}
SHAPE = (20, 300, 530)


def peer(environment: str, *words: object) -> Any:
    """Run a reader in its own environment, and return what it said."""
    name = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    python = Path(os.environ["AITRAIN_FORMATS"]) / environment / name
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    command = [python, "-W", "ignore", PEER, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean, timeout=550)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def told(array: Any) -> list[Any]:
    values = np.ascontiguousarray(np.asarray(array))
    return [values.dtype.name, list(values.shape), hashlib.sha256(values.tobytes()).hexdigest()]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an OME-Zarr image in µm that has a channel axis."""
    path = tmp_path_factory.mktemp("größe 細胞") / "image.ome.zarr"
    placement = Placement((0.04, 0.008, 0.008), units=("micrometer",) * 3)
    maps = np.random.default_rng(0).integers(0, 255, (2, *SHAPE)).astype(np.uint8)
    with MapsWriter(path, SHAPE, ("a", "b"), placement=placement) as writer:
        writer.write(Region.from_shape(SHAPE), maps)
    return path


@pytest.fixture(scope="module", params=STORED)
def written(request: pytest.FixtureRequest, image: Path) -> tuple[Path, ZarrOptions, Any]:
    """Return labels over the whole image, with more ids than have colours."""
    options = STORED[request.param]
    path = image.with_name(f"labels {request.param}.ome.zarr")
    blocks = np.random.default_rng(1).integers(0, 70_000, (4, 30, 53))
    labels = np.kron(blocks, np.ones((5, 10, 10), int))
    placement = placement_on(image, (40.0, 8.0, 8.0))
    with LabelsWriter(path, SHAPE, max_id=70_000, options=options, placement=placement, image=image) as writer:
        writer.write(Region.from_shape(SHAPE), labels)
    volume = open_volume(path, kind="labels")
    levels = [volume.at(m).read(volume.at(m).region)[0] for m in volume.magnifications]
    assert len(levels) >= 2
    np.testing.assert_array_equal(levels[0], labels)
    return path, options, [told(level) for level in levels]


def test_tensorstore(written: tuple[Path, ZarrOptions, Any]) -> None:
    path, options, levels = written
    assert peer("zarr3", "tensorstore", path, "zarr" if options.version == "0.4" else "zarr3") == levels


def test_ome_zarr_py(written: tuple[Path, ZarrOptions, Any], image: Path) -> None:
    path, _, levels = written
    said = peer("zarr3", "ome_zarr", path)
    assert said["levels"] == levels
    assert [axis["name"] for axis in said["axes"]] == ["z", "y", "x"]
    assert said["transforms"][0] == [{"type": "scale", "scale": [0.04, 0.008, 0.008]}]
    assert said["transforms"][1][0]["type"] == "scale" and said["transforms"][1][1]["type"] == "translation"
    assert [Path(other) for other in said["others"]] == [image]


def test_ome_zarr_models(written: tuple[Path, ZarrOptions, Any], image: Path) -> None:
    path, options, _ = written
    assert peer("zarr3", "models", path) == {"kind": "ImageLabel", "version": options.version}
    assert peer("zarr3", "models", image) == {"kind": "Image", "version": "0.5"}


def test_napari_shows_labels_exactly_on_their_image(written: tuple[Path, ZarrOptions, Any], image: Path) -> None:
    path, _, levels = written
    said = peer("zarr3", "napari", path, image)
    assert said["kind"] == "Labels" and said["level"] == levels[0] and said["levels"] == len(levels)
    assert said["extent"] == said["image_extent"] and said["units"] == said["image_units"]
    assert said["visible"] == [True, True]


@pytest.mark.parametrize("largest", [7, 1024, 1025])
def test_napari_shows_every_id(tmp_path: Path, image: Path, largest: int) -> None:
    """Ids without a colour would be invisible."""
    labels = np.arange(largest + 1).repeat(4)[None, None, :]
    with LabelsWriter(tmp_path / "a.ome.zarr", labels.shape, max_id=largest, axes="zyx") as writer:
        writer.write(Region.from_shape(labels.shape), labels)
    assert peer("zarr3", "napari", tmp_path / "a.ome.zarr", image)["visible"] == [True, True]


def test_zarr_2_reads_version_0_4(written: tuple[Path, ZarrOptions, Any]) -> None:
    path, options, levels = written
    if options.version == "0.4":
        assert peer("zarr2", "zarr2", path) == levels
    else:
        assert zarr.open_group(path, mode="r").metadata.zarr_format == 3


@pytest.mark.parametrize("shape", [(40, 300, 530), (1, 1300, 1100)])
def test_sparse_ground_truth_is_read_by_all(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    """Painted at two magnifications; most chunks have no file."""
    truth = SparseTruth.create(tmp_path / "slide-1.zarr", shape, voxel_size=(40.0, 8.0, 8.0))
    for m, start, number in (((1, 1, 1), (0, 20, 30), 7), ((1, 4, 4), (0, 60, 90), 70_000)):
        region = Region.from_shape((1, 12, 12), start)
        change = difference(m, region, np.zeros(region.shape, np.int32), np.full(region.shape, number, np.int32))
        assert change is not None
        truth.commit([change])
    volume = open_volume(truth.path, kind="labels")
    arrays = [zarr.open_array(truth.path / str(n), mode="r")[...] for n in range(len(truth.levels))]
    levels = [told(array) for array in arrays]
    assert len(levels) >= 2 and set(np.unique(arrays[0])) == {0, 7, 70_000}
    assert peer("zarr3", "tensorstore", truth.path, "zarr3") == levels
    assert peer("zarr3", "models", truth.path) == {"kind": "ImageLabel", "version": "0.5"}
    said = peer("zarr3", "ome_zarr", truth.path)
    assert said["levels"] == levels
    assert said["transforms"][0][0]["scale"] == [40.0, 8.0, 8.0][-arrays[0].ndim :]
    image = tmp_path / "image.ome.zarr"
    flat = "yx" if shape[0] == 1 else "zyx"
    with LabelsWriter(image, shape, voxel_size=(40.0, 8.0, 8.0), max_id=7, axes=flat) as writer:
        writer.write(Region.from_shape((1, 8, 8)), np.ones((1, 8, 8), int))
    shown = peer("zarr3", "napari", truth.path, image)
    assert shown["kind"] == "Labels" and shown["level"] == levels[0] and shown["visible"] == [True, True]
    assert shown["extent"] == shown["image_extent"] and shown["units"] == shown["image_units"]
    assert volume.shape == shape
