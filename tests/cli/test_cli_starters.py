"""Starter models on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from tiny_starter import balls, make_starter, photographed

from napari_aitrain.models import starters


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_starter(tmp_path_factory.mktemp("starters") / "nuclei-2d").folder


@pytest.fixture(autouse=True)
def starter(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(starters, "FOLDER", made.parent)
    return made


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    labels = balls((1, 192, 192), 30, gap=1.3)[0]
    tifffile.imwrite(tmp_path / "image.tif", photographed(labels).clip(0))
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    return ["--image", str(tmp_path / "image.tif"), "--labels", str(tmp_path / "labels.tif")]


def test_they_are_listed_as_such_and_shown_by_name(cli, starter: Path) -> None:
    (row,) = cli("models", "list", "--json").json["models"]
    assert (row["name"], row["starter"], row["folder"]) == ("nuclei-2d", True, str(starter))
    assert "starter model" in cli("models", "list").out
    assert cli("models", "show", "nuclei-2d", "--json").json["task"] == "instances"


def test_an_image_is_predicted_by_name_at_the_size_that_is_found(cli, pair: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    ran = cli("predict", "nuclei-2d", pair[1], "--out", out, "--diameter", "auto", "-t", 0.1, "--json")
    assert ran.code == 0, ran.err
    truth = tifffile.imread(pair[3])
    (image,) = ran.json["images"]
    assert image["objects"] == pytest.approx(truth.max(), abs=3)
    assert any("scaled by" in note for note in image["notes"])
    wrong = cli("predict", "nuclei-2d", pair[1], "--out", tmp_path / "o.tif", "--diameter", "large")
    assert wrong.code != 0 and "diameter" in wrong.err


def test_check_says_what_a_training_starts_from(cli, pair: list[str]) -> None:
    quick = ["--steps", "1", "--no-estimate"]
    (note,) = [n for n in cli("check", *pair, *quick, "--json").json["notes"] if n["code"] == "start-from"]
    assert "nuclei-2d" in note["message"] and "scaled by" in note["message"]
    assert "Note: The training starts from nuclei-2d" in cli("check", *pair, *quick).out
    assert not cli("check", *pair, *quick, "--start-from", "scratch", "--json").json["notes"]
    unknown = cli("check", *pair, *quick, "--start-from", "nuclei2d")
    assert unknown.code != 0 and "did you mean 'nuclei-2d'" in unknown.err
