"""A minute with more clients than a server has room for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "remote.py"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_of_a_crowd_is_lost() -> None:
    ran = subprocess.run(
        [sys.executable, str(BENCHMARK), "--parts", "crowd"], capture_output=True, text=True, timeout=500, check=True
    )
    found = _figures(ran.stdout)
    assert found["lost"]["value"] == 0, found["lost"]["told"]
    assert found["answered"]["value"] > 0
    assert found["busy"]["value"] > 0
    assert found["memory"]["value"] < found["memory"]["limit"]


def _figures(text: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {row["case"]: row for row in rows}
