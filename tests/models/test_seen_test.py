"""Looks at test figures are kept with the model, and those of starter models in the user's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_aitrain.models import starters
from napari_aitrain.models.seen_test import SEEN_TEST, Look, looks_at, note_look


def test_looks_are_kept_but_not_inside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "program")
    for place in ("program", "mine"):
        folder = tmp_path / place / "nuclei"
        folder.mkdir(parents=True)
        for threshold in (0.4, 0.5):
            note_look(folder, Look(threshold=threshold))
        assert [look.threshold for look in looks_at(folder)] == [0.4, 0.5]
        assert (folder / SEEN_TEST).exists() == (place == "mine")
    assert looks_at(tmp_path / "elsewhere") == ()
