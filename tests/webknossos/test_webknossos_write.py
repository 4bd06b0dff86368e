"""Datasets that are written for WEBKNOSSOS, and the commands that use both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webknossos_files import Array, edit_json, nml, volume_zip, write_archive, write_dataset, xml_box

from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError, OutputExistsError
from napari_aitrain.geometry import Region, Triple, tiles
from napari_aitrain.volumes import LabelsWriter, open_volume
from napari_aitrain.volumes.place import Place


def write(path: Path, array: Array, voxel_size: Any = (40.0, 4.0, 4.0), place: Place | None = None) -> dict[str, Any]:
    with LabelsWriter(path, array.shape, voxel_size=voxel_size, max_id=int(array.max()), place=place) as writer:
        for tile in tiles(Region.from_shape(array.shape), (4, 90, 150)):
            writer.write(tile.core, array[tile.core.slices])
    found: dict[str, Any] = json.loads((path / "datasource-properties.json").read_text(encoding="utf-8"))
    return found


def test_metadata(tmp_path: Path, labels: Array) -> None:
    found = write(tmp_path / "a.webknossos", labels, place=Place(labels.shape, (3, 10, 20)))
    (layer,) = found["dataLayers"]
    assert found["scale"] == {"factor": [4.0, 4.0, 40.0], "unit": "nanometer"}
    assert layer["boundingBox"] == {"topLeft": [20, 10, 3], "width": 24, "height": 20, "depth": 6}
    assert (layer["category"], layer["elementClass"], layer["dataFormat"]) == ("segmentation", "uint8", "zarr3")
    assert (layer["largestSegmentId"], layer["numChannels"]) == (int(labels.max()), 1)
    (mag,) = layer["mags"]
    array = zarr.open_array(tmp_path / "a.webknossos" / mag["path"], mode="r")
    assert array.metadata.dimension_names == ("c", "x", "y", "z")  # type: ignore[union-attr]
    np.testing.assert_array_equal(np.asarray(array[0, 20:44, 10:30, 3:9]).transpose(), labels)
    assert not np.asarray(array[0, :20]).any()


def test_pyramid(tmp_path: Path, rng: np.random.Generator) -> None:
    """Sections twice as thick as wide are left alone at first; labels are never averaged."""
    array = np.kron(rng.integers(0, 300, (3, 50, 150)), np.ones((2, 4, 4), int)).astype(np.int32)
    found = write(tmp_path / "a.webknossos", array, place=Place(array.shape, (4, 8, 16)))
    mags = [tuple(mag["mag"]) for mag in found["dataLayers"][0]["mags"]]
    assert mags == [(1, 1, 1), (2, 2, 1), (4, 4, 1)]
    volume = open_volume(tmp_path / "a.webknossos", kind="labels")
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2), (1, 4, 4))
    coarse = volume.at((1, 4, 4))
    np.testing.assert_array_equal(coarse.read(coarse.region)[0], array[:, ::4, ::4])


def test_on_a_coarse_magnification(tmp_path: Path, labels: Array) -> None:
    """A prediction at 2-2-1 lies over the dataset: same scale, and its finest magnification is 2-2-1."""
    found = write(tmp_path / "a.webknossos", labels, (40.0, 8.0, 8.0), Place(labels.shape, (3, 5, 10), (1, 2, 2)))
    (layer,) = found["dataLayers"]
    assert found["scale"]["factor"] == [4.0, 4.0, 40.0]
    assert layer["boundingBox"] == {"topLeft": [20, 10, 3], "width": 48, "height": 40, "depth": 6}
    assert layer["mags"][0]["mag"] == [2, 2, 1] and layer["mags"][0]["path"] == "./segmentation/2-2-1"


def test_ends_as_it_began(tmp_path: Path, labels: Array) -> None:
    path = tmp_path / "a.webknossos"
    with pytest.raises(ConfigError, match="voxel size") as error:
        LabelsWriter(path, labels.shape)
    assert "--voxel-size" in error.value.remedy
    with pytest.raises(ZeroDivisionError), LabelsWriter(path, labels.shape, voxel_size=(1, 1, 1)) as writer:
        writer.write(Region.from_shape(labels.shape), labels)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    write(path, labels)
    with pytest.raises(OutputExistsError):
        LabelsWriter(path, labels.shape, voxel_size=(1, 1, 1))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(*[st.integers(1, 20)] * 3),
    st.tuples(*[st.integers(0, 90)] * 3),
    st.tuples(*[st.sampled_from([1, 2, 4])] * 3),
    st.tuples(*[st.floats(0.1, 500)] * 3),
)
def test_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, shape: Triple, origin: Triple, mag: Triple, size: Any
) -> None:
    array = np.random.default_rng(1).integers(0, 70000, shape).astype(np.int32)
    path = tmp_path_factory.mktemp("back") / "a.webknossos"
    write(path, array, size, Place(shape, origin, mag, in_dataset=True))
    volume = open_volume(path, kind="labels")
    np.testing.assert_array_equal(volume.read(volume.region)[0], array)
    assert volume.place == Place(shape, origin, mag, True, path)
    assert volume.voxel_size == pytest.approx(size)


def test_export_command(tmp_path: Path, image: Array, labels: Array) -> None:
    """Labels painted elsewhere get the place of their image."""
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    dataset = write_dataset(tmp_path / "ds", {"em": image})
    out = tmp_path / "out.webknossos"
    assert run(["export", str(tmp_path / "labels.tif"), "-o", str(out)]) == 2
    assert not out.exists()
    assert run(["export", str(tmp_path / "labels.tif"), "-o", str(out), "--image", str(dataset)]) == 0
    volume = open_volume(out, kind="labels")
    assert volume.place.region == open_volume(dataset).place.region and volume.voxel_size == (40.0, 4.0, 4.0)
    np.testing.assert_array_equal(volume.read(volume.region)[0], labels)
    back = tmp_path / "back.tif"
    assert run(["export", str(out), "-o", str(back)]) == 0
    np.testing.assert_array_equal(tifffile.imread(back), labels)


def test_from_annotation_to_prediction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check and train on an annotation of a dataset, predict the dataset, and find the result in its place."""
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    painted = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((16, 16), int))
    labels = np.repeat(painted[None], 2, 0).astype(np.uint32)
    noise = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8)
    dataset = write_dataset(tmp_path / "ds", {"em": noise.clip(1, 255).astype(np.uint8)}, origin=(2, 30, 40))
    edit_json(dataset, lambda data: data.update(scale={"factor": [0.1, 0.1, 0.4], "unit": "micrometer"}))
    boxes = [
        xml_box("userBoundingBox", Region.from_shape((1, 64, 32), (2, 30, 40 + 32 * i)), f"box {i}") for i in (0, 1)
    ]
    data = volume_zip(tmp_path / "v", labels, origin=(2, 30, 40))
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml(boxes=boxes), "data_Volume.zip": data})
    given = ["--image", str(dataset), "--labels", str(archive), "--set", "patch_shape=[1,32,32]"]
    given += ["--set", "batch_size=1", "--set", "network=small", "--dims", "2"]
    assert run(["check", *given, "--no-estimate", "--json"]) == 0
    roles = json.loads(capsys.readouterr().out)["roles"]
    assert sum(role["boxes"] for role in roles.values()) == 2
    job = tmp_path / "job"
    assert run(["train", *given, "--steps", "3", "--out", str(job)]) == 0, capsys.readouterr().err
    out = tmp_path / "seg.webknossos"
    assert run(["predict", str(job), str(dataset), "-o", str(out), "-t", "0.1"]) == 0, capsys.readouterr().err
    made = open_volume(out, kind="labels")
    assert made.place.region == Region.from_shape((2, 64, 64), (2, 30, 40))
    assert made.voxel_size == pytest.approx((400.0, 100.0, 100.0))
    assert run(["predict", str(job), str(dataset), "-o", str(out), "--resume", "-t", "0.9"]) == 0
    assert run(["evaluate", str(out), str(archive)]) == 0, capsys.readouterr().err
