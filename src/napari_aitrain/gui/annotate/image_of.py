"""The image layer of a ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import GroundTruthError
from ...geometry import Triple, triple
from ..frames import LayerFrame

if TYPE_CHECKING:
    from .truths import GroundTruth


def image_layer(viewer: Any, name: str) -> Any:
    """Return an image layer by name.

    Raises
    ------
    GroundTruthError
        If it is not open.
    """
    if name not in viewer.layers:
        raise GroundTruthError(
            f"the image {name} is not open",
            "the image that the ground truth and the boxes belong to",
            f"open it again under the name {name}, or rename its layer to that",
        )
    return viewer.layers[name]


def finest_shape(viewer: Any, truth: GroundTruth, labels: Any) -> Triple:
    """Return the z, y, x shape of the image of a ground truth; where it is not open, as the labels say."""
    if truth.image in viewer.layers:
        return LayerFrame.of(viewer.layers[truth.image]).shape
    if truth.window is not None:
        return truth.window.image_shape
    shape = LayerFrame.of(labels).shape
    return triple([n * m for n, m in zip(shape, truth.magnification, strict=True)])
