"""Control messages for a worker: JSON lines on its standard input, and ``control.jsonl`` in the job folder."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..geometry import Triple
from ..training.config import Source
from .lines import Tail

Message = dict[str, Any]
STOP: Message = {"kind": "stop"}
PAUSE: Message = {"kind": "pause"}
RESUME: Message = {"kind": "resume"}
_LOOK_EVERY = 0.2
_CHUNK = 65536


def preview(crop: int, start: Triple, stop: Triple) -> Message:
    """Return the message that asks for previews of a part of a frozen crop from now on.

    Parameters
    ----------
    crop : int
        Number of the crop.
    start, stop : tuple of int
        In z, y, x order, in voxels of the training magnification of the whole image.
    """
    return {"kind": "preview", "crop": crop, "start": list(start), "stop": list(stop)}


def preview_view(request: int, file: str, source: str | None = None) -> Message:
    """Return the message that asks for previews of an array of one's own from now on, until another request.

    The worker predicts it at once, and again whenever there is something new. Each time it appends an event
    ``preview`` with ``request``, ``step``, ``seconds``, ``by`` (``forest`` for a first guess, ``network``, or ``both``
    for their mean) and the names of NPY files in ``previews/``: ``labels``
    (int32, shape z, y, x), ``scores`` (float32, by id of object), ``uncertainty`` (uint8, × 255, shape z, y, x) and
    ``probability`` (uint8, × 255, shape c, z, y, x: a class each, or the foreground). The last three are kept.

    Parameters
    ----------
    request : int
        A number of one's own.
    file : str
        NPY file in the job folder, such as ``views/000012.npy``: raw intensities at the training magnification,
        shape (c, z, y, x), with the channels of the training. It must be whole before the message is sent.
    source : str, optional
        Path of the image it was cut from, if that is one of the training sources: it is normalised like it.
    """
    view = {"request": request, "file": file}
    return {"kind": "preview", "view": view if source is None else view | {"source": source}}


def ground_truth(sources: Sequence[Source]) -> Message:
    """Return the message that has a running training learn from what was painted since, and from new boxes.

    Only boxes for training are taken; validation and test stay as they were when the job was made.

    Parameters
    ----------
    sources : sequence of Source
        The training set as it is now.
    """
    return {"kind": "ground-truth", "sources": [source.model_dump(mode="json") for source in sources]}


def measure(config: Path, to: Path) -> Message:
    """Return the message that asks an idle warm worker what a training will take.

    Parameters
    ----------
    config : Path
        YAML file of a `TrainConfig`.
    to : Path
        JSON file to write: an `Estimate` as plain data, or ``error``, ``what``, ``expected`` and ``remedy``. A run
        or another request that comes meanwhile goes first; the answer is then the error ``Cancelled``.
    """
    return {"measure": str(config), "to": str(to)}


class Inbox:
    """Gathers messages from the standard input of this process and from a job's control file.

    Parameters
    ----------
    descriptor : int, optional
        File descriptor to read lines from; none reads only control files.
    """

    def __init__(self, descriptor: int | None = 0) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._control: Tail | None = None
        self._looked = 0.0
        self.closed = threading.Event()
        if descriptor is None:
            self.closed.set()
        else:
            threading.Thread(target=self._read, args=(descriptor,), name="inbox", daemon=True).start()

    def put(self, message: Message) -> None:
        """Add a message from within this process, such as from a signal handler."""
        self._messages.put(message)

    def watch(self, control: Path | None) -> None:
        """Read this control file from its present end on, instead of any before."""
        self._control = None if control is None else Tail(control)
        self._looked = 0.0
        if self._control is not None:
            self._control.read()

    @property
    def waiting(self) -> bool:
        """Whether a message has come over the standard input that nobody has taken."""
        return not self._messages.empty()

    def messages(self) -> list[Message]:
        """Return what has come since the last call, at once."""
        now = time.monotonic()
        found: list[Message] = []
        if self._control is not None and now - self._looked >= _LOOK_EVERY:
            self._looked = now
            found += self._control.read()
        while True:
            try:
                found.append(self._messages.get_nowait())
            except queue.Empty:
                return found

    def forget(self) -> None:
        """Drop messages to a job that has ended; those to the worker itself stay."""
        for message in self.messages():
            if "kind" not in message:
                self._messages.put(message)

    def wait(self, seconds: float) -> Message | None:
        """Return the next message of the standard input, or None after some time."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def _read(self, descriptor: int) -> None:
        # Not sys.stdin: a thread that waits in it holds its lock and makes the interpreter abort at exit.
        rest = b""
        while True:
            try:
                chunk = os.read(descriptor, _CHUNK)
            except OSError:
                chunk = b""
            if not chunk:
                self.closed.set()
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._parse(line)

    def _parse(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if isinstance(message, dict):
            self._messages.put(message)
