"""Datasets and annotations as volumes: values, place, magnifications, voxel size and boxes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webknossos_files import (
    ORIGIN,
    SHAPE,
    Array,
    edit_json,
    nml,
    volume_zip,
    write_archive,
    write_dataset,
    write_wkw,
    xml_box,
)

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import GroundTruthError
from napari_aitrain.geometry import Region, Triple, to_finest
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.sources import open_sources
from napari_aitrain.volumes import Volume, open_volume, read_labels
from napari_aitrain.volumes.place import Place
from napari_aitrain.volumes.webknossos import annotated_boxes, boxes_for

FORMATS = ["zarr3", "zarr", "wkw"]


def whole(volume: Volume) -> Array:
    return volume.read(volume.region)


@pytest.mark.parametrize("data_format", FORMATS)
def test_dataset(tmp_path: Path, image: Array, labels: Array, data_format: str) -> None:
    path = write_dataset(tmp_path / "ds", {"em": image, "cells": labels}, data_format)
    opened, truth = open_volume(path), open_volume(path, kind="labels")
    np.testing.assert_array_equal(whole(opened)[0], image)
    np.testing.assert_array_equal(read_labels(truth, truth.region), labels)
    assert opened.place == Place(SHAPE, ORIGIN, in_dataset=True, dataset=path)
    assert opened.voxel_size == (40.0, 4.0, 4.0)
    assert not opened.axes_guessed
    part = Region((1, 3, 5), (4, 17, 19))
    np.testing.assert_array_equal(opened.read(part)[0], image[part.slices])


@pytest.mark.parametrize("data_format", FORMATS)
def test_annotation_lies_on_its_image(tmp_path: Path, image: Array, labels: Array, data_format: str) -> None:
    """The annotation reaches beyond the image on one side and ends before it on the other."""
    dataset = write_dataset(tmp_path / "ds", {"em": image}, origin=(4, 12, 21))
    archive = write_archive(
        tmp_path / "a.zip", {"a.nml": nml(), "data_Volume.zip": volume_zip(tmp_path / "v", labels, data_format)}
    )
    opened = open_volume(dataset)
    truth = open_volume(archive, kind="labels", onto=opened.place)
    assert truth.shape == opened.shape and truth.place.origin == (4, 12, 21)
    expected = np.zeros(SHAPE, np.uint32)
    expected[:5, :18, :23] = labels[1:, 2:, 1:]
    np.testing.assert_array_equal(whole(truth)[0], expected)
    assert truth.voxel_size == (40.0, 4.0, 4.0)


def test_wkw_of_many_blocks(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.integers(0, 60000, (17, 40, 33), dtype=np.uint16)
    path = write_dataset(tmp_path / "ds", {"cells": array}, "wkw", origin=(0, 0, 0))
    for compressed in (True, False):
        for file in (path / "cells" / "1").rglob("*.wkw"):
            file.unlink()
        write_wkw(path / "cells" / "1", array, compressed, blocks=4)
        np.testing.assert_array_equal(whole(open_volume(path, kind="labels"))[0], array)


@pytest.mark.parametrize("data_format", FORMATS)
def test_magnifications(tmp_path: Path, image: Array, data_format: str) -> None:
    mags: list[Triple] = [(1, 1, 1), (1, 2, 2), (2, 4, 4)]
    path = write_dataset(tmp_path / "ds", {"em": image}, data_format, origin=(4, 12, 22), mags=mags)
    opened = open_volume(path)
    # 22 is no multiple of 4: the coarsest magnification has no voxel that begins there, so it is left out.
    assert opened.magnifications == ((1, 1, 1), (1, 2, 2))
    half = opened.at((1, 2, 2))
    np.testing.assert_array_equal(whole(half)[0], image[:, ::2, ::2])
    assert half.voxel_size == (40.0, 8.0, 8.0)
    assert half.place == Place((6, 10, 12), (4, 6, 11), (1, 2, 2), True, path)


@pytest.mark.parametrize("data_format", FORMATS)
def test_coarse_annotation_of_a_fine_image(tmp_path: Path, image: Array, data_format: str) -> None:
    """A task may allow painting at coarse magnifications only."""
    dataset = write_dataset(tmp_path / "ds", {"em": image}, origin=(2, 11, 21))
    labels = np.repeat(np.repeat(np.arange(3 * 10 * 12, dtype=np.uint32).reshape(3, 10, 12), 2, 1), 2, 2)
    labels = np.repeat(labels, 2, 0)
    data = volume_zip(tmp_path / "v", labels, data_format, (2, 10, 20), [(2, 2, 2), (2, 4, 4)])
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml(), "data_Volume.zip": data})
    truth = open_volume(archive, kind="labels", onto=open_volume(dataset).place)
    expected = np.zeros(SHAPE, np.uint32)
    expected[:, :19, :23] = labels[:, 1:, 1:]
    np.testing.assert_array_equal(whole(truth)[0], expected)


def test_fine_annotation_of_a_coarse_image(tmp_path: Path, image: Array) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image}, origin=(4, 12, 20), mags=[(1, 2, 2)])
    labels = np.repeat(np.repeat(np.arange(6 * 10 * 12, dtype=np.uint32).reshape(6, 10, 12), 2, 1), 2, 2)
    data = volume_zip(tmp_path / "v", labels, origin=(4, 12, 20))
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml(), "data_Volume.zip": data})
    opened = open_volume(dataset)
    assert opened.voxel_size == (40.0, 8.0, 8.0)
    truth = open_volume(archive, kind="labels", onto=opened.place)
    np.testing.assert_array_equal(whole(truth)[0], labels[:, ::2, ::2])
    region = Region.from_shape((6, 20, 24), (4, 12, 20))
    archive = write_archive(tmp_path / "b.zip", {"a.nml": nml(boxes=[xml_box("userBoundingBox", region, "all")])})
    assert [box.region for box in annotated_boxes(archive, opened.place)] == [opened.region]


@pytest.mark.parametrize("origin", [(0, 0, 0), ORIGIN])
def test_image_in_another_format(tmp_path: Path, image: Array, labels: Array, origin: Triple) -> None:
    """A TIFF that has just the extent of the annotated layer is a copy of it, wherever that lies in the dataset."""
    tifffile.imwrite(tmp_path / "em.tif", image)
    boxes = [xml_box("userBoundingBox", Region.from_shape((2, 8, 9), [o + 1 for o in origin]), "first")]
    data = volume_zip(tmp_path / "v", labels, origin=origin)
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml(boxes=boxes), "data_Volume.zip": data})
    found = open_sources(TrainConfig(sources=(Source(image=tmp_path / "em.tif", labels=archive),)))
    assert not found.problems
    (one,) = found.images
    np.testing.assert_array_equal(whole(one.open_labels())[0], labels)
    assert one.boxes == (Box(start=(1, 1, 1), stop=(3, 9, 10), name="first"),)
    assert one.voxel_size == (40.0, 4.0, 4.0)


def test_boxes_of_user_go_before_the_task(tmp_path: Path) -> None:
    inner, outer = Region((5, 6, 7), (8, 16, 27)), Region((0, 0, 0), (50, 60, 70))
    task = xml_box("taskBoundingBox", outer)
    place = Place((50, 60, 70), (1, 2, 3), in_dataset=True)
    both = write_archive(
        tmp_path / "a.zip", {"a.nml": nml(boxes=[task, xml_box("userBoundingBox", inner, "one &amp; two")])}
    )
    assert annotated_boxes(both, place) == (Box(start=(4, 4, 4), stop=(7, 14, 24), name="one & two"),)
    (tmp_path / "only.nml").write_text(nml(boxes=[task]), encoding="utf-8")
    (box,) = boxes_for(tmp_path / "only.nml", lambda: place)
    assert (box.name, box.start, box.stop) == ("task bounding box", (-1, -2, -3), (49, 58, 67))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ([11.24, 11.24, 28], (28.0, 11.24, 11.24)),
        ({"factor": [0.5, 0.25, 2], "unit": "micrometer"}, (2000.0, 250.0, 500.0)),
        ({"factor": [40, 40, 300]}, (300.0, 40.0, 40.0)),
        ({"factor": [1, 1, 1], "unit": "parsec"}, None),
        ([0, 1, 1], None),
    ],
)
def test_units(tmp_path: Path, image: Array, scale: Any, expected: Any) -> None:
    path = write_dataset(tmp_path / "ds", {"em": image}, scale=scale)
    assert open_volume(path).voxel_size == pytest.approx(expected)


def test_units_of_an_annotation(tmp_path: Path, labels: Array) -> None:
    data = volume_zip(tmp_path / "v", labels)
    for text, expected in (('<scale x="1" y="2" z="3" unit="micrometer" />', (3000.0, 2000.0, 1000.0)), ("", None)):
        archive = write_archive(tmp_path / f"{bool(text)}.zip", {"a.nml": nml(scale=text), "data_Volume.zip": data})
        assert open_volume(archive, kind="labels").voxel_size == expected


def test_layers_are_named_behind_the_path(tmp_path: Path, labels: Array) -> None:
    volumes = [f'<volume id="{i}" name="{name}" location="{i}.zip" />' for i, name in enumerate(["one", "two"])]
    members: dict[str, Any] = {"a.nml": nml(volumes)}
    for i in range(2):
        members[f"{i}.zip"] = volume_zip(tmp_path / str(i), labels + np.uint32(i))
    archive = write_archive(tmp_path / "a.zip", members)
    assert int(whole(open_volume(archive / "two", kind="labels")).min()) == 1
    dataset = write_dataset(tmp_path / "ds", {"one": labels, "two": labels + np.uint32(1)})
    assert int(whole(open_volume(dataset / "two", kind="labels")).min()) == 1


def test_zipped_dataset_in_a_folder(tmp_path: Path, image: Array) -> None:
    path = write_dataset(tmp_path / "ds", {"em": image}, "wkw")
    with zipfile.ZipFile(tmp_path / "ds.zip", "w") as archive:
        for file in sorted(path.rglob("*")):
            archive.write(file, file.relative_to(tmp_path).as_posix())
    np.testing.assert_array_equal(whole(open_volume(tmp_path / "ds.zip"))[0], image)


def test_axis_order_and_old_metadata(tmp_path: Path, image: Array) -> None:
    """Without axisOrder axes are c, x, y, z; old files write transpose 'F', wkwResolutions, and one shape for all."""
    path = write_dataset(tmp_path / "ds", {"em": image}, mags=[(1, 1, 1), (1, 2, 2)], origin=(0, 0, 0))
    for mag in ("1", "2-2-1"):
        file = path / "em" / mag / "zarr.json"
        data = json.loads(file.read_text())
        data["codecs"][0]["configuration"]["order"] = "F"
        data["shape"] = [1, 24, 20, 6]
        file.write_text(json.dumps(data))
    edit_json(path, lambda data: [mag.pop("axisOrder") for mag in data["dataLayers"][0]["mags"]])  # type: ignore[arg-type, return-value]
    opened = open_volume(path)
    np.testing.assert_array_equal(whole(opened)[0], image)
    np.testing.assert_array_equal(whole(opened.at((1, 2, 2)))[0], image[:, ::2, ::2])

    old = write_dataset(tmp_path / "old", {"em": image}, "wkw")

    def resolutions(data: dict[str, Any]) -> None:
        del data["dataLayers"][0]["mags"]
        data["dataLayers"][0]["wkwResolutions"] = [{"resolution": 1, "cubeLength": 8}]

    edit_json(old, resolutions)
    np.testing.assert_array_equal(whole(open_volume(old))[0], image)


@pytest.mark.parametrize("data_format", ["zarr3", "wkw"])
def test_painted_over_a_layer(tmp_path: Path, image: Array, labels: Array, data_format: str) -> None:
    """Only chunks that were changed are in the archive; the others stand in the layer of the dataset."""
    changed = np.zeros_like(labels)
    changed[:5, :6, :12] = labels[:5, :6, :12] + 100  # ends where chunks of 8 end: 3 + 5, 10 + 6, 20 + 12
    data = volume_zip(tmp_path / "v", changed, data_format)
    volume = '<volume id="0" name="Volume" location="data_Volume.zip" fallbackLayer="cells" />'
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml([volume]), "data_Volume.zip": data})
    dataset = write_dataset(tmp_path / "ds", {"em": image, "cells": labels})
    truth = open_volume(archive, kind="labels", onto=open_volume(dataset).place)
    expected = labels.copy()
    expected[:5, :6, :12] += 100
    np.testing.assert_array_equal(whole(truth)[0], expected)

    alone = open_volume(archive, kind="labels", onto=Place(SHAPE, ORIGIN, in_dataset=True))
    painted = Region((0, 0, 0), (5, 6, 12))
    np.testing.assert_array_equal(read_labels(alone, painted), expected[painted.slices])
    with pytest.raises(GroundTruthError, match="only what was changed") as error:
        read_labels(alone, Region((0, 0, 0), (5, 7, 12)))
    assert "cells" in error.value.remedy


coordinates = st.tuples(*[st.integers(-50, 50)] * 3)
extents = st.tuples(*[st.integers(1, 60)] * 3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(coordinates, extents, coordinates, st.tuples(*[st.sampled_from([1, 2, 4])] * 3))
def test_coordinates_there_and_back(
    tmp_path: Path, start: Triple, shape: Triple, origin: Triple, magnification: Triple
) -> None:
    """A box of whole voxels of the image, written as WEBKNOSSOS has it, comes back as it was."""
    region = Region.from_shape(shape, start)
    place = Place((9, 9, 9), origin, magnification, in_dataset=True)
    written = to_finest(region.shift(origin), magnification)
    (tmp_path / "box.nml").write_text(nml((), [xml_box("userBoundingBox", written, "b")]), encoding="utf-8")
    (box,) = annotated_boxes(tmp_path / "box.nml", place)
    assert box.region == region


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_region_of_any_frame(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever part of a dataset an image shows, its ground truth is what lies there, and 0 outside."""
    shape = data.draw(st.tuples(*[st.integers(1, 12)] * 3))
    origin = data.draw(st.tuples(*[st.integers(0, 9)] * 3))
    array = np.random.default_rng(0).integers(1, 9, shape).astype(np.uint32)
    folder = tmp_path_factory.mktemp("frame")
    data_format = data.draw(st.sampled_from(FORMATS))
    archive = write_archive(
        folder / "a.zip", {"a.nml": nml(), "data_Volume.zip": volume_zip(folder / "v", array, data_format, origin)}
    )
    start = [data.draw(st.integers(max(0, o - 4), o + n - 1)) for o, n in zip(origin, shape, strict=True)]
    extent = data.draw(st.tuples(*[st.integers(1, 14)] * 3))
    frame = Place(extent, (start[0], start[1], start[2]), in_dataset=True)
    if not frame.finest.overlaps(Region.from_shape(shape, origin)):
        return
    truth = open_volume(archive, kind="labels", onto=frame)
    dataset = np.zeros([o + n + 30 for o, n in zip(origin, shape, strict=True)], np.uint32)
    dataset[Region.from_shape(shape, origin).slices] = array
    np.testing.assert_array_equal(whole(truth)[0], dataset[frame.region.slices])
