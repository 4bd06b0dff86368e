"""Tooltips that name the key."""

from __future__ import annotations

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractButton


def with_key(button: QAbstractButton, tip: str) -> str:
    """Return a tooltip with the key of a button's text behind it; without, where there is none, as on macOS."""
    key = QKeySequence.mnemonic(button.text())
    text = key.toString(QKeySequence.SequenceFormat.NativeText)
    return f"{tip} Key: {text}." if text else tip
