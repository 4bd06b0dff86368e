"""The commands of the page on large volumes, "Predict block by block", as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_aitrain.cli.main import run
from napari_aitrain.models import Model

PAGE = Path(__file__).parents[2] / "docs" / "large-volumes.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Predict block by block") :].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def there(make_model: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``my-model`` and ``volume.ome.zarr``."""
    folder = tmp_path / "here"
    shutil.copytree(make_model("instances", 2, seed=2).folder, folder / "my-model")
    values = np.random.default_rng(0).gamma(2, 50, (8, 130, 140)).astype(np.uint16)
    group = zarr.create_group(folder / "volume.ome.zarr")
    group.create_array("0", data=values, chunks=(4, 64, 64), dimension_names=("z", "y", "x"))
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    scale = {"type": "scale", "scale": [40.0, 10.0, 10.0]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def outputs(folder: Path) -> list[Path]:
    return sorted(folder.glob("found.ome.zarr*"))


@pytest.mark.slow
def test_commands_and_script(there: Path) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("napari-aitrain predict")]
    (script,) = blocks("python")
    assert len(lines) == 2 and any("--scheduler local --workers 2" in line for line in lines)
    for line in lines:
        assert run(shlex.split(line)[1:]) == 0, line
        assert bool(outputs(there)) == ("--estimate" not in line)
        for path in outputs(there):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (there / "script.py").write_text(script, encoding="utf-8")
    ended = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (there / "found.ome.zarr" / "0").is_dir()
