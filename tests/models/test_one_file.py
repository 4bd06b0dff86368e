"""A model as one file: it comes back whole, and what is unsafe, damaged or newer is refused with nothing written."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ModelError, OutputExistsError, StorageError
from napari_aitrain.home import home
from napari_aitrain.models import (
    Model,
    ModelCard,
    comment_model,
    export_file,
    find_model,
    find_version,
    import_file,
    import_model,
    list_versions,
    save_model,
    tag_model,
    take_in,
)
from napari_aitrain.models.safe_zip import open_zip

Files = dict[str, bytes]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    card = ModelCard(name="zellen/β", task="instances", dims=2, network={})
    return import_model(save_model(tmp_path / "made", card, {"w": torch.arange(300.0)}).folder)


@pytest.fixture
def file(stored: Model, tmp_path: Path) -> Path:
    return export_file(stored, tmp_path / "m.aitrain.zip", find_version("zellen_β"))


def contents(file: Path) -> Files:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, files: Files, extra: Callable[[zipfile.ZipFile], None] = lambda archive: None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        extra(archive)
    return path


def is_unchanged(tmp_path: Path) -> bool:
    left = [path for path in (tmp_path / "home").rglob("*") if path.name.endswith(".part")]
    return [v.reference for v in list_versions()] == ["zellen_β/v1"] and not left and not (tmp_path / "evil").exists()


def test_a_model_comes_back_with_what_was_said_of_it(stored: Model, tmp_path: Path) -> None:
    tag_model("zellen_β", ["paper"])
    comment_model("zellen_β", "Figure 2")
    (stored.folder / "seen_test.json").write_text("{}")
    file = export_file(stored, tmp_path, find_version("zellen_β"))
    assert file == tmp_path / "zellen_β-v1.aitrain.zip"
    back = take_in(file)
    assert back.folder == home() / "models/zellen_β/v2" and (back.folder / "seen_test.json").is_file()
    version = find_version("zellen_β/v2")
    assert (version.state.tags, version.state.comments) == (("paper",), "Figure 2")
    assert torch.equal(find_model("zellen_β/v2").state_dict()["w"], torch.arange(300.0))
    assert import_file(file, "other").folder == home() / "models/other/v1"
    with pytest.raises(OutputExistsError):
        export_file(stored, tmp_path, find_version("zellen_β/v1"))


def test_a_damaged_model_is_not_exported(stored: Model, tmp_path: Path) -> None:
    (stored.folder / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="damaged"):
        export_file(stored, tmp_path / "m.aitrain.zip")
    assert not (tmp_path / "m.aitrain.zip").exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "model/../../evil", "/evil", "C:/evil", "..\\evil", "model/evil.", "model/con", "model//evil", "a\x07b",
     "model/" + "e" * 300],
)  # fmt: skip
def test_names_that_lead_elsewhere(name: str, file: Path, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.aitrain.zip", contents(file) | {name: b"evil"})
    with pytest.raises(ModelError, match="names a file"):
        import_file(bad)
    assert is_unchanged(tmp_path)


def test_links_devices_and_locked_files(file: Path, tmp_path: Path) -> None:
    for kind, what in ((stat.S_IFLNK, "link"), (stat.S_IFCHR, "link"), (stat.S_IFIFO, "link")):
        entry = zipfile.ZipInfo("model/evil")
        entry.external_attr = (kind | 0o777) << 16
        bad = written(tmp_path / "bad.zip", contents(file), lambda archive, e=entry: archive.writestr(e, "/etc/passwd"))
        with pytest.raises(ModelError, match=what):
            import_file(bad)
    locked = bytearray(written(tmp_path / "l.zip", {"aitrain.json": b"{}"}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + offset] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(ModelError, match="encrypted"):
        import_file(tmp_path / "locked.zip")
    assert is_unchanged(tmp_path)


def test_bombs(file: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/weights.safetensors", b"\0" * 40_000_000)
    with pytest.raises(ModelError, match="would grow"):
        import_file(bomb)
    many = written(tmp_path / "many.zip", {f"f{n}": b"" for n in range(400)})
    with pytest.raises(ModelError, match="400 files"):
        import_file(many)
    assert is_unchanged(tmp_path)


def test_a_file_that_is_larger_than_it_says(file: Path, tmp_path: Path) -> None:
    """A lie in the list of files must not write more than it says."""
    path = written(tmp_path / "lie.zip", {"x": b"a" * 1000})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with open_zip(path) as archive, pytest.raises(ModelError):
        archive.unpack(tmp_path / "out")
    assert all(found.stat().st_size <= 1000 for found in (tmp_path / "out").iterdir())


def test_no_room(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(StorageError, match="are free"):
        import_file(file)
    monkeypatch.undo()
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    assert is_unchanged(tmp_path)


def test_the_same_name_twice(file: Path, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.zip", contents(file) | {"model/MODEL.json": b"{}"})
    with pytest.raises(ModelError, match="twice"):
        import_file(bad)


def test_what_is_damaged_or_missing_is_told(file: Path, tmp_path: Path) -> None:
    whole, files = file.read_bytes(), contents(file)
    manifest = json.loads(files["aitrain.json"])
    cases: dict[str, Path] = {
        "cut short": tmp_path / "short.zip",
        "web page": tmp_path / "page.zip",
        "no zip file": tmp_path / "text.zip",
        "is missing, or should not": written(
            tmp_path / "a.zip", {k: v for k, v in files.items() if "weights" not in k}
        ),
        "should not be in it": written(tmp_path / "b.zip", files | {"model/run_me.py": b"import os"}),
        "newer version": written(
            tmp_path / "c.zip", files | {"aitrain.json": json.dumps(manifest | {"format_version": 2, "x": 1}).encode()}
        ),
        "cannot be read": written(tmp_path / "d.zip", files | {"aitrain.json": b"{"}),
        "is not what it was": written(tmp_path / "e.zip", files | {"model/weights.safetensors": b"\0" * 1288}),
        "no model in one file": written(tmp_path / "f.zip", {"readme.txt": b"hello"}),
    }
    cases["cut short"].write_bytes(whole[: len(whole) // 2])
    cases["web page"].write_bytes(b"<!DOCTYPE html><title>Sign in</title>")
    cases["no zip file"].write_bytes(b"hello")
    for what, path in cases.items():
        with pytest.raises(ModelError, match=what):
            import_file(path)
    assert is_unchanged(tmp_path)


def test_a_card_of_a_newer_version_is_refused(stored: Model, tmp_path: Path) -> None:
    file = export_file(stored, tmp_path / "m.aitrain.zip")
    files = contents(file)
    card = json.loads(files["model/model.json"]) | {"format_version": 99}
    files["model/model.json"] = json.dumps(card).encode()
    manifest = json.loads(files["aitrain.json"])
    import hashlib

    text = files["model/model.json"]
    manifest["files"]["model.json"] = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    files["aitrain.json"] = json.dumps(manifest).encode()
    with pytest.raises(ModelError, match="newer version"):
        import_file(written(tmp_path / "new.zip", files))
    assert is_unchanged(tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_told_and_changes_nothing(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    bad = tmp_path / "damaged.aitrain.zip"
    bad.write_bytes(bytes(whole))
    before = [v.reference for v in list_versions()]
    try:
        model = import_file(bad, "damaged")
    except (ModelError, StorageError):
        assert [v.reference for v in list_versions()] == before
    else:
        # What was changed is nothing that is read, such as a date.
        assert torch.equal(model.state_dict()["w"], torch.arange(300.0))


def test_weights_that_torch_has_saved_are_no_such_file(stored: Model, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, buffer)
    (tmp_path / "weights").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="Cellpose 4"):
        take_in(tmp_path / "weights")
