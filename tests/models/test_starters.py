"""Starter models: in the package, by name, and which of them fits."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_aitrain.errors import ConfigError, ModelError
from napari_aitrain.models import (
    Model,
    ModelCard,
    find_model,
    fitting_starter,
    import_model,
    load_model,
    locate_model,
    rename_model,
    save_model,
    save_settings,
    save_threshold,
    starter_folder,
    starter_names,
    starters,
)

Make = Callable[..., Model]
NM = (300.0, 100.0, 100.0)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a factory of starter models without a network, in a folder of the test's own."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "starters")
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))

    def made(name: str, **card: object) -> Model:
        about = {"name": name, "task": "instances", "dims": 2, "channels": ("0",), "network": {}} | card
        weights = {"w": torch.linspace(-2, 2, 5), "n": torch.tensor(7)}
        return save_model(tmp_path / "starters" / name, ModelCard(**about), weights, precision="float16")

    return made


def test_what_ships_is_whole_and_is_read_as_resources() -> None:
    place = importlib.resources.files("napari_aitrain") / "starters"
    assert Path(str(place)) == starters.FOLDER
    for name in starter_names():
        model = load_model(starter_folder(name))
        assert json.loads((place / name / "model.json").read_text(encoding="utf-8"))["task"] == model.card.task
        text = (place / name / "README.md").read_text(encoding="utf-8")
        assert all(word in text.casefold() for word in ("data", "licence", "not used", "intended use", "limits"))
        assert all(tensor.isfinite().all() for tensor in model.network().state_dict().values())
        assert model.card.diameter is not None or model.task().agglomerates
    size = sum((starter_folder(name) / "weights.safetensors").stat().st_size for name in starter_names())
    assert size < 15e6


def test_weights_are_stored_as_halves_and_read_as_float32(make: Make) -> None:
    stored = make("nuclei-2d").state_dict()
    assert (stored["w"].dtype, stored["n"].dtype) == (torch.float32, torch.int64)
    assert torch.equal(stored["w"], torch.linspace(-2, 2, 5).half().float())


def test_what_halves_cannot_hold_stays_as_it_is(tmp_path: Path) -> None:
    weights = {"large": torch.tensor([1e6, 1.0]), "small": torch.tensor([0.1])}
    model = save_model(tmp_path / "m", ModelCard(task="instances", dims=2, network={}), weights, precision="float16")
    assert model.state_dict()["large"].tolist() == [1e6, 1.0]
    assert model.state_dict()["small"].item() != pytest.approx(0.1, abs=1e-9)


def test_a_starter_is_found_by_name_wherever_a_model_is(make: Make, tmp_path: Path, monkeypatch) -> None:
    folder = make("nuclei-2d").folder
    monkeypatch.chdir(tmp_path)
    assert find_model("nuclei-2d").folder == starter_folder("nuclei-2d") == folder == locate_model("nuclei-2d")
    (tmp_path / "nuclei-2d").mkdir()
    assert find_model("nuclei-2d").folder == folder, "an empty folder is no model"
    own = save_model(tmp_path / "job" / "nuclei-2d", ModelCard(task="instances", dims=2, network={}), {})
    monkeypatch.chdir(tmp_path / "job")
    assert find_model("nuclei-2d").folder.absolute() == own.folder.absolute()


def test_a_model_that_once_had_its_name_does_not_stand_for_it(make: Make, tmp_path: Path, monkeypatch) -> None:
    folder = make("nuclei-2d").folder
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    own = save_model(tmp_path / "own", ModelCard(task="instances", dims=2, network={}), {})
    import_model(own.folder, "nuclei-2d")
    assert find_model("nuclei-2d").folder != folder, "a name that somebody gave goes before"
    rename_model("nuclei-2d", "mine")
    assert find_model("nuclei-2d").folder == folder
    assert find_model("nuclei-2d/v1").folder == find_model("mine").folder, "earlier jobs know that number"


def test_of_a_name_that_nothing_has_it_is_said_where_names_are(make: Make, tmp_path: Path, monkeypatch) -> None:
    make("nuclei-2d")
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="there is no model 'cells'") as caught:
        find_model("cells")
    assert "models list" in caught.value.remedy and "folder" in caught.value.remedy
    with pytest.raises(ModelError, match="does not exist"):
        find_model(tmp_path / "cells")


def test_of_an_unknown_name_the_nearest_is_said(make: Make) -> None:
    make("nuclei-2d")
    for find in (find_model, starter_folder):
        with pytest.raises(ModelError, match="nuclei2d") as caught:
            find("nuclei2d")
        assert "nuclei-2d" in caught.value.remedy


def test_a_damaged_starter_is_told(make: Make) -> None:
    (make("nuclei-2d").folder / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="damaged"):
        find_model("nuclei-2d")


def test_a_starter_fits_its_task_dims_channels_and_kind_of_microscope(make: Make) -> None:
    make("nuclei-2d")
    make("nuclei-3d", dims=3, voxel_size=NM)
    make("em-neurons", dims=3, task="neurons", voxel_size=(30.0, 8.0, 8.0))
    assert fitting_starter("instances", 2, 1, None) == "nuclei-2d"
    assert fitting_starter("instances", 2, 1, (1, 325, 325)) == "nuclei-2d"
    assert fitting_starter("instances", 2, 1, (1, 8, 8)) is None, "an electron micrograph"
    assert fitting_starter("instances", 2, 3, None) is None
    assert fitting_starter("semantic", 2, 1, None) is None
    assert fitting_starter("instances", 3, 1, None) == "nuclei-3d"
    assert fitting_starter("instances", 3, 1, (900, 300, 300)) == "nuclei-3d", "scaling meets another size"
    assert fitting_starter("instances", 3, 1, (3000, 100, 100)) is None, "sections are far apart"
    assert fitting_starter("neurons", 3, 1, (40, 4, 4)) == "em-neurons"
    assert fitting_starter("neurons", 3, 1, (400, 160, 160)) is None
    assert fitting_starter("neurons", 3, 1, None) is None


def test_a_diameter_gives_a_scale_within_bounds(make: Make) -> None:
    model = make("nuclei-2d", diameter=20.0)
    assert [model.of_diameter(d).card.scale for d in (10, 20, 40, 1, 2000)] == [2, 1, 0.5, 4, 0.25]
    assert model.card.scale == 1
    for wrong in (0, -3, float("nan"), float("inf")):
        with pytest.raises(ConfigError):
            model.of_diameter(wrong)
    with pytest.raises(ModelError, match="how large"):
        make("other").of_diameter(20)


def test_numbers_of_a_starter_model_are_not_changed(make: Make) -> None:
    model = make("nuclei-2d")
    before = (model.folder / "model.json").read_bytes()
    for change in (lambda: save_threshold(model.folder, 0.3), lambda: save_settings(model.folder, {"split": 0.5})):
        with pytest.raises(ModelError, match="starter model") as refused:
            change()
        assert "models add" in refused.value.remedy
    assert (model.folder / "model.json").read_bytes() == before
