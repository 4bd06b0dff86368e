"""`weights`: nothing is fetched before a person agrees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from misbehaving_server import Server, serving

from napari_aitrain.models import weights

Cli = Callable[..., Any]
DATA = b"weights" * 5000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "cpsam_v2").write_bytes(DATA)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    with serving(tmp_path / "served") as server:
        known = replace(
            weights.KNOWN[0],
            url=f"{server.url}/cpsam_v2",
            size=len(DATA),
            sha256=hashlib.sha256(DATA).hexdigest(),
        )
        monkeypatch.setattr(weights, "KNOWN", (known,))
        yield server


def test_the_list_says_what_there_is_and_whether_it_is_here(cli: Cli, server: Server, tmp_path: Path) -> None:
    told = cli("weights", "list").out
    for part in (server.url, "CC BY-NC", str(tmp_path / "cellpose" / "cpsam_v2"), "not here"):
        assert part in told
    (row,) = cli("weights", "list", "--json").json["weights"]
    assert row["name"] == "cpsam_v2" and row["size"] == len(DATA) and row["present"] is False
    assert not server.asked


def test_nothing_is_fetched_unless_somebody_agrees(cli: Cli, server: Server, tmp_path: Path) -> None:
    ran = cli("weights", "download", "cpsam_v2")
    assert ran.code == 1 and not server.asked
    for part in (server.url, "CC BY-NC", "licenses/by-nc", "size", str(tmp_path / "cellpose" / "cpsam_v2")):
        assert part in ran.err


def test_agreed(cli: Cli, server: Server, tmp_path: Path) -> None:
    ran = cli("weights", "download", "cpsam_v2", "--yes", "--json")
    assert ran.code == 0 and ran.json["present"] is True
    assert (tmp_path / "cellpose" / "cpsam_v2").read_bytes() == DATA
    assert cli("weights", "download", "cpsam_v2", "--yes").code == 0
    assert server.asked["cpsam_v2"] == 1


def test_a_file_from_elsewhere(cli: Cli, server: Server, tmp_path: Path) -> None:
    assert cli("weights", "import", tmp_path / "served" / "cpsam_v2").code == 0
    assert cli("weights", "list", "--json").json["weights"][0]["present"] is True
    (tmp_path / "other").write_bytes(b"other")
    ran = cli("weights", "import", tmp_path / "other")
    assert ran.code == 2 and "models import" in ran.err and not server.asked


def test_an_unknown_name(cli: Cli, server: Server) -> None:
    ran = cli("weights", "download", "cyto3", "--yes")
    assert ran.code == 2 and "cpsam_v2" in ran.err
