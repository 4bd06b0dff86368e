"""Datasets and annotations of WEBKNOSSOS, read in place, and segmentation layers written for it."""

from .boxes import annotated_boxes, boxes_for
from .named import find as find_webknossos
from .opening import open_webknossos

__all__ = ["annotated_boxes", "boxes_for", "find_webknossos", "open_webknossos"]
