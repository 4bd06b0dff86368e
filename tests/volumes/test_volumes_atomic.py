"""Atomic writes keep the old content on failure and leave nothing beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_aitrain.errors import OutputExistsError, StorageError
from napari_aitrain.volumes.atomic import atomic_folder, atomic_write_bytes, atomic_write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_keeps_unicode_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "größe 細胞.txt"
    atomic_write_text(path, "one\r\n二\n")
    atomic_write_text(path, "two\r\n二\n")
    assert path.read_bytes() == "two\r\n二\n".encode()
    assert names(tmp_path) == [path.name]


def test_existing_file_is_kept_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="exists already"):
        atomic_write_bytes(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "could not be")]
)
def test_failing_disk_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=words):
        atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        atomic_write_bytes(tmp_path / "gone" / "a", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="does not exist"), atomic_folder(tmp_path / "file" / "a"):
        pass


def test_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(KeyError), atomic_folder(target) as folder:
        (folder / "part").write_text("x")
        assert not target.exists()
        raise KeyError
    assert names(tmp_path) == []
    with atomic_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "part").write_text("x")
    assert (target / "sub" / "part").read_text() == "x"
    with pytest.raises(OutputExistsError), atomic_folder(target):
        pass
    assert names(tmp_path) == ["out"]
