"""Headers with keys: kept in the system keyring, by the address that they are for, and nowhere else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from types import ModuleType
from urllib.parse import urlsplit

from ...errors import ConfigError, RemoteError
from .address import is_loopback, shown
from .troubles import KEY

SERVICE = "napari-aitrain"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,8000}[\x21-\x7e])?")
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "expect",
         "upgrade", "te", "trailer", "proxy-authorization", "cookie"}  # fmt: skip


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that may be sent.

    Raises
    ------
    ConfigError
        If a name or value is none that a header can have, or says how the request itself is written.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise ConfigError(
                f"{name[:100]!r} cannot be the name of a header", "a name such as Authorization or X-Api-Key",
                "see what the server's documentation says about its key",
            )  # fmt: skip
        if not _VALUE.fullmatch(value):
            raise ConfigError(
                f"the value of the header {name} is empty, too long, or has characters that headers cannot have",
                "letters, digits and signs on one line", "copy the key again, without line breaks",
            )  # fmt: skip
    return dict(headers)


def variable_of(address: str) -> str:
    """Return the environment variable that holds the key for a host, where there is no keyring.

    Examples
    --------
    >>> variable_of("https://gpu.lab.org:8000/model")
    'AITRAIN_KEY_GPU_LAB_ORG_8000'
    """
    return "AITRAIN_KEY_" + re.sub(r"[^A-Za-z0-9]+", "_", urlsplit(address).netloc).upper().strip("_")


def save_headers(address: str, headers: Mapping[str, str]) -> None:
    """Keep headers for an address in the system keyring, in the place of those that were there.

    What the environment gives for the address is not kept a second time, so no keyring is needed.

    Raises
    ------
    ConfigError
        If there is no keyring, or it does not open.
    """
    checked = check_headers(headers)
    if not checked:
        forget_headers(address)
        return
    if headers_of_environment(address, tuple(checked)) == checked:
        return
    with _Keyring(address) as keyring:
        keyring.set_password(SERVICE, address, json.dumps(checked))


def read_headers(address: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the headers that are kept for an address; those of the environment come first.

    Parameters
    ----------
    address : str
        Of the model. Headers of another address are never given.
    names : tuple of str
        That are needed; without any the keyring is not opened.

    Raises
    ------
    RemoteError
        If one is missing.
    ConfigError
        If the keyring cannot be used.
    """
    if not names:
        return {}
    found = headers_of_environment(address, names)
    if not found:
        with _Keyring(address) as keyring:
            kept = keyring.get_password(SERVICE, address)
        found = _read(kept)
    missing = [name for name in names if name not in found]
    if missing:
        raise RemoteError(
            f"the keyring of this computer has no {', '.join(missing)} for {shown(address)}",
            "the key of this address: it does not travel with the model, and each address has its own",
            f"enter it: napari-aitrain remote key NAME; or set the variable {variable_of(address)}",
            KEY,
        )
    return check_headers({name: found[name] for name in names})


def forget_headers(address: str) -> None:
    """Remove what is kept for an address, if anything is."""
    from keyring.errors import PasswordDeleteError

    with _Keyring(address) as keyring:
        try:
            keyring.delete_password(SERVICE, address)
        except PasswordDeleteError:
            return


def refuse_readable(address: str, headers: Mapping[str, str]) -> None:
    """Refuse to send a key without encryption to another computer.

    Raises
    ------
    RemoteError
        If it would be. AITRAIN_KEYS_IN_THE_CLEAR=1 allows it, as for a network of one's own.
    """
    open_ = urlsplit(address).scheme == "http" and not is_loopback(address)
    if headers and open_ and os.environ.get("AITRAIN_KEYS_IN_THE_CLEAR") != "1":
        raise RemoteError(
            f"the key for {shown(address)} would be sent unencrypted, for everybody on the way to read",
            "https://, or a server on this computer",
            "use https://, or an SSH tunnel to 127.0.0.1; in a network where nobody listens set "
            "AITRAIN_KEYS_IN_THE_CLEAR=1",
            KEY,
        )


def headers_of_environment(address: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the headers that the variable of an address gives; none if it is not set."""
    value = os.environ.get(variable_of(address), "").strip()
    if not value or len(names) != 1:
        return _read(value) if value.startswith("{") else {}
    return _read(value) if value.startswith("{") else {names[0]: _worded(names[0], value)}


def _worded(name: str, value: str) -> str:
    """Return a bare key as the header wants it."""
    return f"Bearer {value}" if name.lower() == "authorization" and " " not in value else value


def _read(kept: str | None) -> dict[str, str]:
    try:
        data = json.loads(kept or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


class _Keyring:
    """The system keyring, whose errors become words."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> ModuleType:
        try:
            import keyring
        except ImportError:
            raise ConfigError(
                "the package keyring is not installed, which keeps keys", "keyring",
                f'install it: pip install "napari-aitrain[remote-models]"; or set {variable_of(self._address)}',
            ) from None  # fmt: skip
        return keyring

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from keyring.errors import KeyringError

        if isinstance(error, (KeyringError, RuntimeError)):
            # What the keyring says may hold what was to be kept.
            raise ConfigError(
                f"the keyring of this computer cannot be used ({type(error).__name__})",
                "a system keyring that is open, as of the desktop you are signed in to",
                f"unlock it; on a computer without one set the variable {variable_of(self._address)} to the key",
            ) from None
