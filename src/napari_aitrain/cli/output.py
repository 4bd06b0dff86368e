"""What the program says: words and tables for people, or one JSON object at the end for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Where results and progress go.

    Parameters
    ----------
    as_json : bool
        Whether standard output gets one JSON object and nothing else; all else goes to standard error.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> Console:
        """For results in words: standard output, or standard error if that is for JSON."""
        from rich.console import Console

        return Console(stderr=self.as_json, highlight=False)

    @cached_property
    def progress_console(self) -> Console:
        """For progress and errors: standard error."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def say(self, text: str = "", style: str | None = None) -> None:
        """Print a line as it is; square brackets in it mean nothing."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    def result(self, value: Mapping[str, object]) -> None:
        """Print the one JSON object, if that was asked for."""
        if self.as_json:
            from ..jobs.lines import plain

            sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")
            sys.stdout.flush()

    def error(self, told: Mapping[str, str]) -> None:
        """Print an error: what, expected, what to do; with ``--json`` the object as well."""
        console = self.progress_console
        console.print(f"Error: {told['what']}", style="bold red", markup=False, soft_wrap=True)
        if told.get("expected"):
            console.print(f"Expected: {told['expected']}", markup=False, soft_wrap=True)
        if told.get("remedy"):
            console.print(f"What to do: {told['remedy']}", style="cyan", markup=False, soft_wrap=True)
        self.result(told)
