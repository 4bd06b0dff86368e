"""Lines that one process appends and another reads while it grows."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import StorageError
from napari_aitrain.jobs.events import EventLog, EventTail, read_events
from napari_aitrain.jobs.lines import Tail, append_line, plain

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_plain_is_always_strict_json(value: object) -> None:
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)


def test_plain_of_what_events_hold() -> None:
    value = {"loss": np.float32(0.5), "ids": np.arange(2), "path": Path("a"), "bad": math.inf, 3: (True, None)}
    assert plain(value) == {"loss": 0.5, "ids": [0, 1], "path": "a", "bad": None, "3": [True, None]}


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.dictionaries(st.text(), st.text(), max_size=2), max_size=6), cuts=st.lists(st.integers(0, 400)))
def test_a_reader_that_comes_at_any_moment_sees_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "f.jsonl"
    raw = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    tail, seen = Tail(path), []
    assert tail.read() == []
    for end in [*sorted(min(cut, len(raw)) for cut in cuts), len(raw)]:
        path.write_bytes(raw[:end])
        seen += tail.read()
    assert seen == rows


def test_a_line_cut_off_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    EventLog(tmp_path).emit("log", message="ä")
    with open(tmp_path / "events.jsonl", "ab") as file:
        file.write(b'{"seq": 2, "time": 1.0, "kind": "lo')
    tail = EventTail(tmp_path)
    assert [event.seq for event in tail.read()] == [1]
    EventLog(tmp_path).emit("log", message="next")
    assert [(event.seq, event.data) for event in tail.read()] == [(2, {"message": "next"})]
    assert [event.seq for event in read_events(tmp_path)] == [1, 2]


def test_a_deleted_folder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    log = EventLog(tmp_path / "job")
    (tmp_path / "job").rmdir()
    with pytest.raises(StorageError, match=r"events\.jsonl"):
        log.emit("log")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full of Linux")
def test_a_full_disk_is_told_as_such() -> None:
    with pytest.raises(StorageError, match="full"):
        append_line(Path("/dev/full"), {"a": 1})
