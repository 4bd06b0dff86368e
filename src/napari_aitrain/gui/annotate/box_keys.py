"""Keys that mean something for the selected box, in the table and, while boxes are edited, on the image."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt

FIRST_KEY, LAST_KEY = "[", "]"


def action_of(event: Any) -> str:
    """Return what a key asks for, as in `BoxView.asked`; empty for nothing."""
    if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        return "delete"
    # By text: where the brackets are differs between keyboards.
    return {FIRST_KEY: "first_here", LAST_KEY: "last_here"}.get(event.text(), "")
