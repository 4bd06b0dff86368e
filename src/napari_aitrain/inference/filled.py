"""Which damaged chunks of the image a prediction has filled, whoever read them and before whatever interruption."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ..volumes.damage import DamagedChunk

FILLED = "filled.jsonl"


def note_filled(store: Path, chunks: Iterable[DamagedChunk]) -> None:
    """Add chunks to those of a prediction."""
    lines = "".join(f"{json.dumps(asdict(chunk))}\n" for chunk in chunks)
    if lines:
        with (store / FILLED).open("a", encoding="utf-8") as file:
            file.write(lines)


def read_filled(store: Path) -> tuple[DamagedChunk, ...]:
    """Return the chunks of a prediction, each once; a line that was broken off is left out."""
    found: dict[tuple[str, tuple[int, ...]], DamagedChunk] = {}
    if (store / FILLED).is_file():
        for line in (store / FILLED).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                entry = json.loads(line)
                places = {key: tuple(entry[key]) for key in ("chunk", "start", "stop")}
                chunk = DamagedChunk(**{**entry, **places})
                found.setdefault((chunk.file, chunk.chunk), chunk)
    return tuple(found.values())
