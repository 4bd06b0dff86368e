"""The scripts for SLURM run as they are, with stand-ins for its commands that do the same on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
import zarr

from napari_aitrain.cli.main import run as run_command
from napari_aitrain.jobs import JobFolder
from napari_aitrain.models import load_model
from napari_aitrain.training.config import TrainConfig

pytest.importorskip("dask_jobqueue")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for bash")
SLURM = Path(__file__).parents[2] / "docs" / "slurm"
STANDINS = {
    "sbatch": 'set -m\nbash "$1" > "$SLURM_STANDIN/$$.out" 2>&1 &\necho $! >> "$SLURM_STANDIN/jobs"\n'
    'cp "$1" "$SLURM_STANDIN/script"\necho "Submitted batch job $!"',
    "scancel": 'for job in "$@"; do kill -- "-$job" 2>/dev/null; done\nexit 0',
    "scontrol": "echo localhost",
    # A machine each, which are this one.
    "srun": '"$@" & "$@" & wait %1 && wait %2',
}


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put commands of SLURM first in the path; end what they started and nobody cancelled."""
    place = tmp_path / "standins"
    place.mkdir()
    for name, script in STANDINS.items():
        (place / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("SLURM_STANDIN", str(place))
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield place
    for line in (place / "jobs").read_text().split() if (place / "jobs").exists() else []:
        if psutil.pid_exists(int(line)):
            os.killpg(int(line), signal.SIGKILL)


@pytest.fixture
def trained(make_config: Callable[..., TrainConfig], run, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a model, an image, and what one process predicts of it."""
    folder = run("trained")(make_config(steps=30)).folder
    source = tifffile.imread(tmp_path / "image 0.tif")
    tifffile.imwrite(tmp_path / "image.tif", np.tile(source, (3, 3)))
    # In a folder of its own: a prediction that lies beside would be used instead of the workers.
    out = tmp_path / "alone" / "found.ome.zarr"
    assert run_command(["predict", str(folder / "model"), str(tmp_path / "image.tif"), "--out", str(out)]) == 0
    return folder / "model", tmp_path / "image.tif", out


def labels(path: Path) -> np.ndarray:
    return np.asarray(zarr.open_group(path, mode="r")["0"])


@pytest.mark.slow
def test_a_prediction_by_two_workers_of_this_machine(standins: Path, trained, tmp_path: Path) -> None:
    model, image, alone = trained
    out = tmp_path / "two.ome.zarr"
    command = ["napari-aitrain", "predict", str(model), str(image), "--out", str(out)]
    script = [sys.executable, str(SLURM / "cluster.py"), "--local", "2", "--"]
    ran = subprocess.run([*script, *command], timeout=150, capture_output=True, text=True)
    assert ran.returncode == 0
    assert "not run" not in ran.stdout
    np.testing.assert_array_equal(labels(out), labels(alone))


@pytest.mark.slow
def test_predict_sh_by_workers_that_slurm_starts(standins: Path, trained, tmp_path: Path) -> None:
    model, image, alone = trained
    out = tmp_path / "slurm.ome.zarr"
    shutil.copy(SLURM / "predict.sh", tmp_path / "copy of slurm.sh")
    command = ["bash", str(tmp_path / "copy of slurm.sh"), str(model), str(image), str(out)]
    told = {**os.environ, "SLURM_SUBMIT_DIR": str(SLURM)}
    ran = subprocess.run(command, cwd=tmp_path, env=told, timeout=300, capture_output=True, text=True)
    assert ran.returncode == 0
    assert "not run" not in ran.stdout
    np.testing.assert_array_equal(labels(out), labels(alone))
    script = (standins / "script").read_text()
    for line in ("#SBATCH -p gpu", "#SBATCH --gres=gpu:1", "#SBATCH --cpus-per-task=8", "#SBATCH -t 02:00:00"):
        assert line in script
    assert "export OMP_NUM_THREADS=8" in script


@pytest.mark.slow
def test_train_sh_on_two_machines_stops_before_its_time_is_over(standins: Path, make_config, tmp_path: Path) -> None:
    job = JobFolder.create(make_config(steps=1_000_000), tmp_path / "job")
    told = {"SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "a,b", "SLURM_JOB_ID": "7", "PROCESSES": "1", "PORT": "29617"}
    script = subprocess.Popen(["bash", str(SLURM / "train.sh"), str(job.path)], env={**os.environ, **told})
    while not any(event.kind == "progress" for event in job.events()):
        assert script.poll() is None
        time.sleep(0.2)
    script.send_signal(signal.SIGUSR1)
    assert script.wait(timeout=120) == 0
    assert job.state() == "stopped"
    assert load_model(job.path).card.steps > 0
    assert any("shared by 2 processes" in str(event.data) for event in job.events())


def test_the_exit_code_is_that_of_the_command() -> None:
    spec = importlib.util.spec_from_file_location("cluster", SLURM / "cluster.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--local", "1", "--", sys.executable, "-c", "import sys; sys.exit(len(sys.argv))"]) == 3
