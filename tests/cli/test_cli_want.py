"""What to train on, on the command line: filters, rules, and scripts that are asked about."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box, write_boxes
from napari_aitrain.annotation.policy import Policy, user_policy, write_policy
from napari_aitrain.cli.main import run

TASK = """
from napari_aitrain.tasks.instances import InstancesTask

class MyTask(InstancesTask):
    name = "mine"
    title = "Mine"
    description = "Mine."

TASK = MyTask
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
    image = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
    tifffile.imwrite("a.tif", image)
    tifffile.imwrite("a-labels.tif", labels.astype(np.uint8))
    boxes = [
        Box(start=(0, 0, 0), stop=(1, 96, 48), name="left", tags=("old",)),
        Box(start=(0, 0, 48), stop=(1, 96, 96), name="right", status="reviewed"),
    ]
    write_boxes(Path("boxes.json"), boxes)
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict]:
    capsys.readouterr()
    code = run(["check", "-i", "a.tif", "-l", "a-labels.tif", "-b", "boxes.json", "--no-estimate", "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def codes(found: dict, level: str) -> set[str]:
    return {one["code"] for one in found[level]}


def test_check_obeys_the_filters_and_the_policy(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = check(capsys)
    assert code == 0 and "few-annotations" in codes(found, "warnings")
    code, found = check(capsys, "--set", "tags=[old]")
    assert found["roles"]["train"]["boxes"] + found["roles"]["validation"]["boxes"] == 2, "one box, cut in two"
    code, found = check(capsys, "--set", "changed_since=2026-01-01")
    assert code == 2 and codes(found, "errors") == {"no-boxes"}

    write_policy(user_policy(), Policy(levels={"few-annotations": "error"}))
    code, found = check(capsys)
    assert code == 2 and "few-annotations" in codes(found, "errors")
    code, found = check(capsys, "--set", "policy.enough_annotations=3")
    assert code == 0 and "few-annotations" not in codes(found, "warnings")
    code, found = check(capsys, "--set", "policy.levels={few-annotations: off}", "--set", "policy.enough_per_class=40")
    assert code == 0 and codes(found, "warnings") >= {"few-of-class"}
    assert run(["check", "-i", "a.tif", "-l", "a-labels.tif", "--set", "policy.levels={no-labels: off}"]) == 2
    assert "nothing can be learned" in capsys.readouterr().err


def test_what_is_to_be_predicted_is_looked_at_before(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = check(capsys, "--set", "then_predict=nowhere.tif")
    assert code == 2 and "nowhere.tif" in found["errors"][0]["message"]
    Path("out.tif").write_bytes(b"kept")
    code, found = check(capsys, "--set", "then_predict=a.tif", "--set", "then_out=out.tif")
    assert code == 2 and "out.tif exists already" in found["errors"][0]["message"]
    assert check(capsys, "--set", "then_predict=a.tif", "--set", "then_out=new.tif")[0] == 0


def test_a_job_is_moved_forward(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "move", "cells", "-1"]) == 1
    told = capsys.readouterr().err
    assert "no job is named 'cells'" in told and "No such option" not in told


def test_scripts_are_shown_confirmed_and_forgotten(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(TASK, encoding="utf-8")
    code, found = check_error(capsys, ["check", "-i", "a.tif", "-l", "a-labels.tif", "--task", "mine.py", "--json"])
    assert code == 2 and found["error"] == "ScriptNotTrustedError" and "scripts trust" in found["remedy"]
    assert run(["scripts", "show", "mine.py"]) == 0
    assert "class MyTask" in capsys.readouterr().out
    assert run(["scripts", "trust", "mine.py", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["title"] == "Mine" and told["task"].startswith("script:mine@")
    code, found = check(capsys, "--task", "mine.py")
    assert code == 0 and found["ready"]
    assert run(["scripts", "list", "--json"]) == 0
    assert [one["script"] for one in json.loads(capsys.readouterr().out)["scripts"]] == ["mine"]
    assert run(["scripts", "forget", "mine.py"]) == 0
    assert run(["scripts", "forget", "mine.py"]) == 2


def check_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, dict]:
    capsys.readouterr()
    code = run(arguments)
    return code, json.loads(capsys.readouterr().out)
