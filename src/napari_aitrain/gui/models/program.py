"""Runs a command of this program beside the window, which has no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import AitrainError
from ...volumes.atomic import storage_errors


def run_program(arguments: Sequence[str]) -> dict[str, Any]:
    """Run a command and return the object that it prints; waits for it, so not on the main thread.

    Parameters
    ----------
    arguments : sequence of str
        As typed behind the program's name; ``--json`` is added.

    Raises
    ------
    AitrainError
        What the command tells.
    """
    command = [sys.executable, "-m", "napari_aitrain", *arguments, "--json"]
    with storage_errors(Path(sys.executable)):
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", check=False
        )
    try:
        told = json.loads(ran.stdout)
    except ValueError:
        told = None
    if ran.returncode == 0 and isinstance(told, dict):
        return told
    if isinstance(told, dict) and "what" in told:
        raise AitrainError(told["what"], told.get("expected", ""), told.get("remedy", ""))
    last = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
    raise AitrainError(
        f"napari-aitrain {arguments[0]} {arguments[1]} did not work: {last}", "a command that works", "try it again"
    )
