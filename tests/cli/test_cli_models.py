"""The store on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_aitrain.models import ModelCard, find_version, import_model, list_versions, save_model


@pytest.fixture(autouse=True)
def stored(tmp_path: Path) -> Path:
    card = ModelCard(name="n", task="instances", dims=2, network={}, metrics={"validation": {"score": 0.5}})
    save_model(tmp_path / "made", card, {"w": torch.zeros(3)})
    for _ in range(2):
        import_model(tmp_path / "made")
    return tmp_path / "made"


def test_versions_are_listed_with_what_is_said_of_them(cli) -> None:
    assert cli("models", "tag", "n/v1", "paper", "old").out.strip() == "n/v1: paper, old"
    assert cli("models", "tag", "n/v1", "--remove", "old", "--json").json["versions"][0]["tags"] == ["paper"]
    assert cli("models", "activate", "n/v1").code == 0
    assert cli("models", "comment", "n/v1", "for figure 2").code == 0
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
