"""Prediction: arrays in memory, volumes of any size block by block, and what is kept of a prediction."""

from .blocks import PredictionCancelledError
from .export import export
from .image import PreparedImage, prepare_image
from .objects import ObjectTable
from .predictor import predict_array
from .run import PredictedImage, predict
from .store import PredictionInfo, StoredPrediction
from .volume import make_network, predict_volume

__all__ = [
    "ObjectTable",
    "PredictedImage",
    "PredictionCancelledError",
    "PredictionInfo",
    "PreparedImage",
    "StoredPrediction",
    "export",
    "make_network",
    "predict",
    "predict_array",
    "predict_volume",
    "prepare_image",
]
