"""Train a segmentation network on your own labels, and watch it learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "evaluate_model", "load_model", "predict", "train"]

if TYPE_CHECKING:
    from .api import evaluate, evaluate_model, load_model, predict, train


def __getattr__(name: str) -> object:
    # What these need (arrays, torch) is slow to import, and napari imports every plugin.
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
