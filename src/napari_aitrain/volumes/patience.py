"""How long a server is waited for, and how often it is asked again."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Bounds for reading from a server; only reading is ever repeated.

    Parameters
    ----------
    connect : float
        Seconds until a connection must stand.
    silence : float
        Seconds without a byte after which an answer counts as lost.
    whole : float
        Seconds that one chunk may take in all.
    attempts : int
        How often a chunk is asked for.
    pause : float
        Seconds before the second attempt; twice as long before each further one.
    """

    connect: float = 10.0
    silence: float = 30.0
    whole: float = 120.0
    attempts: int = 4
    pause: float = 0.5

    @classmethod
    def from_environment(cls) -> Patience:
        """Return what AITRAIN_REMOTE_TIMEOUT (seconds of silence) and AITRAIN_REMOTE_ATTEMPTS ask for."""
        own = cls()
        silence = _number("AITRAIN_REMOTE_TIMEOUT", own.silence)
        attempts = max(1, int(_number("AITRAIN_REMOTE_ATTEMPTS", own.attempts)))
        return cls(min(own.connect, silence), silence, 4 * silence, attempts, min(own.pause, silence / 10))


def _number(name: str, otherwise: float) -> float:
    try:
        value = float(os.environ.get(name, ""))
    except ValueError:
        return otherwise
    return value if value > 0 else otherwise
