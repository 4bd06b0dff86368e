"""How the benchmarks measure and tell: works that take turns in one run, medians, one JSON line per figure."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from napari_aitrain.jobs.environment import set_threads, usable_cores

# Before anything imports torch, which reads them once.
set_threads(os.environ, beside_window=False)

MATRIX = 2048
"""Extent of the square matrices whose product is taken as the peak of the machine."""

PRODUCTS = 4
"""How many are timed at once: one alone is over in a moment."""

Work = Callable[[], object]


def take_turns(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Run works in turns, A B A B …, after one run of each that does not count.

    Parameters
    ----------
    works : mapping of str to callable
        What to time, by name.
    rounds : int
        How often each is timed. What else happens on the machine then meets all alike.

    Returns
    -------
    dict of str to list of float
        Seconds of each run, in order.
    """
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(over: Sequence[float], under: Sequence[float], factor: float = 1.0) -> float:
    """Return the median of the ratios of neighbouring runs, times a factor."""
    return factor * statistics.median(a / b for a, b in zip(over, under, strict=True))


def matrix_product(precision: Any) -> tuple[Work, float]:
    """Return some products of two square matrices as a work, and its floating-point operations."""
    import torch

    a, b = (torch.randn(MATRIX, MATRIX).to(precision) for _ in range(2))

    def work() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, b)

    return work, 2.0 * MATRIX**3 * PRODUCTS


def use_threads(count: int | None) -> int:
    """Set the threads of torch, as many as cores if `count` is None; return their number."""
    import torch

    torch.set_num_threads(count or usable_cores())
    return torch.get_num_threads()


class Report:
    """Prints every figure as one JSON line when it is known, and a table of all at the end.

    Parameters
    ----------
    benchmark : str
        Its name, which every line says.
    columns : sequence of str
        Keys that the table shows, in order.
    """

    def __init__(self, benchmark: str, columns: Sequence[str]) -> None:
        self.benchmark, self.columns = benchmark, columns
        self.rows: list[dict[str, Any]] = []

    def add(self, **figures: Any) -> None:
        """Print a figure with its settings."""
        row = {key: _rounded(value) for key, value in figures.items()}
        self.rows.append(row)
        print(json.dumps({"benchmark": self.benchmark, **row}), flush=True)

    def close(self) -> None:
        """Print the table."""
        table = Table(*self.columns, title=self.benchmark)
        for row in self.rows:
            table.add_row(*(str(row.get(column, "")) for column in self.columns))
        Console(width=180).print(table)


def _rounded(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) and abs(value) < 1000 else value
