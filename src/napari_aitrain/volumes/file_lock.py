"""A lock file that says which process holds something, told apart from a later process of the same number."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from ..errors import AitrainError
from .atomic import storage_errors

HEARTBEAT = 10.0
_LOST_AFTER = 6 * HEARTBEAT
_CLOCK_SLACK = 2.0


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Parameters
    ----------
    pid : int
        Its number on `host`.
    started : float
        When it was started, in seconds since 1970.
    host : str
        The machine it runs on.
    acquired : float
        When it took the lock, in seconds since 1970; the order of a queue.
    part : str
        Name of an unfinished output beside the lock, worth nothing once the process is gone.
    """

    pid: int
    started: float
    host: str
    acquired: float
    part: str = ""

    @classmethod
    def this_process(cls) -> Owner:
        """Return this process as the owner, from now on."""
        return cls(os.getpid(), psutil.Process().create_time(), socket.gethostname(), time.time())

    @property
    def here(self) -> bool:
        """Whether the owner runs on this machine."""
        return self.host == socket.gethostname()

    def process(self) -> psutil.Process | None:
        """Return the process if it lives on this machine."""
        if not self.here:
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def read_owner(path: Path) -> Owner | None:
    """Return the process named in a lock file, alive or not."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def living_owner(path: Path) -> Owner | None:
    """Return the process that holds a lock file now, if any.

    On another machine of a shared disk only the lock's heartbeat can tell.
    """
    owner = read_owner(path)
    if owner is None:
        return None
    if owner.here:
        return owner if owner.process() is not None else None
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return None
    return owner if age < _LOST_AFTER else None


class FileLock(ABC):
    """Holds a lock file for this process; a context manager. That of a process which is gone is taken over.

    While it is held a thread touches the file, so that other machines know that the process lives.

    Parameters
    ----------
    path : Path
        The lock file; its folder must exist.
    part : str
        See `Owner`.

    Raises
    ------
    AitrainError
        Of the kind that `held` makes, if another living process holds it.
    StorageError
        If the folder cannot be written.
    """

    def __init__(self, path: Path, part: str = "") -> None:
        self.path = path
        self.owner = replace(Owner.this_process(), part=part)
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="aitrain-lock", daemon=True)

    def __enter__(self) -> Self:
        with storage_errors(self.path):
            if not self._take():
                self._clear_stale()
                if not self._take():
                    raise self._held()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._heart.join()
        if self.ours:
            self.path.unlink(missing_ok=True)

    @property
    def ours(self) -> bool:
        """Whether no other process has taken over, as after this computer has slept."""
        return read_owner(self.path) == self.owner

    @abstractmethod
    def held(self, by: str) -> AitrainError:
        """Return the error that says what is held; `by` is ``" by process 123 on host"``, or empty if not known."""

    def check(self) -> None:
        """Raise what `held` makes if another process has taken over."""
        if not self.ours:
            raise self._held()

    def _held(self) -> AitrainError:
        owner = read_owner(self.path)
        return self.held(f" by process {owner.pid} on {owner.host}" if owner else "")

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def _take(self) -> bool:
        # A hard link appears with its content or not at all; where there are none, exclusive creation is as close.
        text = json.dumps(asdict(self.owner))
        beside = self.path.with_name(f".lock.{uuid.uuid4().hex[:8]}.part")
        beside.write_text(text, encoding="utf-8")
        try:
            os.link(beside, self.path)
        except FileExistsError:
            return False
        except (OSError, NotImplementedError):
            try:
                with open(self.path, "x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _clear_stale(self) -> None:
        stale = read_owner(self.path)
        if living_owner(self.path) is not None:
            raise self._held()
        aside = self.path.with_name(f".lock.{uuid.uuid4().hex[:8]}.stale")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if stale is not None and read_owner(aside) != stale:
            os.replace(aside, self.path)
            raise self._held()
        aside.unlink()
