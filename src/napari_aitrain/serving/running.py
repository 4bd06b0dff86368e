"""Running the server: its socket, its key, its end."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..inference.remote.address import is_loopback_host
from .engine import Engine
from .settings import ServeSettings

if TYPE_CHECKING:
    import uvicorn

KEY_VARIABLE = "AITRAIN_SERVE_KEY"
_LEAST_KEY = 16
_CONNECTIONS = 256
_KEEP = 30


@dataclass(frozen=True)
class Listening:
    """A server that is ready to run.

    Parameters
    ----------
    server : uvicorn.Server
        What runs.
    socket : socket.socket
        That it listens at.
    url : str
        Address for those that ask.
    """

    server: uvicorn.Server
    socket: socket.socket
    url: str

    def run(self) -> None:
        """Serve until the process is told to end, or `server.should_exit` is set."""
        self.server.run(sockets=[self.socket])


def listen(
    engine: Engine,
    settings: ServeSettings,
    host: str,
    port: int,
    certificate: Path | None = None,
    certificate_key: Path | None = None,
) -> Listening:
    """Take a port for a model.

    Parameters
    ----------
    engine : Engine
        The model.
    settings : ServeSettings
        Bounds.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    certificate, certificate_key : Path, optional
        For https.

    Raises
    ------
    ConfigError
        If the port is taken, the host is not this computer, or packages are missing.
    """
    try:
        import uvicorn

        from .app import Served
    except ImportError as error:
        raise ConfigError(
            f"the package {error.name} is not installed, which the server needs", "starlette and uvicorn",
            'install them: pip install "napari-aitrain[serve]"',
        ) from None  # fmt: skip
    config = uvicorn.Config(
        Served(engine, settings).app(), log_level="warning", access_log=False, lifespan="off", ws="none",
        server_header=False, limit_concurrency=_CONNECTIONS, timeout_keep_alive=_KEEP, timeout_graceful_shutdown=10,
        ssl_certfile=certificate, ssl_keyfile=certificate_key, loop="asyncio",
    )  # fmt: skip
    try:
        listening = socket.create_server((host, port), family=_family(host), backlog=128)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"port {port} of {host} cannot be used: {error}", "a free port of this computer",
            "choose another --port, or end the program that uses it",
        ) from None  # fmt: skip
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if certificate else "http"
    return Listening(uvicorn.Server(config), listening, f"{scheme}://{shown}:{listening.getsockname()[1]}")


def check_key(key: str | None, host: str, open_: bool, encrypted: bool) -> str | None:
    """Return the key for a server, a new one if others reach it and none is given; None lets everybody in.

    Raises
    ------
    ConfigError
        If the key is easily guessed.
    """
    if key is not None and (len(key) < _LEAST_KEY or not key.isascii() or " " in key):
        raise ConfigError(
            "the key of the server can be guessed, or cannot be sent", f"at least {_LEAST_KEY} letters and digits",
            f"leave {KEY_VARIABLE} away: a key is made then",
        )  # fmt: skip
    if key is not None or open_ or is_loopback_host(host):
        return key
    return secrets.token_urlsafe(24)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
