"""One clear notification for what went wrong: what, what was expected, what to do; never a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from napari.utils.notifications import show_error, show_info, show_warning

from ..errors import AitrainError


def report(error: AitrainError | str) -> None:
    """Tell of an error, once, in napari's way; may be called from any thread."""
    show_error(str(error))


def warn(text: str) -> None:
    """Tell of something that should be known and stops nothing."""
    show_warning(text)


def inform(text: str) -> None:
    """Tell that something was done."""
    show_info(text)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Report an expected error instead of raising it, as in a slot, from where it would reach nobody."""
    try:
        yield
    except AitrainError as error:
        report(error)
