"""Bad input: exit code 2, what is wrong, what was expected, what to do; no traceback, nothing written over."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

Cli = Callable[..., Any]


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tifffile.imwrite(path, change(tifffile.imread(path)))


def swap(folder: Path) -> None:
    (folder / "image.tif").rename(folder / "x.tif")
    (folder / "labels.tif").rename(folder / "image.tif")
    (folder / "x.tif").rename(folder / "labels.tif")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "other shape": lambda f: rewrite(f / "labels.tif", lambda a: a[:50]),
    "float labels": lambda f: rewrite(f / "labels.tif", lambda a: a + np.float32(0.5)),
    "negative labels": lambda f: rewrite(f / "labels.tif", lambda a: -a.astype(np.int16)),
    "empty labels": lambda f: rewrite(f / "labels.tif", np.zeros_like),
    "swapped": swap,
    "corrupt": lambda f: (f / "image.tif").write_bytes((f / "image.tif").read_bytes()[:3000]),
    "not finite": lambda f: rewrite(f / "image.tif", lambda a: np.full(a.shape, np.nan, np.float32)),
    "missing": lambda f: (f / "labels.tif").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("command", ["check", "train"])
def test_files_that_cannot_be_trained_on(cli: Cli, data: Path, tmp_path: Path, damage: str, command: str) -> None:
    DAMAGE[damage](data)
    before = {p.name: p.read_bytes() for p in data.iterdir()}
    out = ["--out", tmp_path / "out"] if command == "train" else []
    ran = cli(command, "--image", data / "image.tif", "--labels", data / "labels.tif", *out)
    told = ran.out + ran.err
    assert ran.code == 2, told
    assert "Error: " in told
    assert "What to do: " in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()
    assert {p.name: p.read_bytes() for p in data.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--task", "instance"], "instances"),
        (["--device", "abacus"], "abacus"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--voxel-size", "nan,1,1"], "nan,1,1"),
        (["--set", "sources=[{image: a, labels: b, voxel_size: [.inf, 1, 1]}]"], "voxel_size"),
        (["--magnification", "0"], "magnification '0' is not known"),
        (["--magnification", "3-x"], "3-x"),
        (["--dims", "4"], "dims"),
        (["--minutes", "-1"], "minutes"),
        (["--axes", "qq"], "qq"),
        (["--set", "sparce=1"], "sparce"),
        (["--start-from", "nowhere"], "nowhere"),
        (["--no-such-option"], "no-such-option"),
        (["--steps", "many"], "--steps"),
    ],
)
def test_options_that_cannot_be(cli: Cli, data: Path, tmp_path: Path, options: list[str], named: str) -> None:
    paths = ["--image", data / "image.tif", "--labels", data / "labels.tif", "--out", tmp_path / "out"]
    ran = cli("train", *paths, *options)
    assert ran.code == 2, ran.err
    assert named in ran.err
    assert "Traceback" not in ran.err
    assert "Value error" not in ran.err
    assert ran.err.count("Expected: ") <= 1
    assert ran.out == ""
    assert not (tmp_path / "out").exists()


def test_errors_for_machines(cli: Cli, data: Path) -> None:
    ran = cli("train", "--image", data / "image.tif", "--labels", data / "none.tif", "--json")
    assert ran.code == 2
    assert ran.json.keys() == {"error", "what", "expected", "remedy"}
    assert "none.tif" in ran.json["what"]


def test_an_output_that_exists(cli: Cli, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    ran = cli("train", "--image", data / "image.tif", "--labels", data / "labels.tif", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "not empty" in ran.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "text", ["minuts: 3\n", "- a\n- b\n", "{", "version: 99\n", "sources: [{image: a, lables: b}]\n"]
)
def test_configs_that_are_none(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "job.yaml").write_text(text)
    ran = cli("check", tmp_path / "job.yaml")
    assert ran.code == 2
    assert "job.yaml" in ran.err
    near = {"minuts: 3\n": "'minutes'", "sources: [{image: a, lables: b}]\n": "'labels'"}
    assert near.get(text, "") in ran.err


def test_boxes_outside_and_too_small(cli: Cli, data: Path, tmp_path: Path) -> None:
    paths = ["--image", data / "image.tif", "--labels", data / "labels.tif", "--boxes", tmp_path / "b.json"]
    (tmp_path / "b.json").write_text('[{"start": [0, 0, 0], "stop": [1, 96, 97]}]')
    ran = cli("check", *paths, "--no-estimate", "--json")
    assert ran.code == 2
    assert not ran.json["ready"]
    assert "box-outside" in [finding["code"] for finding in ran.json["errors"]]
    (tmp_path / "b.json").write_text(
        '[{"start": [0, 0, 0], "stop": [1, 31, 96]}, {"start": [0, 40, 0], "stop": [1, 96, 96], "role": "validation"}]'
    )
    ran = cli("check", *paths, "--no-estimate", "--json")
    assert ran.code == 0
    assert "box-small" in [finding["code"] for finding in ran.json["warnings"]]


@pytest.mark.parametrize("command", [["predict", "MODEL", "IMAGE", "--out", "o.tif"], ["models", "show", "MODEL"]])
def test_models_that_are_none(cli: Cli, tmp_path: Path, data: Path, command: list[str]) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model.json").write_text('{"format_version": 99}')
    for model, word in (
        ("nowhere", "no model 'nowhere'"),
        (data / "nowhere", "does not exist"),
        (data, "holds no model"),
        (tmp_path / "damaged", "newer"),
    ):
        ran = cli(
            *(str(part).replace("MODEL", str(model)).replace("IMAGE", str(data / "image.tif")) for part in command)
        )
        assert ran.code == 2
        assert word in ran.err


def test_jobs_that_are_none(cli: Cli, tmp_path: Path) -> None:
    for command in ("show", "follow", "stop", "resume"):
        assert cli("jobs", command, "nothing").code == 1
        assert cli("jobs", command, tmp_path).code == 1
    assert cli("jobs", "remove", tmp_path, "--yes").code == 1
    assert tmp_path.exists()


def test_a_fault_of_the_program_is_told_without_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_aitrain.models.list_versions", lambda: 1 / 0)
    ran = cli("models", "list")
    assert ran.code == 1
    assert "should not happen" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.skipif(shutil.which("true") is None, reason="needs a POSIX system")
def test_a_folder_that_cannot_be_written(cli: Cli, data: Path) -> None:
    ran = cli("train", "--image", data / "image.tif", "--labels", data / "labels.tif", "--out", "/proc/aitrain/job")
    assert ran.code == 2
    assert "/proc/aitrain" in ran.err


def test_labels_that_went_through_jpeg(cli: Cli, data: Path) -> None:
    Image.fromarray(tifffile.imread(data / "labels.tif")).save(data / "labels.jpg")
    for arguments in (["check", "--image", data / "image.tif", "--labels"], ["evaluate", data / "labels.tif"]):
        ran = cli(*arguments, data / "labels.jpg")
        assert ran.code == 2
        assert "JPEG" in ran.out + ran.err


def test_a_zarr_that_is_an_empty_folder(cli: Cli, data: Path) -> None:
    (data / "image.zarr").mkdir()
    ran = cli("check", "--image", data / "image.zarr", "--labels", data / "labels.tif")
    assert ran.code == 2
    assert "image.zarr is named like a zarr" in ran.out + ran.err
