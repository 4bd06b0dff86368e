"""Which blocks are done: on the disk, and of this run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from ..volumes.atomic import storage_errors


@dataclass(frozen=True)
class Block:
    """One piece of work: a stage, and the number of a block in its grid."""

    stage: str
    index: int


class State(IntEnum):
    """How a block stands."""

    OPEN = 0
    DONE = 1
    PROVISIONAL = 2
    """Made while something that it needs had failed, and so to be made again with the next run."""
    FAILED = 3


class Manifest:
    """An append-only file of JSON lines of the blocks that are done, each flushed to the disk before it counts.

    In memory a block takes one byte.

    Parameters
    ----------
    path : Path
        The file; made with the first block.
    sizes : mapping of str to int
        Blocks per stage.
    """

    def __init__(self, path: Path, sizes: Mapping[str, int]) -> None:
        self.path = path
        self._states = {stage: bytearray(count) for stage, count in sizes.items()}
        self._settled = dict.fromkeys(sizes, 0)
        if path.exists():
            self._read()

    def _read(self) -> None:
        whole = 0
        with open(self.path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                row = json.loads(line)
                self._set(Block(row["stage"], row["block"]), State.DONE)
        if whole < self.path.stat().st_size:
            # A kill in the middle of a line: that block does not count as done.
            with open(self.path, "rb+") as file:
                file.truncate(whole)

    def _set(self, block: Block, state: State) -> None:
        states = self._states[block.stage]
        self._settled[block.stage] += (state != State.OPEN) - (states[block.index] != State.OPEN)
        states[block.index] = state

    def state(self, block: Block) -> State:
        """Return how a block stands."""
        return State(self._states[block.stage][block.index])

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages, in their order."""
        return tuple(self._states)

    def settled(self, stage: str) -> int:
        """Return how many blocks of a stage are not open any more."""
        return self._settled[stage]

    def total(self, stage: str) -> int:
        """Return how many blocks a stage has."""
        return len(self._states[stage])

    def finished(self, stage: str) -> bool:
        """Whether every block of a stage is done for good."""
        states = self._states[stage]
        return states.count(State.DONE) == len(states)

    @property
    def flawed(self) -> bool:
        """Whether some block failed, or was made while another had failed."""
        return any(State.FAILED in states or State.PROVISIONAL in states for states in self._states.values())

    def add(self, block: Block) -> None:
        """Record that a block is finished; its results must be on the disk."""
        with storage_errors(self.path), open(self.path, "ab") as file:
            file.write(json.dumps({"stage": block.stage, "block": block.index}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._set(block, State.DONE)

    def mark(self, block: Block, state: State) -> None:
        """Remember for this run how a block stands."""
        self._set(block, state)
