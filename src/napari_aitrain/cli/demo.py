"""The command `demo`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from .output import Output

_TRY = "import napari; from qtpy.QtWidgets import QApplication; QApplication([])"


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="New folder for model, prediction, picture and report, made without a window."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train.")] = 1.0,
    window: Annotated[
        bool | None,
        typer.Option(help="Open napari, or not; by itself where there is a display and no --out.", show_default=False),
    ] = None,
) -> None:
    """See it work on made-up microscopy: in napari where there is a display, else in a folder."""
    output = Output(as_json=False)
    if window or (window is None and out is None and _has_display()):
        if _can_open_window():
            from ..gui.demo import run_demo_in_window

            run_demo_in_window(minutes)
            return
        output.say("napari cannot open a window here, so the demo runs without one.", "yellow")
    from ..demo import run_demo

    run_demo(out, minutes, output.console)


def _has_display() -> bool:
    known = sys.platform in ("win32", "darwin")
    return known or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _can_open_window() -> bool:
    """Whether napari is there and Qt finds the screen; Qt ends a process in which it does not."""
    tried = subprocess.run([sys.executable, "-c", _TRY], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return tried.returncode == 0
