"""Cellpose's files on the command line: predicted with, made models of, written; and images that are hard on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from small_cellpose import cellpose_file

Cli = Callable[..., Any]
pytest.importorskip("cellpose")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    torch.set_num_threads(1)
    return cellpose_file(tmp_path / "my cells")


def write(path: Path, image: np.ndarray) -> Path:
    tifffile.imwrite(path, image, photometric="minisblack")
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write(tmp_path / "image.tif", np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8))


def test_a_file_of_cellpose_predicts(cli: Cli, weights: Path, image: Path, tmp_path: Path) -> None:
    assert cli("predict", weights, image, "--out", tmp_path / "out.tif").code == 0
    labels = tifffile.imread(tmp_path / "out.tif")
    assert labels.shape == (60, 50) and labels.max() > 10


def test_it_becomes_a_model_and_a_file_again(cli: Cli, weights: Path, image: Path, tmp_path: Path) -> None:
    told = cli("models", "import", weights, "--name", "volumes", "--dims", "3", "--json").json
    assert told["name"] == "volumes/v1"
    shown = cli("models", "show", "volumes", "--json").json
    assert (shown["task"], shown["dims"], shown["network"]["architecture"]) == ("cellpose", 3, "cellpose")
    stack = write(tmp_path / "stack.tif", np.random.default_rng(0).integers(0, 255, (4, 20, 18), np.uint8))
    ran = cli("predict", "volumes", stack, "--out", tmp_path / "out.tif", "--voxel-size", "20,10,10")
    assert ran.code == 0 and tifffile.imread(tmp_path / "out.tif").shape == (4, 20, 18)
    ran = cli("models", "export", "volumes", tmp_path / "exported")
    assert ran.code == 0 and "pretrained_model" in ran.out
    first, second = (torch.load(path, weights_only=True) for path in (weights, tmp_path / "exported"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert cli("models", "export", "volumes", tmp_path / "exported").code == 2


@pytest.mark.parametrize("diameter", ["1", "2000", "auto"])
def test_extreme_diameters(cli: Cli, weights: Path, image: Path, tmp_path: Path, diameter: str) -> None:
    ran = cli("predict", weights, image, "--out", tmp_path / "out.tif", "--diameter", diameter)
    assert ran.code == 0 and tifffile.imread(tmp_path / "out.tif").shape == (60, 50)


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value(cli: Cli, weights: Path, tmp_path: Path, value: int) -> None:
    blank = write(tmp_path / "blank.tif", np.full((40, 40), value, np.uint8))
    ran = cli("predict", weights, blank, "--out", tmp_path / "out.tif")
    assert ran.code == 0 and tifffile.imread(tmp_path / "out.tif").shape == (40, 40)


def test_known_weights_that_are_not_there(cli: Cli, weights: Path, image: Path, tmp_path: Path) -> None:
    ran = cli("predict", "cpsam_v2", image, "--out", tmp_path / "out.tif")
    assert ran.code == 2 and "weights download cpsam_v2" in ran.err and str(tmp_path / "cellpose") in ran.err
    ran = cli("predict", "cpsam_v3", image, "--out", tmp_path / "out.tif")
    assert ran.code == 2 and "did you mean 'cpsam_v2'" in ran.err


def test_too_many_channels(cli: Cli, weights: Path, tmp_path: Path) -> None:
    many = np.random.default_rng(0).integers(0, 255, (5, 40, 40), np.uint8)
    tifffile.imwrite(tmp_path / "many.tif", many, photometric="minisblack", metadata={"axes": "CYX"})
    ran = cli("predict", weights, tmp_path / "many.tif", "--axes", "cyx", "--out", tmp_path / "out.tif")
    assert ran.code == 2 and "5 channels" in ran.err
    ran = cli(
        "predict", weights, tmp_path / "many.tif", "--axes", "cyx", "--channels", "1,3", "--out", tmp_path / "o.tif"
    )
    assert ran.code == 0


def test_volumes_need_the_network_of_cellpose(cli: Cli, weights: Path, tmp_path: Path) -> None:
    ran = cli("models", "import", tmp_path / "image.tif")
    assert ran.code == 2
    (tmp_path / "text").write_text("weights")
    assert "no file of weights" in cli("models", "import", tmp_path / "text").err
