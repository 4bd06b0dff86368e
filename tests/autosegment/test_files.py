"""Automatic segmentation of files and folders, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_aitrain.autosegment import files
from napari_aitrain.autosegment.asked import Asked
from napari_aitrain.autosegment.files import autosegment
from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError, OutputExistsError, StorageError, VolumeError
from napari_aitrain.volumes import Volume, open_volume


def cells(count: int = 6, shape: tuple[int, ...] = (96, 120), seed: int = 0) -> np.ndarray:
    """Return an image with so many bright, round cells."""
    random = np.random.default_rng(seed)
    image = np.zeros(shape)
    for number in range(count):
        image[..., 16 + 32 * (number // 3), 20 + 40 * (number % 3)] = 1
    image = ndimage.gaussian_filter(image, [*(0,) * (len(shape) - 2), 4, 4])
    return (100 + 2000 * image / image.max() + random.normal(0, 15, shape)).clip(0).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Bilder ü"
    folder.mkdir()
    for number in (3, 6):
        tifffile.imwrite(folder / f"{number}.tif", cells(number))
    (folder / "notes.txt").write_text("stray")
    return folder


def test_a_folder_with_a_stray_and_a_broken_file(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.tif").write_bytes(b"II*\0nothing")
    told: list[tuple[int, int, str]] = []
    found = autosegment(folder, tmp_path / "out", progress=lambda *step: told.append(step))
    assert [one.objects for one in found] == [3, 6, 0]
    assert [bool(one.error) for one in found] == [False, False, True] and "broken.tif" in found[2].error
    assert [name for _, _, name in told] == ["3.tif", "6.tif", "broken.tif"]
    assert open_volume(found[1].out, kind="labels").read(open_volume(found[1].out).region).max() == 6
    made = json.loads((tmp_path / "out" / "6.tif.json").read_text(encoding="utf-8"))
    assert found[1].settings is not None and made["settings"] == found[1].settings.used()
    assert made["objects"] == 6 and made["fingerprint"] == open_volume(folder / "6.tif").fingerprint


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "6.tif").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        autosegment(folder, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["6.tif"]


def test_the_folder_of_the_images_is_no_place_for_labels(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ConfigError, match="folder of the images"):
        autosegment(folder, folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_empty_folder_and_one_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VolumeError, match="no image"):
        autosegment(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "file").write_bytes(b"")
    told: list[str] = []
    with pytest.raises(StorageError):
        autosegment(folder, tmp_path / "file" / "out", progress=lambda *step: told.append(step[2]))
    assert not told, "nothing is segmented in vain"
    assert not (tmp_path / "out").exists()


def test_sigma_0_and_a_smallest_size(folder: Path, tmp_path: Path) -> None:
    found = autosegment(folder, tmp_path / "out", Asked(sigma=0, minimum_size=1))
    assert [one.objects >= number for one, number in zip(found, (3, 6), strict=True)] == [True, True]


def test_cancelling_keeps_what_is_done(folder: Path, tmp_path: Path) -> None:
    found = autosegment(folder, tmp_path / "out", cancelled=lambda: (tmp_path / "out" / "3.tif").exists())
    assert len(found) == 1 and not (tmp_path / "out" / "6.tif").exists()


def test_channels_magnification_and_what_a_person_chose(tmp_path: Path) -> None:
    image = np.stack([cells(3), 40 * cells(6, seed=1).astype(np.uint32).clip(0, 1600).astype(np.uint16)])
    tifffile.imwrite(
        tmp_path / "a.ome.tif", image, metadata={"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    )
    (both,) = autosegment(tmp_path / "a.ome.tif", tmp_path / "both.tif")
    (first,) = autosegment(tmp_path / "a.ome.tif", tmp_path / "first.ome.zarr", channels=[0], magnification="2")
    assert (both.objects, first.objects) == (6, 3)
    assert first.minimum_size.endswith("µm²")
    volume = open_volume(first.out)
    assert volume.shape == (1, 48, 60) and volume.voxel_size is not None and volume.voxel_size[1:] == (1000, 1000)
    (chosen,) = autosegment(tmp_path / "a.ome.tif", tmp_path / "c.tif", Asked(minimum_size=5000, sigma=0))
    assert chosen.objects == 0 and "minimum size" in chosen.warning


def test_stacks_are_volumes_unless_asked(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", cells(4, (5, 96, 120)), metadata={"axes": "ZYX"})
    (volume,) = autosegment(tmp_path / "a.tif", tmp_path / "v.tif")
    (slices,) = autosegment(tmp_path / "a.tif", tmp_path / "s.tif", Asked(dims="2"))
    assert (volume.objects, slices.objects) == (4, 20)


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_VOXELS", 1000)
    with pytest.raises(ConfigError, match="too many") as caught:
        files.read_image(Volume.from_array(cells(), axes="yx"))
    assert "magnification" in caught.value.remedy


def test_the_command(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["autosegment", str(folder / "6.tif"), "--out", str(out / "a.tif"), "--voxel-size", "1,500,500"]) == 0
    said = capfd.readouterr().out
    assert "6 objects" in said and "µm²" in said
    (folder / "broken.png").write_bytes(b"")
    assert run(["autosegment", str(folder), "--out", str(out / "all"), "--sigma", "2", "--json"]) == 3
    found = json.loads(capfd.readouterr().out)["images"]
    assert [one["objects"] for one in found] == [3, 6, 0] and found[0]["settings"]["sigma"] == 2
    assert run(["autosegment", str(folder / "no.tif"), "--out", str(out / "b.tif")]) == 2


def test_the_command_tells_that_there_are_no_cells(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.random.default_rng(0).normal(500, 20, (90, 90)).astype(np.uint16))
    assert run(["autosegment", str(tmp_path / "a.tif"), "--out", str(tmp_path / "o.tif")]) == 0
    assert "stands out" in capfd.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    "bad", [{"sigma": 900}, {"sigma": -1}, {"sigma": float("nan")}, {"minimum_size": 0}, {"preset": "x"}]
)
def test_numbers_out_of_range_are_told(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))) as caught:
        Asked(**bad)
    assert "500" in caught.value.expected


def test_numbers_of_another_preset_are_told() -> None:
    with pytest.raises(ConfigError, match="single-cells does not use diameter and threshold"):
        Asked(diameter=20, threshold=0.5)
    with pytest.raises(ConfigError, match="starter does not use sigma"):
        Asked("starter", sigma=0)
    assert Asked("starter", dark=True).dark and Asked("membranes", dark=True).dark


def test_the_command_with_a_sigma_out_of_range(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["autosegment", str(folder), "--out", str(tmp_path / "out"), "--sigma", "900"]) == 2
    assert "sigma cannot be 900" in capfd.readouterr().err and not (tmp_path / "out").exists()
