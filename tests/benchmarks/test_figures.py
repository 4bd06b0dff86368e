"""How the benchmarks measure; their figures are not tested, since they depend on the machine."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("figures")


def test_works_take_turns_after_one_uncounted_run_of_each(figures):
    ran = []
    seconds = figures.take_turns({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, 3)
    assert "".join(ran) == "abababab"
    assert {name: len(found) for name, found in seconds.items()} == {"a": 3, "b": 3}


def test_ratio_is_the_median_of_neighbours_and_not_swayed_by_one_slow_run(figures):
    assert figures.ratio([2.0, 2.0, 900.0], [1.0, 1.0, 1.0], factor=0.5) == 1.0


def test_every_figure_is_one_json_line(figures, capsys):
    report = figures.Report("speed", ["case", "over_bare"])
    report.add(case="2d", over_bare=0.98765)
    assert json.loads(capsys.readouterr().out) == {"benchmark": "speed", "case": "2d", "over_bare": 0.988}
    report.close()
    assert "0.988" in capsys.readouterr().out


def test_an_unknown_benchmark_is_told_with_the_known_ones():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "sped"], cwd=BENCHMARKS.parent, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "training_speed" in done.stderr
