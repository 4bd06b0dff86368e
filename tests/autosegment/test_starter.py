"""A starter model as a preset: size, threshold, what may come in, files and the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tiny_starter import DIAMETER, SHAPES, balls, photographed

from napari_aitrain.autosegment.asked import Asked, segment
from napari_aitrain.autosegment.files import autosegment
from napari_aitrain.autosegment.settings import AutosegmentSettings
from napari_aitrain.autosegment.starter import Scored, find_by_starter
from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError, ModelError
from napari_aitrain.inference.blocks import PredictionCancelledError
from napari_aitrain.models import load_model, starters
from napari_aitrain.tasks.tally import InstanceTally

pytestmark = pytest.mark.usefixtures("starter_models")


def ap50(found: np.ndarray, truth: np.ndarray) -> float:
    return InstanceTally.count(found, truth).metrics()["ap50"]


def asked(name: str = "nuclei-2d", **numbers: float) -> AutosegmentSettings:
    return AutosegmentSettings(preset="starter", model=name, **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [0.5, 1, 3])
def test_an_image_is_seen_at_the_size_that_the_model_knows(times: float) -> None:
    truth = balls((1, round(128 * times), round(128 * times)), times * DIAMETER, seed=1)
    image = photographed(truth, seed=1)
    found = find_by_starter(image, asked(diameter=times * DIAMETER))
    assert found.diameter == times * DIAMETER and found.labels.shape == image.shape
    assert ap50(found.above(0.2).labels, truth) > 0.9
    if times == 1:
        own = find_by_starter(image, asked())
        assert own.diameter == pytest.approx(DIAMETER, rel=0.2) and ap50(own.above(0.2).labels, truth) > 0.9


def test_sections_far_apart_are_taken_for_what_they_are() -> None:
    truth = balls((32, 56, 56), 2 * DIAMETER, seed=1)
    image = photographed(truth)
    own = asked("nuclei-3d", diameter=2 * DIAMETER)
    # The ratio alone counts, in whatever unit.
    near, far = (find_by_starter(image, own, (n, n, n)) for n in (1.0, 5000.0))
    np.testing.assert_array_equal(near.labels, far.labels)
    assert near.labels.shape == image.shape


def test_dark_objects_are_those_of_the_negative() -> None:
    image = photographed(balls(SHAPES[2], DIAMETER, seed=1))
    bright, dark = find_by_starter(image, asked(diameter=12)), find_by_starter(-image, asked(diameter=12, dark=True))
    np.testing.assert_array_equal(bright.labels, dark.labels)


def test_volumes_and_slices_of_a_stack() -> None:
    truth = balls(SHAPES[3], DIAMETER, seed=1)
    image = photographed(truth)
    volume = segment(image, Asked("starter"))
    assert (volume[0].model, volume[2]) == ("nuclei-3d", 3) and ap50(volume[1].labels, truth) > 0.7
    slices = segment(image, Asked("starter", dims="2"))
    assert (slices[0].model, slices[2]) == ("nuclei-2d", 2)
    assert segment(image, Asked("starter", model="nuclei-2d"))[0].model == "nuclei-2d"
    for z in range(len(image) - 1):
        shared = set(np.unique(slices[1].labels[z])) & set(np.unique(slices[1].labels[z + 1]))
        assert shared <= {0}, "slices have ids of their own"


@pytest.mark.parametrize("diameter", [1, 2000])
@pytest.mark.parametrize("kind", ["cells", "constant", "noise", "nan"])
def test_no_cells_and_diameters_that_cannot_be(diameter: float, kind: str) -> None:
    random = np.random.default_rng(0)
    image = {
        "cells": photographed(balls((1, 64, 64), 12)),
        "constant": np.full((1, 64, 64), 7, np.float32),
        "noise": random.normal(100, 10, (1, 64, 64)).astype(np.float32),
        "nan": np.full((1, 64, 64), np.nan, np.float32),
    }[kind]
    for given_diameter in (diameter, None):
        found = find_by_starter(
            image, AutosegmentSettings(preset="starter", model="nuclei-2d", diameter=given_diameter)
        )
        assert found.labels.shape == image.shape
        if kind in ("constant", "nan"):
            assert found.above().count == 0


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8), st.floats(0, 1))
def test_a_threshold_leaves_out_what_is_less_sure(scores: list[float], threshold: float) -> None:
    labels = np.repeat(np.arange(len(scores) + 1, dtype=np.int32), 3).reshape(1, 3, -1)
    scored = Scored(labels, np.array([0, *scores], np.float32), None, 0.5)
    found = scored.above(threshold)
    assert found.count == sum(np.float32(score) >= threshold for score in scores)
    assert np.unique(found.labels[found.labels > 0]).tolist() == list(range(1, found.count + 1))
    middle = scored.part((slice(0, 1), slice(1, 2), slice(None)))
    assert middle.above(threshold).count <= found.count


def test_a_pass_can_be_ended() -> None:
    def stop(_done: int, _total: int) -> None:
        raise PredictionCancelledError("enough")

    with pytest.raises(PredictionCancelledError):
        find_by_starter(photographed(balls((1, 64, 64), 12)), asked(diameter=12), watch=stop)


def test_a_stack_is_taken_slice_by_slice_where_no_model_of_volumes_is_at_hand(
    starter_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(starter_models / "nuclei-2d", tmp_path / "nuclei-2d")
    monkeypatch.setattr(starters, "FOLDER", tmp_path)
    image = photographed(balls(SHAPES[3], DIAMETER))
    assert segment(image, Asked("starter", diameter=12))[0].model == "nuclei-2d"
    with pytest.raises(ConfigError, match="3-D"):
        segment(image, Asked("starter", dims="3"))
    shutil.rmtree(tmp_path / "nuclei-2d")
    with pytest.raises(ConfigError, match="no starter model"):
        segment(image, Asked("starter"))


def test_models_that_are_not_there_or_do_not_fit(starter_models: Path) -> None:
    image = photographed(balls((1, 64, 64), 12))
    with pytest.raises(ModelError, match="nuclei-2e") as caught:
        segment(image, Asked("starter", model="nuclei-2e"))
    assert "nuclei-2d" in caught.value.remedy
    with pytest.raises(ConfigError, match="3-D"):
        segment(image, Asked("starter", model="nuclei-3d", dims="2"))
    with pytest.raises(ConfigError, match="takes volumes"):
        segment(image, Asked("starter", model="nuclei-3d"))
    assert segment(image, Asked("starter", model=str(starter_models / "nuclei-2d")))[1].count > 0


@pytest.mark.parametrize("bad", [{"diameter": 0}, {"diameter": float("nan")}, {"diameter": 1e9}, {"threshold": 2}])
def test_numbers_out_of_range_are_told(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))) as caught:
        Asked("starter", **bad)  # type: ignore[arg-type]
    assert "10,000" in caught.value.expected


def test_a_folder_keeps_how_it_was_made(starter_models: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", photographed(balls(SHAPES[2], 12, number))[0])
    (tmp_path / "in" / "broken.png").write_bytes(b"")
    found = autosegment(tmp_path / "in", tmp_path / "out", Asked("starter", model="nuclei-2d", diameter=12))
    assert [one.objects > 40 for one in found] == [True, True, False] and "broken.png" in found[2].error
    made = json.loads((tmp_path / "out" / "1.tif.json").read_text(encoding="utf-8"))
    assert made["settings"] == {
        "preset": "starter", "dark": False, "model": "nuclei-2d", "diameter": 12, "threshold": 0.5,
    }  # fmt: skip
    assert made["diameter"] == 12 and made["objects"] == found[0].objects
    assert made["weights_sha256"] == load_model(starter_models / "nuclei-2d").card.weights_sha256


def test_cancelling_within_an_image_keeps_those_before(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", photographed(balls(SHAPES[2], 12, number))[0])
    asks = iter([False] * 3)
    found = autosegment(
        tmp_path / "in", tmp_path / "out", Asked("starter", diameter=12), cancelled=lambda: next(asks, True)
    )
    assert [one.image.name for one in found] == ["1.tif"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.tif", "1.tif.json"]


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", photographed(balls(SHAPES[2], 12, 1))[0])
    line = ["autosegment", str(tmp_path / "a.tif"), "--preset", "starter"]
    assert run([*line, "--out", str(tmp_path / "b.tif"), "--model", "nuclei-2d"]) == 0
    said = capfd.readouterr().out.replace("\n", " ")
    assert "nuclei-2d, diameter" in said and "threshold 0.50" in said
    assert run([*line, "--out", str(tmp_path / "c.tif"), "--diameter", "2000", "--threshold", "0.9", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)["images"][0]
    assert told["diameter"] == 2000 and told["settings"]["threshold"] == 0.9
    assert run([*line, "--out", str(tmp_path / "d.tif"), "--diameter", "large"]) == 2
    assert run([*line, "--out", str(tmp_path / "d.tif"), "--diameter", "0"]) == 2
