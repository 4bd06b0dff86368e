"""Addresses of servers: which are taken, and what of them may be shown."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from ...errors import ConfigError, RemoteError
from .troubles import ADDRESS, UNREACHABLE

_SECRET = re.compile(r"(key|token|secret|password|passwd|pwd|credentials?|signature)$|^(auth|sig|code)$", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_address(text: str) -> str:
    """Return the address of a server as it is kept.

    Raises
    ------
    ConfigError
        If it is none, or holds a user name, a password or a key.

    Examples
    --------
    >>> check_address(" HTTPS://GPU.lab.org:443/model/ ")
    'https://gpu.lab.org:443/model'
    """
    text = text.strip()
    if re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise _no_address(text, "there are blanks in it")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _no_address(text, "its port is no number from 1 to 65535") from None
    if parts.scheme.lower() not in _PORTS:
        raise _no_address(text, "it does not begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "the address holds a user name or a password",
            "an address without them, such as https://gpu.lab.org/model",
            "give them as a header; headers are kept in the system keyring",
        )
    if not parts.hostname:
        raise _no_address(text, "it has no host")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET.search(name):
            raise ConfigError(
                f"the address holds what may be a key, as {name!r}",
                "an address without a key: addresses are kept in files and shown",
                "give it as a header; headers are kept in the system keyring",
            )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.lower()
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit(SplitResult(parts.scheme.lower(), netloc, parts.path.rstrip("/"), parts.query, ""))


def origin(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address: requests never leave these."""
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def shown(address: str) -> str:
    """Return what people and logs are told of an address: all but what stands behind the question mark."""
    parts = urlsplit(address)
    return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_loopback(address: str) -> bool:
    """Whether an address is that of this computer.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8000"), is_loopback("http://localhost.evil.org")
    (True, False)
    """
    return is_loopback_host(urlsplit(address).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether a host is this computer."""
    if host.lower() in _LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_internal(address: str) -> None:
    """Refuse an address at which computers in clouds give out their own credentials, and others without a server.

    Raises
    ------
    RemoteError
        If the host is not known, or is link-local, multicast or unspecified.
    """
    _, host, port = origin(address)
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise RemoteError(
            f"there is no computer of the name {host}",
            "the name of a server that this computer can find",
            "check the spelling, and whether the network or a VPN is on",
            UNREACHABLE,
        ) from None
    for text in found:
        ip = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified or text == "fd00:ec2::254":
            raise RemoteError(
                f"{host} is the address {text}, which is not that of a server for models",
                "the address of a server in your network, on this computer or in the internet",
                "check the address; ask who gave it to you what it is",
                ADDRESS,
            )


def _no_address(text: str, why: str) -> ConfigError:
    return ConfigError(
        f"{text[:200]!r} is not the address of a server: {why}",
        "an address such as https://gpu.lab.org:8000 or http://127.0.0.1:8000/predict",
        "copy the address as who runs the server gave it",
    )
