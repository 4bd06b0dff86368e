"""What a person corrected in the merge tree of a stored prediction: ``corrections.json``, beside the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import VolumeError
from ..tasks.merge_tree import Correction
from ..volumes.atomic import atomic_write_text

CORRECTIONS = "corrections.json"
_FORMAT = TypeAdapter(tuple[Correction, ...])


def read_corrections(store: Path) -> tuple[Correction, ...]:
    """Return the corrections of a store, the first one first; none where there is no file.

    Raises
    ------
    VolumeError
        If the file is damaged.
    """
    path = store / CORRECTIONS
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise VolumeError(
            f"{path} cannot be read: {error.errors()[0]['msg']}",
            "a list of merges and splits, each with two fragments",
            "mend it, or remove it to go on without corrections",
        ) from error


def write_corrections(store: Path, corrections: Sequence[Correction]) -> None:
    """Write the corrections of a store, in place of those it had."""
    atomic_write_text(store / CORRECTIONS, _FORMAT.dump_json(tuple(corrections), indent=2).decode() + "\n")


def corrections_fingerprint(corrections: Sequence[Correction]) -> str:
    """Return a short text that changes with the corrections; empty without any."""
    return hashlib.sha256(_FORMAT.dump_json(tuple(corrections))).hexdigest()[:16] if corrections else ""
