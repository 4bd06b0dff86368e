"""Doing blocks: several at once, each tried three times, recorded when done."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import NamedTuple, Protocol

from ..errors import ConfigError, DeviceError, JobError, ModelError, OutputExistsError, RemoteError, StorageError
from ..geometry import Region
from ..volumes.damage import DamagedChunk
from .blocks import Cancelled, OnBlock, PredictionCancelledError, Progress
from .filled import note_filled
from .manifest import Block, Manifest, State
from .stages import Stages

TRIES = 3
HOPELESS = 8
"""If so many blocks of a stage failed and none was done, the rest would fail too."""

FATAL = (ConfigError, DeviceError, ModelError, OutputExistsError, RemoteError, StorageError)
"""Errors that trying again, or another block, does not mend."""

_LOOK_AHEAD = 4
_ASK = 1.0
"""Seconds after which to ask whether to stop, while blocks take longer."""


Filled = tuple[DamagedChunk, ...]
"""Damaged chunks of the image that whoever did a block has filled."""


class Failure(NamedTuple):
    """A block that failed every time, and the last error."""

    block: Block
    region: Region
    error: BaseException


class Crew(Protocol):
    """Who does the blocks."""

    @property
    def slots(self) -> int:
        """How many blocks to have under way."""
        ...

    def submit(self, block: Block, following: Block | None) -> Future[Filled]:
        """Begin a block; `following` is the next that will need the image."""
        ...

    def abandon(self, futures: list[Future[Filled]]) -> None:
        """Give up blocks that would never end."""
        ...


class Threads:
    """Threads of this process; one reads, decodes or writes while another computes.

    Parameters
    ----------
    stages : Stages
        Whose blocks to do.
    count : int
        How many threads.
    """

    def __init__(self, stages: Stages, count: int = 2) -> None:
        self.stages, self.slots = stages, count
        self._pool: Executor = ThreadPoolExecutor(count, thread_name_prefix="block")

    def submit(self, block: Block, following: Block | None) -> Future[Filled]:
        """Begin a block, and have the image read ahead for the following one."""
        future = self._pool.submit(self.stages.do, block)
        if following is not None:
            self.stages.read_ahead(following)
        return future

    def abandon(self, futures: list[Future[Filled]]) -> None:
        """Give up what waits for a server; all else ends."""
        self.stages.abandon()

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


class Work:
    """Runs what is not done yet of a prediction.

    Parameters
    ----------
    stages : Stages
        What is to be done.
    crew : Crew
        Who does it; the stages that join all blocks are done here.
    manifest : Manifest
        What is done.
    progress, cancelled, on_block, on_failure : callable, optional
        See `predict_volume`; called in this thread.
    """

    def __init__(
        self,
        stages: Stages,
        crew: Crew,
        manifest: Manifest,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
        on_block: OnBlock | None = None,
        on_failure: Callable[[Failure], None] | None = None,
    ) -> None:
        self.stages, self.crew, self.manifest = stages, crew, manifest
        self.progress, self.cancelled, self.on_block = progress, cancelled, on_block
        self.on_failure = on_failure
        self.failures: list[Failure] = []
        self._tries: dict[Block, int] = {}
        self._running: dict[Future[Filled], Block] = {}
        self._flawed = False

    def run(self, phases: Iterator[Iterator[Block]]) -> None:
        """Do all blocks.

        Raises
        ------
        PredictionCancelledError
            Before a block, if `cancelled` says so; those under way are finished and recorded.
        AitrainError
            If an error makes it useless to go on: see `FATAL` and `HOPELESS`.
        """
        for stage in self.manifest.stages:
            if self.manifest.settled(stage):
                self._tell(stage)
        for phase in phases:
            todo = (block for block in phase if self.manifest.state(block) is not State.DONE)
            try:
                self._do_phase(todo)
            finally:
                self._finish_running()
            self._flawed = self.manifest.flawed

    def _do_phase(self, todo: Iterator[Block]) -> None:
        waiting: list[Block] = []
        while True:
            slots = max(1, self.crew.slots)
            waiting += itertools.islice(todo, max(0, 16 + _LOOK_AHEAD * slots - len(waiting)))
            if not waiting and not self._running:
                return
            while len(self._running) < slots and (ready := self._next(waiting)) is not None:
                self._check_cancelled(ready.stage)
                following = next((block for block in waiting if block.stage == "network"), None)
                self._running[self.crew.submit(ready, following)] = ready
            done, _ = wait(self._running, timeout=_ASK, return_when=FIRST_COMPLETED)
            if not done:
                self._check_cancelled(next(iter(self._running.values())).stage)
            for future in done:
                again = self._settle(self._running.pop(future), future)
                if again is not None:
                    waiting.insert(0, again)

    def _next(self, waiting: list[Block]) -> Block | None:
        """Take the first block out of the list that has all it requires."""
        for place, block in enumerate(waiting):
            if all(self.manifest.state(need) is not State.OPEN for need in self.stages.requires(block)):
                return waiting.pop(place)
        return None

    def _check_cancelled(self, stage: str) -> None:
        if self.cancelled is not None and self.cancelled():
            raise PredictionCancelledError(
                f"the prediction was stopped during {stage}", "", "run it again with --resume to go on from here"
            )

    def _settle(self, block: Block, future: Future[Filled]) -> Block | None:
        """Record how a block ended; return it if it is to be tried again."""
        if future.cancelled():
            raise JobError(
                "the scheduler or its workers have gone", "a cluster that runs", "start it, and go on with --resume"
            )
        error = future.exception()
        if error is None:
            self._record(block, future.result())
            return None
        if isinstance(error, FATAL):
            raise error
        self._tries[block] = self._tries.get(block, 0) + 1
        if self._tries[block] < TRIES:
            return block
        self.stages.drop(block)
        self.manifest.mark(block, State.FAILED)
        self.failures.append(Failure(block, self.stages.region(block), error))
        if self.on_failure is not None:
            self.on_failure(self.failures[-1])
        failed = sum(failure.block.stage == block.stage for failure in self.failures)
        if failed >= min(HOPELESS, self.manifest.total(block.stage)) and failed == self.manifest.settled(block.stage):
            raise error
        self._tell(block.stage)
        return None

    def _record(self, block: Block, filled: Filled) -> None:
        note_filled(self.stages.store, filled)
        needs = self.stages.requires(block)
        if self._flawed or any(self.manifest.state(need) is not State.DONE for need in needs):
            self.manifest.mark(block, State.PROVISIONAL)
        else:
            self.manifest.add(block)
        if self.on_block is not None:
            self.on_block(block.stage, self.stages.region(block))
        self._tell(block.stage)

    def _tell(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(self.manifest.settled(stage), self.manifest.total(stage), stage)

    def _finish_running(self) -> None:
        """Let blocks that are under way end, and record those that end well."""
        while wait(self._running, timeout=_ASK).not_done:
            self.crew.abandon(list(self._running))
        while self._running:
            future, block = self._running.popitem()
            if not future.cancelled() and future.exception() is None:
                self._record(block, future.result())
