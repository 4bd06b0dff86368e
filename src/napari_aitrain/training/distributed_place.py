"""Which process of a distributed training this is, as torchrun tells it in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One of the processes that train together.

    Parameters
    ----------
    rank : int
        From 0, of all; the process of rank 0 leads, and alone writes.
    size : int
        How many there are.
    local_rank, local_size : int
        The same, among those on this machine.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0


def place_here(environ: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place that torchrun gave this process, or None where it trains alone.

    Examples
    --------
    >>> place_here({"RANK": "3"}) is None
    True
    """
    if "TORCHELASTIC_RUN_ID" not in environ or int(environ.get("WORLD_SIZE", "1")) < 2:
        return None
    keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Place(*(int(environ[key]) for key in keys))
