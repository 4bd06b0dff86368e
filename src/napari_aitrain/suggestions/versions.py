"""The models that a model was trained on from: what an ensemble is made of."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ModelError
from ..models import Model


def earlier_versions(model: Model, find: Callable[[str], Model], most: int = 4) -> list[Model]:
    """Return the models that a model was trained on from, the last one first; what cannot be opened ends it.

    Parameters
    ----------
    model : Model
        Whose card names its parent.
    find : callable
        Opens a model by name or folder.
    most : int
        How many at most.
    """
    found: list[Model] = []
    while model.card.parent and len(found) < most:
        try:
            parent = find(model.card.parent)
        except ModelError:
            break
        same = (parent.card.task, parent.card.classes, parent.card.dims)
        if same != (model.card.task, model.card.classes, model.card.dims):
            break
        found.append(parent)
        model = parent
    return found
