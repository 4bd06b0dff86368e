"""How predictions are looked at: the threshold of each model, colours, outlines, and what is left out."""

from __future__ import annotations

from pathlib import Path

from .prediction import Prediction

THRESHOLD = 0.0
"""Everything is shown until somebody knows better: scores of a young model are low."""

MERGED = 0.5
"""Of fragments not all are merged at first: that would be a single object."""


class Glasses:
    """Settings of the look; `put_on` applies them to a prediction, `colour` to its layer."""

    def __init__(self) -> None:
        self.outlines = False
        self.by_score = False
        self._thresholds: dict[Path, float] = {}
        self._defaults: dict[Path, float] = {}
        self._hidden: dict[Path, frozenset[int]] = {}

    def threshold(self, model: Path | None) -> float:
        """Return the threshold of a model."""
        if model is None:
            return THRESHOLD
        return self._thresholds.get(model, self._defaults.get(model, THRESHOLD))

    def chosen(self, model: Path) -> bool:
        """Whether a model has a threshold of its own."""
        return model in self._thresholds

    def expect(self, one: Prediction) -> None:
        """Begin where something is to be seen of a prediction, until its model has a threshold of its own."""
        self._defaults[one.model] = MERGED if one.joins else THRESHOLD

    def set_threshold(self, model: Path, threshold: float) -> None:
        """Set the threshold of a model."""
        self._thresholds[model] = threshold

    def hidden(self, model: Path | None) -> frozenset[int]:
        """Return the classes of a model that are not drawn."""
        return frozenset() if model is None else self._hidden.get(model, frozenset())

    def set_shown(self, model: Path, class_id: int, shown: bool) -> None:
        """Draw a class of a model, or leave it out."""
        self._hidden[model] = self.hidden(model) - {class_id} if shown else self.hidden(model) | {class_id}

    def put_on(self, one: Prediction, hidden_ids: frozenset[int] | None = None) -> None:
        """Have a prediction looked at in this way; objects that were hidden stay so unless others are named."""
        one.data.look(
            self.threshold(one.model),
            by_score=self.by_score,
            hidden_classes=self.hidden(one.model),
            hidden_ids=one.data.hidden_ids if hidden_ids is None else hidden_ids,
        )

    def colour(self, one: Prediction) -> None:
        """Colour the layer of a prediction."""
        one.layer.colour(self.by_score, dict(one.class_colours), contour=int(self.outlines))
