"""What a server allows: who, how much, and how many at once."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 8642


@dataclass(frozen=True)
class ServeSettings:
    """Bounds of a server.

    Parameters
    ----------
    key : str or None
        That requests must bring; None lets everybody in who reaches the server.
    local : bool
        Whether only programs of this computer reach it. Then, without a key, web pages are refused, which a browser
        could make ask for them.
    waiting : int
        Requests that may wait beside the one that is computed; more are told that the server is busy.
    most_bytes : int
        Of the body of a request.
    most_voxels : int
        Of an image, all channels together.
    patience : float
        Seconds that a request waits for its turn; then it is told to come again, before whoever asked gives up.
    silence : float
        Seconds without a byte after which a request, or who reads its answer, is given up.
    whole : float
        Seconds that one body may take in all.
    """

    key: str | None = None
    local: bool = True
    waiting: int = 8
    most_bytes: int = 2**26
    most_voxels: int = 2**24
    patience: float = 40.0
    silence: float = 30.0
    whole: float = 120.0
