"""What tells the predictions of one model from those of another, without its weights being read."""

from __future__ import annotations

import hashlib

from ..models import Model


def model_fingerprint(model: Model) -> str:
    """Return a short text that changes with whatever shapes the maps and objects: weights, task, calibration."""
    card = model.card
    parts = (card.weights_sha256, card.task, card.task_settings, card.classes, card.network, card.calibration)
    scaled = () if card.scale == 1 else (card.scale,)
    return hashlib.sha256(repr((*parts, *scaled)).encode()).hexdigest()[:32]
