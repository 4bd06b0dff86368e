"""Questions to an idle worker: a folder with ``request.json``, into which the answer is put.

The folder is also the means to cancel: the worker ends what it does once the file `CANCEL` is there or the folder gone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..inference.blocks import PredictionCancelledError
from ..volumes.atomic import atomic_write_text
from .failure import describe
from .lines import plain

REQUEST, ANSWER, PROGRESS, CANCEL = "request.json", "answer.json", "progress.json", "cancel"

_WHO = {"image": "segmenting", "folder": "segmenting", "uncertainty": "doubting", "features": "looking"}
"""Which module has a function of the name of the question."""


def answer(folder: Path, interrupted: Callable[[], bool], ring: Callable[[], None]) -> None:
    """Do what a request asks for.

    Parameters
    ----------
    folder : Path
        Of the question; see `Asker`, which asks.
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
        module = importlib.import_module(f".{_WHO[request['kind']]}", __package__)
        told = getattr(module, request["kind"])(folder, request, progress, cancelled)
    except PredictionCancelledError:
        told = {"cancelled": True}
    except Exception as error:  # the worker's edge, as for jobs
        told = dict(describe(error))
    with contextlib.suppress(StorageError):
        atomic_write_text(folder / ANSWER, json.dumps(plain(told)))
    ring()
