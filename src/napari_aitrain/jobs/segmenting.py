"""Automatic segmentation in an idle worker: a question is a folder with ``request.json``, and the answer is put there.

The folder is also the means to cancel: the worker ends what it does once the file `CANCEL` is there or the folder gone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..autosegment.asked import Asked
from ..autosegment.files import autosegment
from ..autosegment.settings import AutosegmentSettings
from ..autosegment.starter import find_by_starter
from ..errors import StorageError
from ..inference.blocks import PredictionCancelledError
from ..location import located
from ..volumes.atomic import atomic_write_text
from .failure import describe
from .lines import plain

REQUEST, ANSWER, PROGRESS, CANCEL = "request.json", "answer.json", "progress.json", "cancel"
IMAGE, LABELS, SCORES = "image.npy", "labels.npy", "scores.npy"


def answer(folder: Path, interrupted: Callable[[], bool], ring: Callable[[], None]) -> None:
    """Do what a request asks for: an image by a starter model, or the images of a folder by any preset.

    Parameters
    ----------
    folder : Path
        Of the question; see `Segmenter`, which asks.
    interrupted : callable
        Whether nobody waits for the answer any more.
    ring : callable
        Called when there is something new in the folder.
    """

    def cancelled() -> bool:
        return interrupted() or not folder.is_dir() or (folder / CANCEL).exists()

    def progress(done: int, total: int, name: str = "") -> None:
        with contextlib.suppress(StorageError):
            atomic_write_text(folder / PROGRESS, json.dumps({"done": done, "total": total, "name": name}))
        ring()

    told: dict[str, Any]
    try:
        request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        told = (_files if "out" in request else _image)(folder, request, progress, cancelled)
    except PredictionCancelledError:
        told = {"cancelled": True}
    except Exception as error:  # the worker's edge, as for jobs
        told = dict(describe(error))
    with contextlib.suppress(StorageError):
        atomic_write_text(folder / ANSWER, json.dumps(plain(told)))
    ring()


def _image(
    folder: Path, request: dict[str, Any], progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    def watch(done: int, total: int) -> None:
        if cancelled():
            raise PredictionCancelledError("cancelled")
        progress(done, total)

    settings = AutosegmentSettings.model_validate(request["settings"])
    size = request["voxel_size"]
    found = find_by_starter(np.load(folder / IMAGE), settings, None if size is None else tuple(size), watch)
    # The asker may have gone meanwhile, and its folder with it.
    with contextlib.suppress(OSError):
        np.save(folder / LABELS, found.labels)
        np.save(folder / SCORES, found.scores)
    return {"diameter": found.diameter, "threshold": found.threshold}


def _files(
    folder: Path, request: dict[str, Any], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    images = autosegment(
        located(request["image"]), Path(request["out"]), Asked(**request["asked"]), progress=progress,
        cancelled=cancelled,
    )  # fmt: skip
    kept = [
        {**dataclasses.asdict(one), "image": str(one.image), "out": str(one.out), "settings": None} for one in images
    ]
    return {"images": kept, "cancelled": cancelled()}
