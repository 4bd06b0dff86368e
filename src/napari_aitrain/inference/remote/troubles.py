"""What can go wrong with a server, told apart: each kind has its own words and its own remedy."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Final

from ...errors import RemoteError

ADDRESS: Final = "address"
UNREACHABLE: Final = "unreachable"
TIMED_OUT: Final = "timed out"
TLS: Final = "tls"
KEY: Final = "key refused"
NOT_SUCH: Final = "not such a server"
BUSY: Final = "busy"
WRONG: Final = "wrong answer"
FAILED: Final = "server error"
REFUSED: Final = "request refused"
REDIRECT: Final = "redirect"
STOPPED: Final = "stopped"

TROUBLES: dict[str, str] = {
    ADDRESS: "The address is not taken",
    UNREACHABLE: "The server cannot be reached",
    TIMED_OUT: "The server does not answer in time",
    TLS: "The connection is not secure",
    KEY: "The key is missing or refused",
    NOT_SUCH: "This is another kind of server",
    BUSY: "The server is busy",
    WRONG: "The answer cannot be used",
    FAILED: "The server has failed",
    REFUSED: "The server does not take the request",
    REDIRECT: "The server sends us elsewhere",
    STOPPED: "The request was stopped",
}
"""What people are told first, by kind."""

_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_EXCERPT = 160


def is_page(body: bytes | bytearray) -> bool:
    """Whether an answer is a web page."""
    return _PAGE.match(body[:1000]) is not None


def excerpt(body: bytes | bytearray, secrets: Mapping[str, str] | None = None) -> str:
    r"""Return the beginning of what a server said, as one line of plain text in which no key can stand.

    Examples
    --------
    >>> excerpt(b"no such key: s3cret\n", {"X-Api-Key": "s3cret"})
    'no such key: ***'
    """
    text = body[: 16 * _EXCERPT].decode("utf-8", "replace")
    for secret in (secrets or {}).values():
        for part in {secret, secret.rpartition(" ")[2]}:
            if len(part) > 3:
                text = text.replace(part, "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"


def tls_trouble(error: BaseException) -> bool:
    """Whether a connection failed because its encryption, or who the server says it is, cannot be trusted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return "SSL" in str(error) or "CERTIFICATE" in str(error)


def no_tls(where: str, said: str) -> RemoteError:
    """Return the error for a connection that cannot be trusted."""
    if "WRONG_VERSION_NUMBER" in said.upper() or "RECORD LAYER" in said.upper():
        return RemoteError(
            f"{where} does not speak TLS", "a server for https://",
            "write http:// if the server is on this computer or in a network you trust", TLS,
        )  # fmt: skip
    return RemoteError(
        f"the certificate of {where} cannot be trusted: {said}",
        "a certificate that is valid, for this name, and of an authority that this computer knows",
        "check the name and the clock; where your institute has an authority of its own, set SSL_CERT_FILE to its "
        "certificate",
        TLS,
    )


def unreachable(where: str, said: str) -> RemoteError:
    """Return the error for a server that takes no connection."""
    return RemoteError(
        f"{where} cannot be reached: {said}", "a server that runs and takes connections",
        "check address and port, whether the server runs, and whether the network, a VPN or a firewall is in the way",
        UNREACHABLE,
    )  # fmt: skip


def timed_out(where: str, what: str, seconds: float) -> RemoteError:
    """Return the error for a server that was too slow."""
    return RemoteError(
        f"{where}: {what} within {seconds:g} s", "an answer in time",
        "see whether the server is overloaded; choose smaller tiles, or longer time-outs for this model", TIMED_OUT,
    )  # fmt: skip


def not_http(where: str, said: str) -> RemoteError:
    """Return the error for what is no web server, or breaks off."""
    return RemoteError(
        f"{where} broke off, or does not speak HTTP: {said}", "a web server that answers",
        "check the port, and whether it wants https:// instead of http://", NOT_SUCH,
    )  # fmt: skip


def busy(where: str, asked: int) -> RemoteError:
    """Return the error for a server that had no room, however often it was asked."""
    return RemoteError(
        f"{where} is busy, also after {asked} attempts", "a server with room for one more request",
        "try again later; what is predicted already is kept", BUSY,
    )  # fmt: skip


def redirected(where: str, to: str) -> RemoteError:
    """Return the error for an answer that points elsewhere."""
    return RemoteError(
        f"{where} sends requests on to {to}; images and keys are not sent there", "a server that answers itself",
        "if you trust that address, enter it, and the key, as that of the model", REDIRECT,
    )  # fmt: skip


def wrong(where: str, came: str, expected: str, remedy: str = "") -> RemoteError:
    """Return the error for an answer that cannot be used."""
    return RemoteError(
        f"{where} answered with {came}", expected,
        remedy or "check what kind of model it is, and in which form it wants the image", WRONG,
    )  # fmt: skip


def of_status(where: str, status: int, body: bytes, sent_key: bool, secrets: Mapping[str, str]) -> RemoteError:
    """Return the error for a status that is neither success nor a redirect."""
    said = "a web page" if is_page(body) else excerpt(body, secrets)
    tail = f": {said}" if said else ""
    if status in (401, 403, 407):
        return RemoteError(
            f"{where} {'refuses the key' if sent_key else 'wants a key'} (status {status}){tail}",
            "a key that the server knows",
            "enter the key again" if sent_key else "ask who runs the server for a key, and enter it",
            KEY,
        )
    if status in (404, 405, 410):
        return RemoteError(
            f"there is no model at {where} (status {status}){tail}", "the full address of a model",
            "check the part behind the host: many servers want a path such as /predict", NOT_SUCH,
        )  # fmt: skip
    if status >= 500:
        return RemoteError(
            f"{where} failed (status {status}){tail}", "an answer with status 200",
            "look into the server's log, or ask who runs it", FAILED,
        )  # fmt: skip
    remedy = "choose smaller tiles" if status == 413 else "choose the other form of request, or other steps before it"
    return RemoteError(
        f"{where} does not take the request (status {status}){tail}", "a request in the form that the server wants",
        remedy, REFUSED,
    )  # fmt: skip
