"""A whole round on the command line: check, train, look, predict, evaluate, go on, remove."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from napari_aitrain.jobs import JobFolder
from napari_aitrain.training.config_file import read_config

Cli = Callable[..., Any]
QUICK = ["--set", "batch_size=1", "--set", "patch_shape=[1,64,64]", "--set", "network=small",
         "--start-from", "scratch"]  # fmt: skip


def sources(data: Path) -> list[object]:
    return ["--image", data / "image.tif", "--labels", data / "labels.tif"]


def test_check_says_what_would_be_trained_on(cli: Cli, data: Path) -> None:
    ran = cli("check", *sources(data), "--no-estimate")
    assert ran.code == 0
    assert "train" in ran.out
    assert "validation" in ran.out
    found = cli("check", *sources(data), *QUICK, "--steps", 3, "--json").json
    assert found["ready"]
    assert sum(role["labelled"] for role in found["roles"].values()) <= 96 * 96
    assert found["roles"]["train"]["objects"] > 0
    assert found["validation"]
    assert found["estimate"]["disk_bytes"] > 96 * 96
    assert found["estimate"]["seconds_per_step"] > 0


def test_train_predict_evaluate_and_the_lists(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "aus gabe"
    ran = cli("train", *sources(data), *QUICK, "--steps", 3, "--out", out, "--name", "kerne ü", "--json")
    assert ran.code == 0, ran.err
    trained = ran.json
    assert {"model", "job", "steps", "seconds", "best", "device", "precision"} <= trained.keys()
    assert (trained["model"], trained["job"], trained["steps"]) == (str(out / "model"), str(out), 3)

    ran = cli("predict", out / "model", data / "image.tif", "--out", tmp_path / "p.tif", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["images"][0]["out"] == str(tmp_path / "p.tif")
    assert tifffile.imread(tmp_path / "p.tif").shape == (96, 96)
    assert cli("predict", out / "model", data / "image.tif", "--out", tmp_path / "p.tif").code == 2

    figures = cli("evaluate", tmp_path / "p.tif", data / "labels.tif", "--json").json
    wanted = "ap50 ap75 f1_50 pq dice iou arand voi_split voi_merge n_truth n_prediction"
    assert set(wanted.split()) <= figures.keys()
    command = ["evaluate", tmp_path / "p.tif", data / "labels.tif", "--report", tmp_path / "r.html"]
    assert "average precision" in cli(*command).out
    assert "<html" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert (cli(*command).code, (tmp_path / "r.csv").exists()) == (2, True)

    assert [job["state"] for job in cli("jobs", "list", "--json").json["jobs"]] == ["done"]
    assert "aus gabe" in cli("jobs", "list").out
    assert cli("jobs", "show", "gabe", "--json").json["config"]["name"] == "kerne ü"
    assert cli("jobs", "follow", "gabe", "--json").json["steps"] == 3
    again = cli("jobs", "resume", "gabe")
    assert (again.code, "ended as planned" in again.err) == (1, True)
    assert cli("train", *sources(data), "--out", out).code == 2

    listed = cli("models", "list", "--json").json["models"]
    assert [m["folder"] for m in listed if not m["starter"]] == [str(out / "model")]
    assert cli("models", "add", out, "--json").json["name"] == "kerne ü/v1"
    assert cli("models", "show", "kerne ü", "--json").json["steps"] == 3
    assert "kerne ü" in cli("models", "list").out
    assert cli("models", "delete", "kerne ü/v1", "--yes").code == 0
    assert cli("jobs", "remove", "gabe", "--yes").code == 0
    assert not out.exists()


def test_a_failed_run_says_so(cli: Cli, data: Path, tmp_path: Path) -> None:
    config = {"sources": [{"image": "image.tif", "labels": "labels.tif"}], "steps": 2, "network": "small"}
    quick = {"batch_size": 1, "patch_shape": [1, 64, 64]}
    (data / "job.yaml").write_text(yaml.safe_dump(config | quick), encoding="utf-8")
    job = JobFolder.create(read_config(data / "job.yaml"), tmp_path / "job")
    index = job.path / "crops" / "index.json"
    index.write_text("{", encoding="utf-8")
    ran = cli("train", job.path, "--json")
    assert ran.code in (1, 2)
    assert ran.json["log"] == str(job.log)
    assert ran.json["what"]
    assert "Traceback" not in ran.err
    assert cli("train", job.path, "--steps", 3).code == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to another process")
def test_interrupt_saves_the_model_and_resume_finishes(data: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "job"
    command = [
        sys.executable,
        "-m",
        "napari_aitrain",
        "train",
        *sources(data),
        *QUICK,
        "--minutes",
        60,
        "--out",
        out,
        "--json",
    ]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert any(line.startswith(b"Job: ") for line in process.stderr)
        for event in JobFolder(out).follow(alive=lambda: process.poll() is None):
            if event.kind == "progress":
                break
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    found = json.loads(told)
    assert (found["state"], found["model"]) == ("stopped", str(out / "model"))
    config = yaml.safe_load((out / "job.yaml").read_text(encoding="utf-8"))
    (out / "job.yaml").write_text(
        yaml.safe_dump(config | {"minutes": None, "steps": found["steps"] + 1}), encoding="utf-8"
    )
    ran = cli("jobs", "resume", out, "--json")
    assert (ran.code, ran.json["state"], ran.json["steps"]) == (0, "done", found["steps"] + 1)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from napari_aitrain.cli.main import run\n"
        "codes = [run(c.split()) for c in ('--help', 'train --help', '--version', 'jobs --help')]\n"
        "assert codes == [0, 0, 0, 0], codes\n"
        "heavy = [m for m in ('torch', 'zarr', 'scipy', 'skimage', 'napari') if m in sys.modules]\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_the_same_from_python(data: Path, tmp_path: Path, user_folder: Path) -> None:
    import napari_aitrain
    from napari_aitrain.errors import ConfigError

    image, labels = (tifffile.imread(data / f"{name}.tif") for name in ("image", "labels"))
    seen = []
    result = napari_aitrain.train(
        image=image,
        labels=labels,
        steps=2,
        network="small",
        batch_size=1,
        patch_shape=(1, 64, 64),
        on_event=lambda e: seen.append(e.kind),
    )
    assert result.steps == 2
    assert result.job.parent == user_folder / "jobs"
    assert result.load().card.steps == 2
    assert seen[-1] == "done"
    prediction = napari_aitrain.predict(result.model, image)
    assert prediction.labels.shape == (1, 96, 96)
    assert napari_aitrain.evaluate(labels, labels).metrics["ap50"] == 1
    written = napari_aitrain.predict(result.load(), data / "image.tif", tmp_path / "p.tif", threshold=0.1)
    assert written[0].out == tmp_path / "p.tif"
    with pytest.raises(ConfigError):
        napari_aitrain.train(image=image, minutes=1)
    with pytest.raises(ConfigError):
        napari_aitrain.evaluate(np.zeros((4, 4), int), data / "labels.tif")
