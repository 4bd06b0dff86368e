"""What is damaged, hostile or not clear: each a clear error, and nothing written anywhere."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from webknossos_files import (
    ORIGIN,
    SHAPE,
    Array,
    edit_json,
    nml,
    volume_zip,
    write_archive,
    write_dataset,
    xml_box,
)

from napari_aitrain.errors import AitrainError, BoxError, GroundTruthError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.sources import open_sources
from napari_aitrain.volumes import open_volume
from napari_aitrain.volumes.place import Place
from napari_aitrain.volumes.webknossos import annotated_boxes
from napari_aitrain.volumes.webknossos.archive import Archive, check_name
from napari_aitrain.volumes.webknossos.zarr_store import decoded_size

Members = dict[str, Any]


@pytest.fixture
def members(tmp_path: Path, labels: Array) -> Members:
    return {"a.nml": nml(), "data_Volume.zip": volume_zip(tmp_path / "v", labels)}


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path) -> Iterator[None]:
    """Whatever a test reads, the folder around its own stays as it was."""
    around = sorted(os.listdir(tmp_path.parent))
    yield
    assert sorted(os.listdir(tmp_path.parent)) == around


def fails(path: Path, *words: str, kind: Any = "labels", error: type[AitrainError] = VolumeError) -> AitrainError:
    """Open and read a volume, which must fail with these words and say what to do."""
    with pytest.raises(error) as caught:
        volume = open_volume(path, kind=kind)
        volume.read(volume.region)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert caught.value.expected and caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil", "\\\\host\\evil"])
def test_path_outside(tmp_path: Path, members: Members, name: str) -> None:
    fails(write_archive(tmp_path / "a.zip", {**members, name: "x"}), "outside", "evil")
    inner = io.BytesIO(members["data_Volume.zip"])
    with zipfile.ZipFile(inner, "a") as archive:
        archive.writestr(name, "x")
    fails(write_archive(tmp_path / "b.zip", {**members, "data_Volume.zip": inner.getvalue()}), "outside")
    with pytest.raises(VolumeError, match="outside"):
        check_name(name, "here")


def test_location_outside(tmp_path: Path, members: Members) -> None:
    volume = '<volume id="0" name="Volume" location="../data_Volume.zip" />'
    (tmp_path / "data_Volume.zip").write_bytes(members["data_Volume.zip"])
    (tmp_path / "in").mkdir()
    archive = write_archive(tmp_path / "in" / "a.zip", {**members, "a.nml": nml([volume])})
    fails(archive, "without its voxels", error=GroundTruthError)


@pytest.mark.parametrize("path", ["../other/em/1", "/data/em/1", "em/../../other"])
def test_layer_outside_of_the_dataset(tmp_path: Path, image: Array, path: str) -> None:
    write_dataset(tmp_path / "other", {"em": image})
    dataset = write_dataset(tmp_path / "ds", {"em": image})
    edit_json(dataset, lambda data: data["dataLayers"][0]["mags"][0].update(path=path))
    fails(dataset, "outside", kind="image")


def test_link(tmp_path: Path, members: Members) -> None:
    path = write_archive(tmp_path / "a.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    fails(path, "link to another file")


@pytest.mark.parametrize(("method", "word"), [(zipfile.ZIP_BZIP2, "method 12"), (zipfile.ZIP_LZMA, "method 14")])
def test_other_compression(tmp_path: Path, members: Members, method: int, word: str) -> None:
    path = write_archive(tmp_path / "a.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more", "x" * 1000, method)
    fails(path, word)


def test_encrypted(tmp_path: Path, members: Members) -> None:
    path = write_archive(tmp_path / "a.zip", members)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 8] |= 1
    path.write_bytes(data)
    fails(path, "encrypted")


BOMB = """<?xml version="1.0"?><!DOCTYPE things [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><things><parameters><experiment name="&c;" /></parameters></things>"""
OUTSIDE = '<!DOCTYPE things [<!ENTITY x SYSTEM "file:///etc/passwd">]><things>&x;</things>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, '<!DOCTYPE things SYSTEM "http://host/x.dtd"><things />'])
def test_entities(tmp_path: Path, members: Members, text: str) -> None:
    fails(write_archive(tmp_path / "a.zip", {**members, "a.nml": text}), "entities")


@pytest.mark.parametrize("text", ["", "<things>", "no xml", "<svg></svg>", "<things>\x00</things>"])
def test_no_nml(tmp_path: Path, members: Members, text: str) -> None:
    fails(write_archive(tmp_path / "a.zip", {**members, "a.nml": text}), "a.nml in a.zip")


def claim(path: Path, name: str, size: int) -> None:
    """Write into a zip's directory that a file has another size."""
    data = bytearray(path.read_bytes())
    start = 0
    while True:
        start = data.index(b"PK\x01\x02", start)
        length = struct.unpack_from("<H", data, start + 28)[0]
        if data[start + 46 : start + 46 + length] == name.encode():
            struct.pack_into("<I", data, start + 24, size)
            path.write_bytes(data)
            return
        start += 4


@pytest.mark.parametrize("name", ["data_Volume.zip", "a.nml"])
def test_claims_gigabytes(tmp_path: Path, members: Members, name: str) -> None:
    path = write_archive(tmp_path / "a.zip", members)
    claim(path, name, 4_000_000_000)
    fails(path, "claims 4,000,000,000 bytes")


def test_bomb_inside(tmp_path: Path, members: Members) -> None:
    """An archive of 100 MB of zeros, and a chunk of them where a chunk of 2 kB belongs."""
    zeros = bytes(100_000_000)
    fails(write_archive(tmp_path / "a.zip", {**members, "data_Volume.zip": zeros}), "claims 100,000,000 bytes")
    inner = io.BytesIO(members["data_Volume.zip"])
    name = "volumeAnnotationData/1/c/0/3/2/1"
    with zipfile.ZipFile(inner) as archive:
        assert name in archive.namelist()
        kept = {n: archive.read(n) for n in archive.namelist() if n != name}
    data = write_archive(tmp_path / "inner.zip", {**kept, name: zeros}).read_bytes()
    fails(write_archive(tmp_path / "b.zip", {**members, "data_Volume.zip": data}), "claims 100,000,000 bytes", name)


def test_less_than_it_claims(tmp_path: Path, members: Members) -> None:
    """A file that says it is small and is not: no more than it says is read."""
    path = write_archive(tmp_path / "a.zip", members)
    claim(path, "a.nml", 40)
    fails(path, "a.nml")


@pytest.mark.parametrize("codec", ["blosc", "gzip", "zstd"])
def test_chunks_that_grow(codec: str) -> None:
    import imagecodecs
    import numcodecs

    encoders: dict[str, Callable[[bytes], bytes]] = {
        "blosc": numcodecs.Blosc().encode,
        "gzip": imagecodecs.gzip_encode,
        "zstd": numcodecs.Zstd().encode,
    }
    for size in (300, 3000, 70_000, 5_000_000):
        data = bytes(encoders[codec](bytes(size)))
        assert decoded_size(data, codec, 100_000) == min(size, 100_001 if codec == "gzip" else size)


def test_chunk_that_grows_is_refused(tmp_path: Path, members: Members) -> None:
    import numcodecs

    name = "volumeAnnotationData/1/c/0/3/2/1"
    with zipfile.ZipFile(io.BytesIO(members["data_Volume.zip"])) as archive:
        kept = {n: archive.read(n) for n in archive.namelist()}
    kept[name] = bytes(numcodecs.Blosc().encode(bytes(200_000_000)))
    assert len(kept[name]) < 1_000_000
    data = write_archive(tmp_path / "inner.zip", kept).read_bytes()
    fails(write_archive(tmp_path / "a.zip", {**members, "data_Volume.zip": data}), "claims")


def test_enormous_chunk(tmp_path: Path, image: Array) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image}, "zarr")
    file = dataset / "em" / "1" / ".zarray"
    data = json.loads(file.read_text())
    data["chunks"] = [1, 100_000, 100_000, 100_000]
    file.write_text(json.dumps(data))
    fails(dataset, "a chunk", "claims", kind="image")


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -30])
def test_cut_off(tmp_path: Path, members: Members, keep: float) -> None:
    path = write_archive(tmp_path / "a.zip", members)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if 0 < keep < 1 else int(keep)])
    fails(path, "cannot be read")


def test_flipped_bytes(tmp_path: Path, members: Members, rng: np.random.Generator) -> None:
    """Whatever byte is wrong: an error of ours, or the right voxels."""
    whole = write_archive(tmp_path / "whole.zip", members).read_bytes()
    expected = open_volume(tmp_path / "whole.zip", kind="labels")
    voxels = expected.read(expected.region)
    for number, place in enumerate(rng.integers(0, len(whole), 60)):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        path = tmp_path / f"{number}.zip"
        path.write_bytes(data)
        try:
            volume = open_volume(path, kind="labels")
            np.testing.assert_array_equal(volume.read(volume.region), voxels)
        except AitrainError as error:
            assert error.remedy


@pytest.mark.parametrize("data_format", ["zarr3", "zarr", "wkw"])
def test_flipped_bytes_of_a_dataset(tmp_path: Path, labels: Array, data_format: str, rng: np.random.Generator) -> None:
    dataset = write_dataset(tmp_path / "ds", {"cells": labels}, data_format)
    files = [file for file in sorted(dataset.rglob("*")) if file.is_file()]
    for number in range(60):
        file = files[number % len(files)]
        good = file.read_bytes()
        data = bytearray(good)
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        try:
            volume = open_volume(dataset, kind="labels")
            if volume.region.size < 1e6:
                volume.read(volume.region)
        except AitrainError as error:
            assert error.remedy
        file.write_bytes(good)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: data.pop("dataLayers"), "dataLayers"),
        (lambda data: data["dataLayers"][0].pop("boundingBox"), "boundingBox"),
        (lambda data: data["dataLayers"][0]["boundingBox"].update(width=-1), "width"),
        (lambda data: data["dataLayers"][0]["boundingBox"].update(width=0), "without voxels"),
        (lambda data: data["dataLayers"][0]["mags"][0].update(mag=[0, 1, 1]), "mag"),
        (lambda data: data["dataLayers"][0].update(mags=[]), "no magnification"),
        (lambda data: data["dataLayers"][0].update(dataFormat="n5"), "n5"),
        (lambda data: data["dataLayers"][0].update(dataFormat="neuroglancerPrecomputed"), "neuroglancerPrecomputed"),
        (lambda data: data["dataLayers"][0]["mags"][0].update(path="https://host/em/1"), "https://host/em/1"),
        (lambda data: data["dataLayers"][0]["mags"][0].update(path="em/7"), "em/7"),
        (lambda data: data["dataLayers"][0]["mags"][0].update(axisOrder={"x": 0, "y": 1}), "axisOrder"),
        (lambda data: data["dataLayers"][0]["mags"].append({"mag": [2, 2, 1]}), "2-2-1"),
    ],
)
def test_wrong_properties(tmp_path: Path, image: Array, change: Callable[[Any], None], word: str) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image})
    edit_json(dataset, change)
    fails(dataset, word, kind="image")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"dataLayers": 7}'])
def test_damaged_json(tmp_path: Path, image: Array, text: str) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image})
    (dataset / "datasource-properties.json").write_text(text)
    fails(dataset, "datasource-properties.json", kind="image")


def test_time(tmp_path: Path, image: Array) -> None:
    import zarr

    dataset = write_dataset(tmp_path / "ds", {"em": image})
    edit_json(
        dataset,
        lambda data: data["dataLayers"][0]["mags"][0].update(path="em/t", axisOrder={"c": 0, "x": 2, "y": 3, "z": 4}),
    )
    zarr.create_array(dataset / "em" / "t", data=np.ones((1, 3, 8, 8, 8), np.uint8), chunks=(1, 1, 8, 8, 8))
    fails(dataset, "time", kind="image")


@pytest.mark.parametrize("data_format", ["zarr3", "wkw"])
def test_missing_chunks(tmp_path: Path, image: Array, data_format: str) -> None:
    """One chunk that is not stored is background; a magnification without any is lost."""
    dataset = write_dataset(tmp_path / "ds", {"em": image}, data_format)
    names = {"header.wkw", "zarr.json"}
    chunks = [f for f in sorted((dataset / "em").rglob("*")) if f.is_file() and f.name not in names]
    chunks[0].unlink()
    volume = open_volume(dataset)
    assert not volume.read(volume.region).all()
    for file in chunks[1:]:
        file.unlink()
    fails(dataset, "nothing of magnification 1", kind="image")


def test_nothing_painted(tmp_path: Path, members: Members) -> None:
    inner = io.BytesIO()
    zipfile.ZipFile(inner, "w").close()
    archive = write_archive(tmp_path / "a.zip", {**members, "data_Volume.zip": inner.getvalue()})
    fails(archive, "nothing is painted", error=GroundTruthError)
    archive = write_archive(tmp_path / "b.zip", {"a.nml": nml(['<volume id="0" name="V" />'])})
    fails(archive, "without its voxels", error=GroundTruthError)
    (tmp_path / "a.nml").write_text(nml(), encoding="utf-8")
    fails(tmp_path / "a.nml", "without its voxels", error=GroundTruthError)


def test_several_layers(tmp_path: Path, labels: Array, members: Members) -> None:
    volumes = [f'<volume id="{i}" name="{name}" location="data_Volume.zip" />' for i, name in enumerate(["A", "B"])]
    archive = write_archive(tmp_path / "a.zip", {**members, "a.nml": nml(volumes)})
    fails(archive, "2 volume layers", str(archive / "A"), str(archive / "B"))
    fails(archive / "C", "no layer 'C'", str(archive / "A"))
    dataset = write_dataset(tmp_path / "ds", {"one": labels, "two": labels})
    fails(dataset, "2 segmentation layers", str(dataset / "one"))
    fails(dataset, "no color layer", kind="image")


def test_no_volume_layer(tmp_path: Path) -> None:
    fails(write_archive(tmp_path / "a.zip", {"a.nml": nml([])}), "no volume layer")


def test_proofread(tmp_path: Path, members: Members) -> None:
    volume = '<volume id="0" name="V" location="data_Volume.zip" editedMappingEdgesLocation="edges.zip" />'
    archive = write_archive(tmp_path / "a.zip", {**members, "a.nml": nml([volume])})
    fails(archive, "proofread", error=GroundTruthError)


def test_archive_of_something_else(tmp_path: Path, members: Members) -> None:
    fails(write_archive(tmp_path / "a.zip", {"readme.txt": "hello"}), "0 NML files")
    fails(write_archive(tmp_path / "b.zip", {**members, "b.nml": nml()}), "2 NML files")
    fails(write_archive(tmp_path / "c.zip", members), "annotation", "no image", "brain", kind="image")
    fails(tmp_path / "none.zip", "does not exist")


def test_archive_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip at all")
    fails(tmp_path / "a.zip", "cannot be read")


def problem(tmp_path: Path, image: Path, labels: Path) -> AitrainError:
    found = open_sources(TrainConfig(sources=(Source(image=image, labels=labels),)))
    (error,) = found.problems
    return error


def test_no_boxes(tmp_path: Path, image: Array, members: Members) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image})
    error = problem(tmp_path, dataset, write_archive(tmp_path / "a.zip", members))
    assert isinstance(error, BoxError) and "no bounding box" in error.what


@pytest.mark.parametrize("shape", [(0, 5, 5), (-3, 5, 5)])
def test_box_without_voxels(tmp_path: Path, members: Members, shape: Any) -> None:
    text = xml_box("userBoundingBox", Region.from_shape((9, 5, 5)), "flat").replace('depth="9"', f'depth="{shape[0]}"')
    archive = write_archive(tmp_path / "a.zip", {**members, "a.nml": nml(boxes=[text])})
    with pytest.raises(VolumeError, match="flat"):
        annotated_boxes(archive, Place(SHAPE))
    tiny = xml_box("userBoundingBox", Region((1, 1, 1), (2, 2, 2)), "tiny")
    archive = write_archive(tmp_path / "b.zip", {**members, "a.nml": nml(boxes=[tiny])})
    with pytest.raises(BoxError, match="tiny"):
        annotated_boxes(archive, Place(SHAPE, magnification=(1, 2, 2)))


def test_somewhere_else(tmp_path: Path, image: Array, members: Members) -> None:
    dataset = write_dataset(tmp_path / "ds", {"em": image}, origin=(3, 10, 60))
    error = problem(tmp_path, dataset, write_archive(tmp_path / "a.zip", members))
    assert isinstance(error, GroundTruthError) and "x 20, y 10, z 3 of 24×20×6" in error.what
    np.save(tmp_path / "em.npy", image[:, :-1])
    error = problem(tmp_path, tmp_path / "em.npy", tmp_path / "a.zip")
    assert isinstance(error, GroundTruthError) and "another format" in error.remedy


def test_magnifications_that_do_not_fit(tmp_path: Path, labels: Array) -> None:
    data = volume_zip(tmp_path / "v", labels, mags=[(3, 3, 3)], origin=(3, 12, 21))
    archive = write_archive(tmp_path / "a.zip", {"a.nml": nml(), "data_Volume.zip": data})
    with pytest.raises(VolumeError, match="begins at magnification 3"):
        open_volume(archive, kind="labels", onto=Place(SHAPE, ORIGIN, (2, 2, 2), in_dataset=True))


def test_archive_is_read_in_place(tmp_path: Path, members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is extracted: neither in the folder of the archive nor in the working directory."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    path = write_archive(tmp_path / "a.zip", members)
    before = sorted(p.name for p in tmp_path.iterdir())
    volume = open_volume(path, kind="labels")
    volume.read(volume.region)
    assert sorted(p.name for p in tmp_path.iterdir()) == before and not list((tmp_path / "cwd").iterdir())
    assert Archive(path, "a").get("nothing", 10) is None
