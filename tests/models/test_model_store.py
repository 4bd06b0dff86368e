"""The model store: versions, names, what is said of them, the trash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_aitrain.errors import AitrainError, ModelError, OutputExistsError
from napari_aitrain.home import home
from napari_aitrain.models import (
    ModelCard,
    Version,
    activate_model,
    archive_model,
    comment_model,
    delete_model,
    deleted,
    empty_trash,
    find_model,
    find_version,
    import_model,
    list_versions,
    rename_model,
    restore_deleted,
    save_model,
    tag_model,
)
from napari_aitrain.models.state import STATE
from napari_aitrain.models.versions import reference_of


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    card = ModelCard(name="cells/β", task="instances", dims=2, network={})
    save_model(tmp_path / "made", card, {"w": torch.zeros(3)})
    return tmp_path / "made"


@pytest.fixture
def three(made: Path) -> Path:
    for _ in range(3):
        import_model(made, "n")
    return made


def numbers(name: str = "n") -> list[int]:
    return [version.number for version in list_versions() if version.name == name]


def test_versions_count_up_and_the_newest_is_found(made: Path) -> None:
    assert not list_versions()
    first, second = import_model(made), import_model(made)
    assert (first.folder, second.folder) == (home() / "models/cells_β/v1", home() / "models/cells_β/v2")
    assert find_model("cells_β").folder == second.folder
    assert find_model("cells_β/v1").folder == first.folder
    assert find_model(str(made)).folder == made
    assert [version.folder for version in list_versions()] == [first.folder, second.folder]


def test_ten_comes_after_nine(made: Path) -> None:
    for _ in range(10):
        newest = import_model(made, "n")
    assert find_model("n").folder == newest.folder == home() / "models/n/v10"


def test_a_store_can_be_elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_MODELS", str(tmp_path / "shared drive"))
    assert import_model(made, "n").folder == tmp_path / "shared drive/n/v1"


def test_a_damaged_model_is_told_and_can_be_deleted(made: Path) -> None:
    (import_model(made).folder / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="damaged"):
        find_model("cells_β")
    delete_model("cells_β/v1")
    assert not list_versions()


def test_only_what_the_store_has_is_deleted(three: Path) -> None:
    for reference in ("nothing", str(three), "..", "../made", "n/../../../made", "", "n/v9", "n/", ".trash", "n/v01"):
        with pytest.raises(ModelError):
            delete_model(reference)
    delete_model("n/v3")
    assert find_model("n").folder.name == "v2"
    delete_model("n")
    assert not (home() / "models/n").exists() and three.is_dir() and len(deleted()) == 3


def test_deleting_is_undone_with_all_that_was_said(three: Path) -> None:
    tag_model("n/v2", ["good"])
    activate_model("n/v2")
    (gone,) = delete_model("n/v2")
    assert find_version("n").number == 3
    with pytest.raises(ModelError, match=r"was deleted on .* by .*") as told:
        find_model("n/v2")
    assert told.value.remedy.endswith("models restore n/v2")
    back = restore_deleted(gone)
    assert (back.number, back.state.tags, back.active) == (2, ("good",), True)
    assert find_model("n").folder.name == "v2" and not deleted()
    with pytest.raises(ModelError, match="not in the trash"):
        restore_deleted(gone)


def test_numbers_are_not_used_twice(three: Path) -> None:
    gone = delete_model("n/v3")[0]
    assert import_model(three, "n").folder.name == "v4"
    restore_deleted(gone)
    assert numbers() == [1, 2, 3, 4]
    everything = delete_model("n")
    assert import_model(three, "n").folder.name == "v5"
    assert [restore_deleted(entry).number for entry in everything] == [1, 2, 3, 4]


def test_what_comes_back_to_a_taken_number_gets_the_next(three: Path) -> None:
    gone = delete_model("n/v3")[0]
    (home() / "models/n/v2").rename(home() / "models/n/v3")
    assert restore_deleted(gone).number == 4
    assert numbers() == [1, 3, 4]


def test_the_trash_is_emptied_after_thirty_days_or_when_asked(three: Path) -> None:
    old, new = delete_model("n/v1")[0], delete_model("n/v2")[0]
    path = old.folder.parent / "deleted.json"
    path.write_text(path.read_text().replace(f'"{old.when:%Y}-', '"2001-', 1))
    assert empty_trash(30) == 1
    assert [entry.key for entry in deleted()] == [new.key]
    assert empty_trash() == 1 and not deleted()


def test_a_name_means_the_active_version_else_the_newest_in_use(three: Path) -> None:
    assert find_version("n").number == 3
    activate_model("n/v1")
    assert find_model("n").folder.name == "v1"
    import_model(three, "n")
    assert find_version("n").number == 1, "a new version does not take the place of what was chosen"
    archive_model("n/v1")
    archive_model("n/v4")
    assert find_version("n").number == 3
    assert find_model("n/v1").folder.name == "v1", "an archived one is found by its number"
    archive_model("n")
    with pytest.raises(ModelError, match="every version of n is archived"):
        find_model("n")
    assert activate_model("n/v2").active and not find_version("n/v2").state.archived


def test_tags_and_comments_are_said_beside_the_card(three: Path) -> None:
    card = (home() / "models/n/v1/model.json").read_bytes()
    tag_model("n/v1", ["paper", "  two  words ", "paper"])
    assert tag_model("n/v1", ["x"], ["paper"]).state.tags == ("two words", "x")
    assert comment_model("n/v1", "The one for figure 2\n").state.comments == "The one for figure 2"
    assert comment_model("n/v1", "  ").state.comments is None
    assert (home() / "models/n/v1/model.json").read_bytes() == card
    for bad in ("", "  ", "a,b", "x" * 61):
        with pytest.raises(ModelError):
            tag_model("n/v1", [bad])
    with pytest.raises(ModelError):
        comment_model("n/v1", "x" * 10_001)


def test_a_renamed_model_is_still_found_by_its_old_name(three: Path) -> None:
    tag_model("n/v2", ["kept"])
    assert [v.reference for v in rename_model("n", "m: 1")] == ["m_ 1/v1", "m_ 1/v2", "m_ 1/v3"]
    assert find_model("n/v2").folder == home() / "models/m_ 1/v2"
    assert find_version("n/v2").state.tags == ("kept",)
    assert import_model(three, "n").folder == home() / "models/m_ 1/v4"
    rename_model("n", "n")
    assert numbers("n") == [1, 2, 3, 4] and find_version("m_ 1").name == "n"


def test_a_name_that_is_taken_is_refused_and_single_versions_move(three: Path) -> None:
    import_model(three, "other")
    with pytest.raises(OutputExistsError):
        rename_model("n", "other")
    tag_model("n/v2", ["moved"])
    (moved,) = rename_model("n/v2", "other")
    assert (moved.reference, moved.state.tags) == ("other/v2", ("moved",))
    assert numbers() == [1, 3]
    rename_model("n/v1", "brand new")
    assert find_version("brand new").number == 1
    with pytest.raises(ModelError):
        rename_model("nothing", "x")


def test_a_name_that_is_given_anew_is_not_that_of_a_renamed_model(three: Path) -> None:
    rename_model("n", "m")
    import_model(three, "other")
    rename_model("other", "n")
    assert find_version("n").folder.parent.name == "n" and find_version("m").folder.parent.name == "m"


def test_a_damaged_or_newer_state_is_told_and_never_replaced(three: Path) -> None:
    path = home() / "models/n" / STATE
    for text, what in (
        ("{", "cannot be read"),
        ('{"format_version": 2}', "newer version"),
        ('{"versions": 3}', "read"),
    ):
        path.write_text(text)
        with pytest.raises(ModelError, match=what):
            find_model("n")
        with pytest.raises(ModelError, match=what):
            tag_model("n/v1", ["x"])
        assert numbers() == [1, 2, 3] and path.read_text() == text


def test_what_a_later_version_keeps_is_kept(three: Path) -> None:
    path = home() / "models/n" / STATE
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "green"}))
    tag_model("n/v1", ["x"])
    assert json.loads(path.read_text())["colour"] == "green"


def test_a_failed_import_leaves_nothing(three: Path, tmp_path: Path) -> None:
    before = sorted(home().rglob("*"))
    (three / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(AitrainError):
        import_model(three, "n")
    assert sorted(home().rglob("*")) == before


def test_a_version_is_a_value(three: Path) -> None:
    assert all(isinstance(version, Version) for version in list_versions())
    assert find_version("n") == find_version("n/v3")


def test_a_half_copied_version_is_not_what_a_name_means(three: Path) -> None:
    folder = home() / "models/n/v7"
    folder.mkdir()
    assert find_model("n").folder.name == "v3" and numbers() == [1, 2, 3, 7]
    (folder / "model.json").write_bytes((home() / "models/n/v1/model.json").read_bytes())
    assert find_model("n").folder.name == "v3"
    (folder / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="damaged"):
        find_model("n")
    assert import_model(three, "n").folder.name == "v8"


def test_a_path_to_a_version_that_was_deleted_says_so(three: Path) -> None:
    delete_model("n/v1")
    with pytest.raises(ModelError, match="n/v1 was deleted"):
        find_model(home() / "models/n/v1")
    assert reference_of(home() / "models/n/v2") == "n/v2"
    assert reference_of(three) is None and reference_of(home() / "models/n") is None
