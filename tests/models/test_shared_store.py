"""Several processes use one store at once, as on a shared drive."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_aitrain.errors import ModelError
from napari_aitrain.home import home
from napari_aitrain.models import (
    ModelCard,
    delete_model,
    deleted,
    find_version,
    import_model,
    list_versions,
    load_model,
    store_lock,
    tag_model,
)
from napari_aitrain.models.store_lock import LOCK, changing

spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    # Without torch, which every process would have to import.
    folder = tmp_path / "made"
    folder.mkdir()
    save_file({"w": np.zeros(3, np.float32)}, folder / "weights.safetensors")
    checksum = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    card = ModelCard(name="n", task="instances", dims=2, network={}, weights_sha256=checksum)
    (folder / "model.json").write_text(card.model_dump_json())
    return folder


def work(made: str, who: int, told: object) -> None:
    """Add, tag and delete what others may delete as well."""
    errors = []
    for turn in range(4):
        number = import_model(Path(made), "n").folder.name
        tag_model(f"n/{number}", [f"{who}-{turn}"])
        try:
            delete_model("n/v1")
        except ModelError as error:
            errors.append(error.what)
    told.put(errors)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_three_processes_at_once_lose_nothing(made: Path) -> None:
    import_model(made, "n")
    told = spawn.Queue()
    people = [spawn.Process(target=work, args=(str(made), who, told)) for who in range(3)]
    for one in people:
        one.start()
    errors = [error for _ in people for error in told.get(timeout=120)]
    for one in people:
        one.join(30)
        assert one.exitcode == 0
    assert [version.number for version in list_versions()] == list(range(2, 14))
    assert sorted(tag for version in list_versions() for tag in version.state.tags) == sorted(
        f"{who}-{turn}" for who in range(3) for turn in range(4)
    )
    assert [entry.number for entry in deleted()] == [1], "one of them deleted it, once"
    assert len(errors) == 11 and all("was deleted on" in error for error in errors)
    for version in list_versions():
        load_model(version.folder)
    assert not list(home().rglob("*.part")) and not (home() / "models" / LOCK).exists()


@pytest.mark.slow
def test_who_is_killed_while_holding_the_store_does_not_block_it(made: Path) -> None:
    import_model(made, "n")
    child = spawn.Process(target=die_holding, args=(str(home() / "models"),))
    child.start()
    child.join(60)
    assert (home() / "models" / LOCK).exists()
    assert tag_model("n/v1", ["x"]).state.tags == ("x",)


def die_holding(store: str) -> None:
    """End without giving the lock back."""
    holding = changing(Path(store))
    holding.__enter__()
    os._exit(9)


def test_who_holds_it_for_long_is_named(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_model(made, "n")
    monkeypatch.setattr(store_lock, "PATIENCE", 0.1)
    lock = home() / "models" / LOCK
    lock.write_text(json.dumps({"pid": 77, "started": 1.0, "host": "the-other-lab", "acquired": 1.0, "part": ""}))
    with pytest.raises(ModelError, match="by process 77 on the-other-lab"):
        delete_model("n/v1")
    assert find_version("n/v1").folder.is_dir()
    lock.unlink()


def test_a_deletion_that_was_killed_halfway_deletes_nothing(made: Path) -> None:
    """The note in the trash comes first, then the version moves."""
    import_model(made, "n")
    delete_model("n/v1")
    (entry,) = deleted()
    import_model(made, "n")
    os.replace(entry.folder, home() / "models/n/v1")
    assert [version.number for version in list_versions()] == [1, 2] and not deleted()
