"""The lock of a job folder: which process runs it, told apart from a later process of the same number."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from ..errors import JobError
from ..volumes.atomic import storage_errors

LOCK = "lock.json"
HEARTBEAT = 10.0
_LOST_AFTER = 6 * HEARTBEAT
_CLOCK_SLACK = 2.0


@dataclass(frozen=True)
class Owner:
    """The process that holds a job folder.

    Parameters
    ----------
    pid : int
        Its number on `host`.
    started : float
        When it was started, in seconds since 1970.
    host : str
        The machine it runs on.
    acquired : float
        When it took the lock, in seconds since 1970; the order of the queue.
    """

    pid: int
    started: float
    host: str
    acquired: float

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


def read_owner(folder: Path) -> Owner | None:
    """Return the process named in the lock, alive or not."""
    try:
        return Owner(**json.loads((folder / LOCK).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def living_owner(folder: Path) -> Owner | None:
    """Return the process that runs the job now, if any.

    On another machine of a shared disk only the lock's heartbeat can tell.
    """
    owner = read_owner(folder)
    if owner is None:
        return None
    if owner.here:
        return owner if owner.process() is not None else None
    try:
        age = time.time() - (folder / LOCK).stat().st_mtime
    except OSError:
        return None
    return owner if age < _LOST_AFTER else None


class Lock:
    """Holds a job folder for this process; a context manager.

    Raises
    ------
    JobError
        If another living process holds it.
    StorageError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.owner = Owner.this_process()

    def __enter__(self) -> Lock:
        with storage_errors(self._folder / LOCK):
            if not self._take():
                self._clear_stale()
                if not self._take():
                    raise _held(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        if read_owner(self._folder) == self.owner:
            (self._folder / LOCK).unlink(missing_ok=True)

    def beat(self) -> None:
        """Say that the process still lives, for other machines."""
        with storage_errors(self._folder):
            os.utime(self._folder / LOCK)

    def _take(self) -> bool:
        # A hard link appears with its content or not at all; where there are none, exclusive creation is as close.
        path = self._folder / LOCK
        text = json.dumps(asdict(self.owner))
        beside = path.with_name(f".lock.{uuid.uuid4().hex[:8]}.part")
        beside.write_text(text, encoding="utf-8")
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        except (OSError, NotImplementedError):
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _clear_stale(self) -> None:
        path = self._folder / LOCK
        stale = read_owner(self._folder)
        if living_owner(self._folder) is not None:
            raise _held(self._folder)
        aside = path.with_name(f".lock.{uuid.uuid4().hex[:8]}.stale")
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return
        try:
            moved = json.loads(aside.read_text(encoding="utf-8"))
        except ValueError:
            moved = None
        if stale is not None and moved != asdict(stale):
            os.replace(aside, path)
            raise _held(self._folder)
        aside.unlink()


def _held(folder: Path) -> JobError:
    owner = read_owner(folder)
    by = f" by process {owner.pid} on {owner.host}" if owner else ""
    return JobError(
        f"{folder} is being run{by}",
        "a job that nothing runs",
        f"follow it with `napari-aitrain jobs follow {folder.name}`, or stop it first",
    )
