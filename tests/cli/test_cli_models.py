"""The store on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from zoo_models import own_model, their_package

from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_results import (
    EVALUATION,
    BoxResult,
    EvaluatedModel,
    ModelEvaluation,
    write_evaluation,
)
from napari_aitrain.jobs import JobFolder, registry
from napari_aitrain.models import ModelCard, find_version, import_model, list_versions, load_model, save_model
from napari_aitrain.tasks.protocol import Objects


@pytest.fixture(autouse=True)
def stored(tmp_path: Path) -> Path:
    card = ModelCard(name="n", task="instances", dims=2, network={}, metrics={"validation": {"score": 0.5}})
    save_model(tmp_path / "made", card, {"w": torch.zeros(3)})
    for _ in range(2):
        import_model(tmp_path / "made")
    return tmp_path / "made"


def evaluation(version: int) -> ModelEvaluation:
    """Return one in which the first version found half of four objects, and the second three."""
    truth = np.kron([[[1, 0, 2], [0, 0, 0], [3, 0, 4]]], np.ones((1, 6, 6), int)).astype(np.int32)
    found = Objects(np.where(truth <= version + 1, truth, 0), np.ones(5, np.float32), np.zeros((0, 0), np.float32))
    boxes = [
        BoxResult(number=n, role="test", name=f"box {n}", source="i.tif", labels="l.tif", start=(0, 0, 20 * n),
                  stop=(1, 18, 20 * n + 18), magnification=(1, 1, 1), voxels=324, **judge_box(found, truth, 0.0).sums)
        for n in range(2)
    ]  # fmt: skip
    about = EvaluatedModel(
        name="m", version=version, folder="/m", task="instances", instances=True, dims=2, threshold=0.0
    )
    return ModelEvaluation(model=about, boxes=tuple(boxes))


def test_versions_are_listed_with_what_is_said_of_them(cli) -> None:
    assert cli("models", "tag", "n/v1", "paper", "old").out.strip() == "n/v1: paper, old"
    assert cli("models", "tag", "n/v1", "--remove", "old", "--json").json["versions"][0]["tags"] == ["paper"]
    assert cli("models", "activate", "n/v1").code == 0
    assert cli("models", "comment", "n/v1", "for figure 2").code == 0
    shown = cli("models", "show", "n", "--json").json
    assert (shown["reference"], shown["tags"], shown["comments"]) == ("n/v1", ["paper"], "for figure 2")
    rows = [row for row in cli("models", "list", "--json").json["models"] if not row["starter"]]
    assert [(r["reference"], r["active"], r["tags"], r["score"]) for r in rows] == [
        ("n/v1", True, ["paper"], 0.5),
        ("n/v2", False, [], 0.5),
    ]
    assert "n/v1 *" in cli("models", "list").out


def test_archived_ones_are_shown_when_asked_for_and_come_back(cli) -> None:
    assert cli("models", "archive", "n/v2").out.strip() == "Archived n/v2"
    shown = [row["reference"] for row in cli("models", "list", "--json").json["models"]]
    assert "n/v2" not in shown and "n/v1" in shown
    assert "(archived)" in cli("models", "list", "--archived").out
    assert cli("models", "restore", "n/v2").out.strip() == "Back: n/v2"
    assert find_version("n").number == 2


def test_deleting_says_how_to_undo_it(cli) -> None:
    ran = cli("models", "delete", "n", "--yes")
    assert ran.code == 0 and "models restore n" in ran.out and not list_versions()
    again = cli("models", "delete", "n/v2", "--yes")
    assert again.code == 2 and "was deleted" in again.err and "models restore n/v2" in again.err
    assert "n/v2  deleted" in cli("models", "trash").out
    assert cli("models", "restore", "n").code == 0
    assert [version.number for version in list_versions()] == [1, 2]
    cli("models", "delete", "n/v1", "-y")
    assert cli("models", "trash", "--empty", "--yes").out.strip() == "1 version deleted for good."
    gone = cli("models", "restore", "n/v1")
    assert gone.code == 2 and "has no 'n/v1'" in gone.err


def test_a_model_is_renamed(cli) -> None:
    assert cli("models", "rename", "n", "nuclei").out.strip() == "Now nuclei/v1, nuclei/v2"
    assert cli("models", "show", "n/v2", "--json").json["folder"].endswith("nuclei/v2")
    assert cli("models", "rename", "nothing", "x").code == 2


def test_a_model_goes_to_a_colleague_as_one_file(cli, tmp_path: Path) -> None:
    cli("models", "tag", "n/v1", "paper")
    ran = cli("models", "export", "n/v1", tmp_path, "--json")
    assert ran.json["file"] == str(tmp_path / "n-v1.aitrain.zip") and ran.json["format"] == "aitrain"
    assert cli("models", "import", tmp_path / "n-v1.aitrain.zip", "--name", "theirs").code == 0
    assert find_version("theirs").state.tags == ("paper",)
    assert cli("models", "export", "n/v1", tmp_path, "--json").code == 2, "nothing is replaced"


def test_a_model_goes_to_the_zoo_and_comes_back(cli, tmp_path: Path) -> None:
    own_model(tmp_path / "model", name="nuclei")
    tifffile.imwrite(tmp_path / "image.tif", np.random.default_rng(0).integers(0, 99, (70, 80), np.uint8))
    ran = cli("models", "export", tmp_path / "model", tmp_path / "nuclei.zip", "--author", "Ada", "--no-onnx",
              "--licence", "MIT", "--sample", tmp_path / "image.tif")  # fmt: skip
    assert ran.code == 0 and "licence MIT" in ran.out, ran.err
    assert "nuclei/v1" in cli("models", "import", tmp_path / "nuclei.zip").out
    assert cli("models", "export", tmp_path / "model", tmp_path / "x.weights").code == 2


def test_a_model_of_others_is_told_what_its_maps_are(cli, tmp_path: Path) -> None:
    package = their_package(tmp_path / "theirs", kinds=("torchscript",), outputs=("a", "b"))
    ran = cli("models", "import", package, "--task", "instances", "--foreground", "1", "--border", "0", "--name", "zoo")
    assert ran.code == 0 and "same here" in ran.out, ran.err
    assert cli("models", "show", "zoo", "--json").json["network"]["maps"] == [1, 1, 0]
    code = their_package(tmp_path / "code", kinds=("pytorch_state_dict",))
    assert "ONNX or TorchScript" in cli("models", "import", code).err


def test_versions_are_compared_by_their_evaluations(cli, tmp_path: Path, user_folder: Path) -> None:
    for number in (1, 2):
        own_model(tmp_path / f"m{number}", name="m", threshold=number / 10)
        import_model(tmp_path / f"m{number}")
    refused = cli("models", "compare", "m/v1", "m/v2")
    assert refused.code == 2 and "was not evaluated" in refused.err and "napari-aitrain evaluate m/v1" in refused.err
    for number in (1, 2):
        write_evaluation(tmp_path / f"e{number}.json", evaluation(number))
    paths = [tmp_path / "e1.json", tmp_path / "e2.json"]
    ran = cli("models", "compare", *paths, "--csv", tmp_path / "t.csv", "--json")
    assert ran.json["models"][1]["differences"]["recall"]["value"] == 0.25
    assert (tmp_path / "t.csv").read_text().startswith("role,box,figure,")
    said = cli("models", "compare", *paths, "--role", "test").out
    assert "+0.250" in said and "Choose a model by validation" in said
    job = JobFolder(tmp_path / "job")
    job.path.mkdir()
    registry.add(job.path)
    found = evaluation(2)
    known = found.model.model_copy(
        update={"weights_sha256": load_model(find_version("m/v2").folder).card.weights_sha256}
    )
    write_evaluation(job.path / EVALUATION, found.model_copy(update={"model": known}))
    assert cli("models", "compare", "m/v2", paths[0]).code == 0
