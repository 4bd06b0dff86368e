"""Datasets and annotations of WEBKNOSSOS, read in place, and segmentation layers written for it."""

from .boxes import annotated_boxes
from .opening import find as find_webknossos
from .opening import open_webknossos

__all__ = ["annotated_boxes", "find_webknossos", "open_webknossos"]
