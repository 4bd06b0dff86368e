"""What is read and written for WEBKNOSSOS agrees with its own library, both ways. Run by ``tox -e webknossos``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from webknossos_files import ORIGIN, Array, nml, volume_zip, write_archive, xml_box

from napari_aitrain.geometry import Region
from napari_aitrain.volumes import LabelsWriter, open_volume
from napari_aitrain.volumes.place import Place
from napari_aitrain.volumes.webknossos import annotated_boxes

pytestmark = [
    pytest.mark.webknossos,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        "AITRAIN_WEBKNOSSOS" not in os.environ,
        reason="AITRAIN_WEBKNOSSOS names no environment with the package webknossos; tox -e webknossos makes one",
    ),
]
PEER = Path(__file__).with_name("peer.py")


def peer(*words: object) -> Any:
    """Run the official library in its own environment, and return what it said."""
    name = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    python = Path(os.environ["AITRAIN_WEBKNOSSOS"]) / name
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [python, "-W", "ignore", PEER, *map(str, words)], capture_output=True, text=True, env=environment, timeout=850
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]) if words[0] not in ("make", "annotate") else None


@pytest.fixture(scope="module")
def arrays() -> dict[str, Array]:
    """Arrays with the axes c, x, y, z."""
    rng = np.random.default_rng(3)
    cells = np.kron(rng.integers(0, 90000, (7, 5, 8)), np.ones((10, 10, 5), int)).astype(np.uint32)
    return {
        "color": rng.integers(0, 255, (1, 70, 50, 40), dtype=np.uint8),
        "rgb": rng.integers(0, 255, (3, 70, 50, 40), dtype=np.uint8),
        "segmentation": cells[None],
    }


@pytest.mark.parametrize("compress", ["yes", "no"])
@pytest.mark.parametrize("data_format", ["zarr3", "zarr", "wkw"])
def test_datasets_are_read(tmp_path: Path, arrays: dict[str, Array], data_format: str, compress: str) -> None:
    np.savez(tmp_path / "arrays.npz", **arrays)  # type: ignore[arg-type]
    peer("make", tmp_path, data_format, compress)
    path = tmp_path / f"{data_format}-{compress}"
    for name, array in arrays.items():
        volume = open_volume(path / name, kind="labels" if name == "segmentation" else "image")
        np.testing.assert_array_equal(volume.read(volume.region), array.transpose(0, 3, 2, 1))
        assert volume.place.region == Region.from_shape((40, 50, 70), (8, 36, 100))
        assert volume.voxel_size == pytest.approx((40.0, 4.0, 4.0))
        assert volume.magnifications == ((1, 1, 1), (1, 2, 2), (1, 4, 4))


def test_annotations_are_read(tmp_path: Path) -> None:
    peer("annotate", tmp_path / "a.zip")
    boxes = annotated_boxes(tmp_path / "a.zip", Place((1, 1, 1)))
    assert [(box.name, box.region) for box in boxes] == [
        ("first", Region.from_shape((6, 5, 4), (30, 20, 10))),
        ('ümlaut & "quotes"', Region.from_shape((3, 2, 1))),
    ]


@pytest.mark.parametrize("data_format", ["zarr3", "wkw"])
def test_annotations_of_our_tests_are_real(tmp_path: Path, labels: Array, data_format: str) -> None:
    """The archives that our own tests are made of mean the same to the official library."""
    boxes = [xml_box("userBoundingBox", Region((1, 2, 3), (11, 22, 33)), "mine")]
    data = volume_zip(tmp_path / "v", labels, data_format)
    volume = f'<volume id="0" name="Volume" location="data_Volume.zip" format="{data_format}" />'
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml([volume], boxes), "data_Volume.zip": data})
    said = peer("boxes", archive)
    assert said == {"boxes": [["mine", 3, 2, 1, 30, 20, 10]], "voxel_size": [4.0, 4.0, 40.0], "volumes": ["Volume"]}
    if data_format == "wkw":
        return  # of WKW it takes the extent from the file names, in steps of the 32 voxels that WEBKNOSSOS writes
    said = peer("volume", archive, tmp_path / "out.npy")
    assert said["topleft"] == list(ORIGIN[::-1])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[0].transpose(2, 1, 0), labels)


@pytest.mark.parametrize("max_id", [200, 60_000, 2_000_000_000])
@pytest.mark.parametrize("origin", [(0, 0, 0), (7, 33, 65)])
def test_datasets_are_written(tmp_path: Path, max_id: int, origin: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(4)
    array = np.kron(rng.integers(0, max_id, (5, 20, 30)), np.ones((4, 16, 20), int)).astype(np.int32)
    path = tmp_path / "seg.webknossos"
    with LabelsWriter(path, array.shape, voxel_size=(40, 4, 4), max_id=max_id, place=Place(array.shape, origin)) as out:
        out.write(Region.from_shape(array.shape), array)
    said = peer("read", path, tmp_path / "out.npz")
    assert said == {
        "category": "segmentation",
        "dtype": {200: "uint8", 60_000: "uint16"}.get(max_id, "uint32"),
        "largest": int(array.max()),
        "voxel_size": [4.0, 4.0, 40.0],
        "topleft": list(origin[::-1]),
        "size": [600, 320, 20],
        "mags": ["1", "2-2-1", "4-4-1"],
        "channels": 1,
    }
    found = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(found["1"][0].transpose(2, 1, 0), array)
    # In WEBKNOSSOS a magnification covers whole voxels of its own around the bounding box.
    first = [o // 4 * 4 - o for o in origin[1:]]
    if not any(first):
        np.testing.assert_array_equal(found["4-4-1"][0].transpose(2, 1, 0), array[:, ::4, ::4])
