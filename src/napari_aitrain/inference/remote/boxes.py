"""Boxes that a server has found: read, checked, and painted as objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import troubles
from .client import Answer, Client
from .config import RemoteConfig

MOST_BOXES = 100_000
_EXPECTED = '{"boxes": [[x1, y1, x2, y2], …], "labels": […], "scores": […]}'
_BOXES, _LABELS, _SCORES = ("boxes", "bboxes", "bbox", "box"), ("labels", "classes", "label", "class"), (
    "scores", "confidences", "score", "confidence")  # fmt: skip


@dataclass(frozen=True)
class FoundBox:
    """One box, in pixels of what was asked for.

    Parameters
    ----------
    top, left, bottom, right : float
        Edges: y and x of the first corner and of the last.
    id : int
        Of your class.
    score : float
        0 … 1; 1 if the server says none.
    """

    top: float
    left: float
    bottom: float
    right: float
    id: int
    score: float


def boxes_of(client: Client, answer: Answer, sent: tuple[int, int], wanted: tuple[int, int]) -> list[FoundBox]:
    """Return the boxes of your classes in an answer, those of the best score first.

    Parameters
    ----------
    client : Client
        Who was asked.
    answer : Answer
        JSON: boxes, labels and scores as lists beside each other, or a list of boxes that have their own.
    sent, wanted : tuple of int
        y, x of what was sent, which the answer is about, and of what the boxes are to be in.

    Raises
    ------
    RemoteError
        If it is something else.
    """
    data = answer.as_json(client.where, _EXPECTED, client.secrets)
    try:
        rows = _rows(data)
        found = [_box(client.config, row, sent, wanted) for row in rows]
    except (ValueError, TypeError, OverflowError) as error:
        said = troubles.excerpt(bytes(answer.body), client.secrets)
        raise troubles.wrong(client.where, f"“{said}”: {error}", _EXPECTED) from None
    return sorted((box for box in found if box is not None), key=lambda box: -box.score)


def _rows(data: Any) -> list[tuple[Any, Any, Any]]:
    if isinstance(data, dict):
        boxes = next((data[name] for name in _BOXES if name in data), None)
        if boxes is None and len(data) == 1:
            return _rows(next(iter(data.values())))
        if not isinstance(boxes, list):
            raise ValueError("there is no list of boxes")
        labels = next((data[name] for name in _LABELS if name in data), [0] * len(boxes))
        scores = next((data[name] for name in _SCORES if name in data), [1.0] * len(boxes))
        if not (isinstance(labels, list) and isinstance(scores, list)):
            raise ValueError("labels and scores are no lists")
        if not len(boxes) == len(labels) == len(scores):
            raise ValueError(f"{len(boxes)} boxes, {len(labels)} labels and {len(scores)} scores")
        rows = list(zip(boxes, labels, scores, strict=True))
    elif isinstance(data, list) and all(isinstance(row, dict) for row in data):
        rows = [tuple(next((row[n] for n in names if n in row), default) for names, default in
                      ((_BOXES, None), (_LABELS, 0), (_SCORES, 1.0))) for row in data]  # type: ignore[misc]  # fmt: skip
    else:
        raise ValueError("neither boxes with labels nor a list of boxes")
    if len(rows) > MOST_BOXES:
        raise ValueError(f"{len(rows):,} boxes, which is too many")
    return rows


def _box(
    config: RemoteConfig, row: tuple[Any, Any, Any], sent: tuple[int, int], wanted: tuple[int, int]
) -> FoundBox | None:
    corners, label, score = row
    if not isinstance(corners, list) or len(corners) != 4:
        raise ValueError("a box that is not four numbers")
    a, b, c, d = (float(value) for value in corners)
    if not all(map(math.isfinite, (a, b, c, d))) or not math.isfinite(float(score)):
        raise ValueError("a box with numbers that are not finite")
    left, top, right, bottom = {
        "xyxy": (a, b, c, d), "yxyx": (b, a, d, c), "xywh": (a, b, a + c, b + d),
        "cxcywh": (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    }[config.corners]  # fmt: skip
    high, wide = (1, 1) if config.relative else sent
    identity = _id(config, label)
    if identity is None:
        return None
    y, x = wanted[0] / high, wanted[1] / wide
    top, bottom = (min(max(v * y, 0), wanted[0]) for v in sorted((top, bottom)))
    left, right = (min(max(v * x, 0), wanted[1]) for v in sorted((left, right)))
    if bottom - top < 0.5 or right - left < 0.5:
        return None
    return FoundBox(top, left, bottom, right, identity, min(1.0, max(0.0, float(score))))


def _id(config: RemoteConfig, label: Any) -> int | None:
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    text = str(label)
    if not config.outputs:
        return 1
    return next((one.id for one in config.outputs if one.output == text), None)


def paint(
    boxes: list[FoundBox], shape: tuple[int, int], ellipse: bool
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], list[int]]:
    """Paint boxes as objects, the surest on top.

    Parameters
    ----------
    boxes : list of FoundBox
        The surest first.
    shape : tuple of int
        y, x.
    ellipse : bool
        Whether the ellipse that fits into a box is painted, rather than the box.

    Returns
    -------
    labels : ndarray of int32, shape (y, x)
        1 … n, those of which nothing is seen left out.
    scores : ndarray of float32, shape (n + 1,)
        By id.
    classes : list of int
        By id, that of the background being 0.
    """
    labels = np.zeros(shape, np.int32)
    for number in range(len(boxes), 0, -1):
        box = boxes[number - 1]
        rows = slice(round(box.top), max(round(box.top) + 1, round(box.bottom)))
        columns = slice(round(box.left), max(round(box.left) + 1, round(box.right)))
        part = labels[rows, columns]
        if not ellipse:
            part[...] = number
            continue
        y, x = (np.arange(n) + 0.5 for n in part.shape)
        inside = ((2 * y / max(1, part.shape[0]) - 1) ** 2)[:, None] + (2 * x / max(1, part.shape[1]) - 1) ** 2 <= 1
        part[inside] = number
    seen = np.unique(labels)
    seen = seen[seen > 0]
    order = np.zeros(len(boxes) + 1, np.int32)
    order[seen] = np.arange(1, len(seen) + 1)
    scores = np.asarray([0.0, *(boxes[n - 1].score for n in seen)], np.float32)
    return order[labels], scores, [0, *(boxes[n - 1].id for n in seen)]
