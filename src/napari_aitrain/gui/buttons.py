"""Buttons with tooltips that name their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractButton, QPushButton


def with_key(button: QAbstractButton, tip: str) -> str:
    """Return a tooltip with the key of a button's text behind it; without, where there is none, as on macOS."""
    key = QKeySequence.mnemonic(button.text())
    text = key.toString(QKeySequence.SequenceFormat.NativeText)
    return f"{tip} Key: {text}." if text else tip


def push_button(text: str, tip: str, pressed: Callable[[], object] | None = None) -> QPushButton:
    """Return a button that calls `pressed`, if given, when it is pressed."""
    button = QPushButton(text)
    button.setToolTip(with_key(button, tip))
    if pressed is not None:
        button.clicked.connect(lambda: pressed())
    return button


def push_buttons(table: Mapping[str, tuple[str, str]], pressed: Callable[[str], object]) -> dict[str, QPushButton]:
    """Return a button for each name, made of its text and tooltip; `pressed` is called with the name."""
    return {name: push_button(text, tip, partial(pressed, name)) for name, (text, tip) in table.items()}
