"""Where the processes of a distributed training find each other, and tell why they fail."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from ..errors import AitrainError, JobError
from .distributed_place import Place

FOREVER = timedelta(days=20)
"""A leader may be paused; that another process has gone is noticed by its connection."""
_WORDS_WITHIN = 3.0
_LOST = ("closed by peer", "reset by peer", "broken pipe", "connection", "socket", "nccl", "timed out", "timeout")
_GO, _NOT = b"go", b"no"


class Meeting:
    """The store that torchrun keeps for the processes of one training.

    Parameters
    ----------
    place : Place
        Of this process.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        store, _, _ = next(rendezvous("env://", place.rank, place.size, timeout=FOREVER))
        self._store = PrefixStore("napari-aitrain", store)
        self._set("process", {"host": socket.gethostname(), "pid": os.getpid()})

    def begin(self, begins: bool) -> None:
        """Tell the others, as the leader, whether there is anything to do; what was told first stands."""
        self._store.compare_set("begin", "", (_GO if begins else _NOT).decode())

    def await_begin(self, given_up: Callable[[], bool]) -> bool:
        """Wait until the leader begins; return False if it does not, or this process is to end."""
        while not self._store.check(["begin"]):
            if given_up():
                return False
            time.sleep(0.1)
        return bool(self._store.get("begin") == _GO)

    def gather(self) -> None:
        """Wait until all processes are ready.

        Raises
        ------
        JobError
            If one of them has failed or gone.
        """
        self._set("ready", {})
        while waiting := [rank for rank in self._others() if self._get("ready", rank) is None]:
            if (failure := self._told()) is not None:
                raise failure
            if any(self._gone(rank) for rank in waiting):
                raise self._told() or self._silent()
            time.sleep(0.1)

    def group_store(self) -> PrefixStore:
        """Return the part of the store that torch uses."""
        return PrefixStore("group", self._store)

    def tell_failure(self, error: BaseException) -> None:
        """Leave the words of an error for the others."""
        if isinstance(error, AitrainError):
            words = error.as_dict()
        else:
            words = {"what": f"{type(error).__name__}: {error}", "expected": "", "remedy": ""}
        self._set("failed", words)

    def other_failure(self, error: BaseException) -> JobError | None:
        """Return that another process has failed, where this is why this one did."""
        if isinstance(error, AitrainError) or not isinstance(error, RuntimeError):
            return None
        text = str(error).lower()
        lost = any(word in text for word in _LOST)
        deadline = time.monotonic() + (_WORDS_WITHIN if lost else 0)
        while True:
            if (failure := self._told()) is not None:
                return failure
            if time.monotonic() >= deadline:
                return self._silent() if lost else None
            time.sleep(0.1)

    def _told(self) -> JobError | None:
        for rank in self._others():
            if (words := self._get("failed", rank)) is not None:
                return JobError(f"{self._name(rank)} failed: {words['what']}", words["expected"], words["remedy"])
        return None

    def _silent(self) -> JobError:
        gone = [self._name(rank) for rank in self._others() if self._gone(rank)]
        return JobError(
            f"{' and '.join(gone) or 'another process of this training'} ended without a word",
            "processes that all run to the end",
            "see worker-1.log and the like in the job folder; a process that the system killed had most likely too "
            "little memory: take fewer processes or a smaller batch_size. `napari-aitrain jobs resume` goes on",
        )

    def _gone(self, rank: int) -> bool:
        found = self._get("process", rank)
        if found is None or found["host"] != socket.gethostname():
            return False
        try:
            return bool(psutil.Process(found["pid"]).status() == psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return True

    def _name(self, rank: int) -> str:
        found = self._get("process", rank)
        return f"the process of rank {rank}" + (f" (number {found['pid']} on {found['host']})" if found else "")

    def _others(self) -> list[int]:
        return [rank for rank in range(self.place.size) if rank != self.place.rank]

    def _set(self, key: str, value: dict[str, Any]) -> None:
        self._store.set(f"{key}/{self.place.rank}", json.dumps(value))

    def _get(self, key: str, rank: int) -> dict[str, Any] | None:
        name = f"{key}/{rank}"
        try:
            found: dict[str, Any] | None = json.loads(self._store.get(name)) if self._store.check([name]) else None
        except RuntimeError:
            # The store has gone with torchrun.
            return None
        return found
