"""A tiny starter model in the place of those that ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_starter import make_starter

from napari_aitrain.autosegment import starter
from napari_aitrain.models import starters


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model of slices and one of volumes; return the folder that holds both."""
    folder = tmp_path_factory.mktemp("starters")
    for dims in (2, 3):
        make_starter(folder / f"nuclei-{dims}d", dims)
    return folder


@pytest.fixture
def starter_models(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have these be the starter models."""
    monkeypatch.setattr(starters, "FOLDER", trained)
    starter.load_starter.cache_clear()
    return trained
