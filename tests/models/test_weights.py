"""Weights of other people's networks: where they are, and that a file is what it is said to be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from napari_aitrain.errors import ModelError, OutputExistsError
from napari_aitrain.models import weights
from napari_aitrain.models.weights import (
    KNOWN,
    KnownWeights,
    check_weights,
    find_weights,
    import_weights,
    known_weights,
    missing_weights,
    weights_folder,
)

DATA = bytes(range(256)) * 40


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownWeights:
    """The first known weights, but of a size for a test."""
    known = replace(KNOWN[0], size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
    monkeypatch.setattr(weights, "KNOWN", (known,))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    return known


def test_what_a_person_agrees_to_is_said() -> None:
    for known in KNOWN:
        assert known.url.startswith("https://") and known.url.endswith(known.name)
        assert known.size > 10**9 and known.sha256 is not None and len(known.sha256) == 64
        assert "NC" in known.licence and known.licence_url.startswith("https://creativecommons.org/")


def test_the_folder_is_that_of_cellpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLPOSE_LOCAL_MODELS_PATH", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert weights_folder("cellpose") == tmp_path / ".cellpose" / "models"
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "mine"))
    assert weights_folder("cellpose") == tmp_path / "mine"
    with pytest.raises(ModelError, match="not known"):
        weights_folder("other")


def test_a_misspelt_name_is_told() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'cpsam_v2'"):
        known_weights("cpsam-v2")


def test_only_the_whole_file_is_found(small: KnownWeights) -> None:
    path = weights_folder("cellpose") / small.name
    assert find_weights(small.name) is None
    path.parent.mkdir()
    path.write_bytes(DATA[:-1])
    assert find_weights(small.name) is None
    path.write_bytes(DATA)
    assert find_weights(small.name) == path


def test_missing_weights_say_which_file_to_put_where(small: KnownWeights) -> None:
    told = str(missing_weights(small))
    assert small.url in told and str(weights_folder("cellpose") / small.name) in told
    assert f"weights download {small.name}" in told


def test_a_file_from_elsewhere_is_recognised_and_put_in_place(small: KnownWeights, tmp_path: Path) -> None:
    (tmp_path / "downloaded (1)").write_bytes(DATA)
    path = import_weights(tmp_path / "downloaded (1)")
    assert path == find_weights(small.name) and path.read_bytes() == DATA
    with pytest.raises(OutputExistsError):
        import_weights(tmp_path / "downloaded (1)")


@pytest.mark.parametrize(
    ("data", "told"), [(DATA[:-1], "none of the weights"), (DATA[::-1], "another checksum")], ids=["short", "other"]
)
def test_another_file_is_refused(small: KnownWeights, tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ModelError, match=told):
        import_weights(tmp_path / "file")
    assert not weights_folder("cellpose").exists()
    with pytest.raises(ModelError):
        check_weights(tmp_path / "file", small)
    with pytest.raises(ModelError, match="not a file"):
        import_weights(tmp_path / "nothing")
