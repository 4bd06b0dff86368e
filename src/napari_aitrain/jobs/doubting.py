"""Uncertainty for which a network has to answer again, in an idle worker; see `answering`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..inference.run import open_for
from ..inference.store import StoredPrediction
from ..models import find_model
from ..suggestions.passes import mirrored, other_models, write_disagreement
from .predict_config import PredictConfig


def uncertainty(
    _place: Path, request: dict[str, Any], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Write how much a model disagrees with itself on mirrored images, or with others, beside a stored prediction."""
    config = PredictConfig.model_validate(request["prediction"])
    stored, model = StoredPrediction.open(request["store"]), find_model(config.model)
    image = open_for(config.image, len(model.card.channels), config.channels, config.axes, config.voxel_size, config.at)
    if request["others"]:
        passes = other_models(stored, [find_model(one) for one in request["others"]], image, config.device)
    else:
        passes = mirrored(stored, model, image, config.device)
    write_disagreement(stored, passes, Path(request["to"]), progress=progress, cancelled=cancelled)
    return {}
