"""The program in this process, with a user's folder of the test's own and files to learn from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.cli.main import run

QUICK = ["--steps", "3", "--set", "batch_size=1", "--set", "patch_shape=[1,64,64]", "--set", "network=small",
         "--start-from", "scratch"]  # fmt: skip


@dataclass
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; anything else there is an error."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "home"


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    def ran(*arguments: object) -> Ran:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Ran(code, *capfd.readouterr())

    return ran


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with ``image.tif`` and ``labels.tif``; a space and an umlaut are in its path."""
    folder = tmp_path / "meine dätä"
    folder.mkdir()
    labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
    image = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8).clip(0, 255)
    tifffile.imwrite(folder / "image.tif", image.astype(np.uint8))
    tifffile.imwrite(folder / "labels.tif", labels.astype(np.uint8))
    return folder
