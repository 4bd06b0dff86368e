"""Control messages for a worker: JSON lines on its standard input, and ``control.jsonl`` in the job folder."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

from ..geometry import Triple
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
