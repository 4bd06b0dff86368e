"""A keyring and a model store of the test's own; a small real model behind a URL; images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import keyring
import pytest
import tifffile
import torch
from memory_keyring import MemoryKeyring
from remote_parts import blobs, config, serving

from napari_aitrain.inference.remote import add_remote
from napari_aitrain.models import Model, find_model
from napari_aitrain.serving.engine import Engine
from napari_aitrain.serving.settings import ServeSettings

torch.set_num_threads(1)
STARTER = "nuclei-2d"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MemoryKeyring]:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    before, mine = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(find_model(STARTER), "cpu")


@pytest.fixture
def serve(engine: Engine) -> Iterator[Callable[..., str]]:
    with ExitStack() as stack:

        def begin(settings: ServeSettings | None = None) -> str:
            return stack.enter_context(serving(engine, settings))

        yield begin


@pytest.fixture
def remote() -> Callable[..., Model]:
    """Return a function that adds a remote model by its settings."""

    def add(name: str, url: str, headers: dict[str, str] | None = None, **settings: object) -> Model:
        return add_remote(name, config(url, **settings), headers)

    return add


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "blobs.tif"
    tifffile.imwrite(path, blobs())
    return path
