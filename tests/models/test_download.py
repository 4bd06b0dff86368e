"""Downloads from a server that breaks off, ignores ranges, gives something else, or is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from misbehaving_server import PAGE, Handler, Server, serving

from napari_aitrain.errors import DownloadError, DownloadStoppedError, OutputExistsError, StorageError
from napari_aitrain.models import download as module
from napari_aitrain.models.download import download
from napari_aitrain.models.weights import KNOWN, KnownWeights
from napari_aitrain.volumes.output_lock import lock_path

DATA = bytes(range(251)) * 4000
Get = Callable[..., Path]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AITRAIN_REMOTE_TIMEOUT", "0.5")
    monkeypatch.setenv("AITRAIN_REMOTE_ATTEMPTS", "2")
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "cpsam_v2").write_bytes(DATA)
    with serving(tmp_path / "served") as server:
        yield server


@pytest.fixture
def known(server: Server) -> KnownWeights:
    return replace(KNOWN[0], url=f"{server.url}/cpsam_v2", size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder"


def get(known: KnownWeights, place: Path, seen: list[tuple[int, int]] | None = None) -> Path:
    told = [] if seen is None else seen
    return download(known, place, progress=lambda *now: told.append(now), cancelled=lambda: False)


def part(place: Path) -> Path:
    return place / "cpsam_v2.part"


def test_the_whole_file_arrives(known: KnownWeights, place: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = get(known, place, seen)
    assert path == place / "cpsam_v2" and path.read_bytes() == DATA
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA)) and seen == sorted(seen)
    assert [p.name for p in place.iterdir()] == ["cpsam_v2"]
    with pytest.raises(OutputExistsError):
        get(known, place)


def test_it_goes_on_where_it_stopped(known: KnownWeights, server: Server, place: Path) -> None:
    place.mkdir(parents=True)
    part(place).write_bytes(DATA[:500_000])
    asked: list[str | None] = []

    def note(handler: Handler, path: str, times: int) -> bool:
        asked.append(handler.headers.get("Range"))
        return False

    server.trouble = note
    seen: list[tuple[int, int]] = []
    assert get(known, place, seen).read_bytes() == DATA
    assert asked == ["bytes=500000-"] and seen[0][0] == 500_000


def test_a_server_that_ignores_ranges_starts_over(known: KnownWeights, server: Server, place: Path) -> None:
    server.ranges = False
    place.mkdir(parents=True)
    part(place).write_bytes(b"x" * 500_000)
    seen: list[tuple[int, int]] = []
    assert get(known, place, seen).read_bytes() == DATA
    assert seen[0][0] == 0


def test_a_connection_that_breaks_is_made_anew(known: KnownWeights, server: Server, place: Path) -> None:
    def break_off(handler: Handler, path: str, times: int) -> bool:
        if times == 1:
            handler.answer_part(DATA[:700_000], len(DATA))
        return times == 1

    server.trouble = break_off
    assert get(known, place).read_bytes() == DATA
    assert server.asked["cpsam_v2"] == 2


def test_a_server_that_always_breaks_off_is_told_and_nothing_is_lost(
    known: KnownWeights, server: Server, place: Path
) -> None:
    def silent(handler: Handler, path: str, times: int) -> bool:
        handler.answer_part(DATA[:1000] if times == 1 else b"", len(DATA) - (0 if times == 1 else 1000), times > 1)
        return True

    server.trouble = silent
    with pytest.raises(DownloadError, match=r"broke off.*are here") as told:
        get(known, place)
    assert "goes on where it stopped" in told.value.remedy
    assert part(place).read_bytes() == DATA[:1000]
    server.trouble = None
    assert get(known, place).read_bytes() == DATA


def test_another_length_is_refused_before_it_is_fetched(known: KnownWeights, server: Server, place: Path) -> None:
    with pytest.raises(DownloadError, match=r"has 1,004,000 bytes\n.*1,004,001"):
        get(replace(known, size=len(DATA) + 1), place)
    assert not part(place).exists()


def test_other_content_is_refused_and_removed(known: KnownWeights, server: Server, place: Path) -> None:
    (server.folder / "cpsam_v2").write_bytes(DATA[::-1])
    with pytest.raises(DownloadError, match="damaged, or has changed"):
        get(known, place)
    assert list(place.iterdir()) == []


def test_a_part_of_another_file_is_noticed(known: KnownWeights, place: Path) -> None:
    place.mkdir(parents=True)
    part(place).write_bytes(b"x" * 1000)
    with pytest.raises(DownloadError, match="damaged"):
        get(known, place)
    assert get(known, place).read_bytes() == DATA


def test_without_a_checksum_nothing_is_resumed(known: KnownWeights, place: Path) -> None:
    place.mkdir(parents=True)
    part(place).write_bytes(b"x" * 1000)
    assert get(replace(known, sha256=None), place).read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5], ids=["whole", "too long"])
def test_a_part_that_is_long_enough(known: KnownWeights, server: Server, place: Path, size: int) -> None:
    place.mkdir(parents=True)
    part(place).write_bytes((DATA + b"12345")[:size])
    assert get(known, place).read_bytes() == DATA
    assert server.asked["cpsam_v2"] == (0 if size == len(DATA) else 1)


@pytest.mark.parametrize(
    ("status", "told"), [(404, "not there any more"), (403, "may not be read"), (503, "status 503")]
)
def test_a_server_that_refuses(known: KnownWeights, server: Server, place: Path, status: int, told: str) -> None:
    def refuse(handler: Handler, path: str, times: int) -> bool:
        handler.answer(status, b"no")
        return True

    server.trouble = refuse
    with pytest.raises(DownloadError, match=told):
        get(known, place)
    assert server.asked["cpsam_v2"] == (2 if status == 503 else 1)
    assert not (place / "cpsam_v2").exists()


def test_a_range_that_cannot_be_had_starts_over(known: KnownWeights, server: Server, place: Path) -> None:
    def refuse(handler: Handler, path: str, times: int) -> bool:
        if times == 1:
            handler.answer(416, b"")
        return times == 1

    server.trouble = refuse
    place.mkdir(parents=True)
    part(place).write_bytes(DATA[:10])
    assert get(known, place).read_bytes() == DATA


def test_a_web_page_is_no_weights(known: KnownWeights, server: Server, place: Path) -> None:
    def sign_in(handler: Handler, path: str, times: int) -> bool:
        handler.answer(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})
        return True

    server.trouble = sign_in
    with pytest.raises(DownloadError, match="web page instead of weights"):
        get(known, place)
    assert not part(place).exists()


def test_without_network_it_says_which_file_to_put_where(
    known: KnownWeights, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AITRAIN_REMOTE_ATTEMPTS", "1")
    with serving(place.parent) as gone:
        pass
    with pytest.raises(DownloadError) as told:
        get(replace(known, url=f"{gone.url}/cpsam_v2"), place)
    assert str(place / "cpsam_v2") in told.value.remedy and gone.url in told.value.remedy
    assert "weights import" in told.value.remedy


def test_a_cancelled_download_keeps_what_it_has(known: KnownWeights, place: Path) -> None:
    seen: list[int] = []
    with pytest.raises(DownloadStoppedError):
        download(
            known, place, progress=lambda done, total: seen.append(done), cancelled=lambda: bool(seen and seen[-1])
        )
    assert 0 < part(place).stat().st_size < len(DATA) and not (place / "cpsam_v2").exists()
    assert get(known, place).read_bytes() == DATA


def test_a_disk_without_room_is_told_before(
    known: KnownWeights, server: Server, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(StorageError, match="free"):
        get(known, place)
    assert not server.asked


def test_one_download_at_a_time(known: KnownWeights, place: Path) -> None:
    place.mkdir(parents=True)
    with module._Lock(place / "cpsam_v2"), pytest.raises(DownloadError, match="is being downloaded by process"):
        get(known, place)
    assert not lock_path(place / "cpsam_v2").exists()
