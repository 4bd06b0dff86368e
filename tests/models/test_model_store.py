"""The model store in the user's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_aitrain.errors import ModelError
from napari_aitrain.home import home
from napari_aitrain.models import Model, ModelCard, find_model, import_model, list_models, remove_model, save_model


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    card = ModelCard(name="cells/β", task="instances", dims=2, network={})
    save_model(tmp_path / "made", card, {"w": torch.zeros(3)})
    return tmp_path / "made"


def test_versions_count_up_and_the_newest_is_found(made: Path) -> None:
    assert not list(list_models())
    first, second = import_model(made), import_model(made)
    assert (first.folder, second.folder) == (home() / "models/cells_β/v1", home() / "models/cells_β/v2")
    assert find_model("cells_β").folder == second.folder
    assert find_model("cells_β/v1").folder == first.folder
    assert find_model(str(made)).folder == made
    assert [m.folder for m in list_models() if isinstance(m, Model)] == [first.folder, second.folder]


def test_ten_comes_after_nine(made: Path) -> None:
    for _ in range(10):
        newest = import_model(made, "n")
    assert find_model("n").folder == newest.folder == home() / "models/n/v10"


def test_a_damaged_model_is_listed_as_such(made: Path) -> None:
    (import_model(made).folder / "weights.safetensors").unlink()
    (error,) = list_models()
    assert isinstance(error, ModelError)


def test_remove_only_what_the_store_has(made: Path) -> None:
    import_model(made)
    import_model(made)
    for reference in ("nothing", str(made), "..", "../made", "cells_β/../../../made", ""):
        with pytest.raises(ModelError):
            remove_model(reference)
    remove_model("cells_β/v1")
    assert find_model("cells_β").folder.name == "v2"
    remove_model("cells_β/v2")
    assert not (home() / "models/cells_β").exists()
    assert made.is_dir()
