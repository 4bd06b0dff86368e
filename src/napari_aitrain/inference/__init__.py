"""Prediction: arrays in memory, volumes of any size block by block, and what is kept of a prediction."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .blocks import PredictionCancelledError
from .export import export
from .image import PreparedImage, prepare_image
from .objects import ObjectTable
from .store import PredictionInfo, StoredPrediction

if TYPE_CHECKING:
    from .predictor import predict_array
    from .run import PredictedImage, predict
    from .sizing import ObjectSize, estimate_scale
    from .volume import make_network, predict_volume

__all__ = [
    "ObjectSize",
    "ObjectTable",
    "PredictedImage",
    "PredictionCancelledError",
    "PredictionInfo",
    "PreparedImage",
    "StoredPrediction",
    "estimate_scale",
    "export",
    "make_network",
    "predict",
    "predict_array",
    "predict_volume",
    "prepare_image",
]
_WITH_TORCH = {
    "ObjectSize": "sizing",
    "PredictedImage": "run",
    "estimate_scale": "sizing",
    "make_network": "volume",
    "predict": "run",
    "predict_array": "predictor",
    "predict_volume": "volume",
}


def __getattr__(name: str) -> object:
    # A window opens stored predictions, for which torch is not needed.
    if name in _WITH_TORCH:
        return getattr(import_module(f".{_WITH_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
