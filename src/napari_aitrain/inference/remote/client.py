"""One server, asked with bounds on everything: time, size, where to, and how often."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from ...errors import ConfigError, RemoteError
from . import troubles
from .address import is_loopback, origin, refuse_internal, shown
from .config import RemoteConfig
from .secrets import read_headers, refuse_readable

if TYPE_CHECKING:
    import httpx

PIECE = 2**18
"""Bytes that are handed to the connection at once: larger ones are copied again for each part that was sent."""
_MOST_ERROR = 2**14
_HOPS = 3
_PAUSES = (0.25, 8.0)
_MOST_PAUSE = 60.0
_BROKEN_ATTEMPTS = 4

Body = Sequence[bytes | memoryview]


@dataclass(frozen=True)
class Answer:
    """What a server answered with, status 200.

    Parameters
    ----------
    body : bytearray
        All of it.
    kind : str
        What the server says it is; not to be relied on.
    headers : mapping of str to str
        With names in small letters.
    seconds : float
        From the beginning of the request that was answered to its last byte.
    """

    body: bytearray
    kind: str
    headers: Mapping[str, str]
    seconds: float

    def as_json(self, where: str, expected: str, secrets: Mapping[str, str]) -> Any:
        """Return the answer as plain data.

        Raises
        ------
        RemoteError
            If it is no JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            came = "a web page" if troubles.is_page(self.body) else f"“{troubles.excerpt(self.body, secrets)}”"
            raise troubles.wrong(where, f"{came} ({self.kind or 'no type'})", expected) from None


class Client:
    """Asks one remote model; may be used by several threads.

    Parameters
    ----------
    config : RemoteConfig
        Where, and for how long to wait.
    headers : mapping of str to str, optional
        With the key; those of the keyring if not given.

    Raises
    ------
    RemoteError
        If a key is missing, or would be readable on its way.
    ConfigError
        If packages are missing, or the keyring cannot be used.
    """

    def __init__(self, config: RemoteConfig, headers: Mapping[str, str] | None = None) -> None:
        try:
            import httpx
        except ImportError:
            raise ConfigError(
                "the package httpx is not installed, with which servers are asked", "httpx",
                'install it: pip install "napari-aitrain[remote-models]"',
            ) from None  # fmt: skip
        self.config = config
        self.where = shown(config.url)
        self.secrets = dict(read_headers(config.url, config.headers) if headers is None else headers)
        refuse_readable(config.url, self.secrets)
        self._safe = config.form == "aitrain"
        self._stop = threading.Event()
        wait = config.waiting
        self._client = httpx.Client(
            timeout=httpx.Timeout(connect=wait.connect, read=wait.read, write=wait.write, pool=None),
            follow_redirects=False,
            # Proxies of the environment are for other computers.
            trust_env=not is_loopback(config.url),
            headers={"Accept-Encoding": "identity", "User-Agent": "napari-aitrain"},
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=4),
        )
        self._checked = False

    def close(self) -> None:
        """Stop waiting and let go of all connections."""
        self._stop.set()
        self._client.close()

    def get(self, path: str, most: int) -> Answer:
        """Ask for something below the address; asking twice does no harm."""
        return self._ask("GET", self._below(path), [], {}, most, safe=True)

    def post(self, body: Body, kind: str, most: int, path: str = "", query: Mapping[str, str] | None = None) -> Answer:
        """Send something and return the answer.

        A request is repeated where the server cannot have begun on it: no connection came about, or it said that it is
        busy. Servers of this program only compute, so there a request is also repeated when the connection breaks.

        Parameters
        ----------
        body : sequence of bytes
            In parts.
        kind : str
            Content type.
        most : int
            Bytes that the answer may have.
        path : str
            Below the address.
        query : mapping of str to str, optional
            Added to the address.

        Raises
        ------
        RemoteError
            If there is no answer with status 200, or it is longer.
        """
        url = self._below(path, query)
        return self._ask("POST", url, body, {"Content-Type": kind}, most, safe=self._safe)

    def _below(self, path: str, query: Mapping[str, str] | None = None) -> str:
        from urllib.parse import urlencode

        parts = urlsplit(self.config.url)
        asked = "&".join(text for text in (parts.query, urlencode(query or {})) if text)
        return urlunsplit(parts._replace(path=parts.path + path, query=asked))

    def _ask(self, method: str, url: str, body: Body, headers: dict[str, str], most: int, safe: bool) -> Answer:
        if not self._checked:
            refuse_internal(url)
            self._checked = True
        began, attempt, broken = time.monotonic(), 0, 0
        while True:
            attempt += 1
            try:
                return self._follow(method, url, body, headers, most, time.monotonic())
            except _Again as again:
                broken += again.broken
                late = time.monotonic() - began > self.config.waiting.busy
                hopeless = broken >= _BROKEN_ATTEMPTS or (again.broken and not (safe or again.unsent))
                if again.broken and hopeless:
                    raise again.error from None
                if late:
                    raise (again.error if again.broken else troubles.busy(self.where, attempt)) from None
                self._pause(attempt, again.pause)

    def _pause(self, attempt: int, asked: float | None) -> None:
        first, longest = _PAUSES
        pause = min(longest, first * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        if asked is not None:
            # A server that names a time gets spread out answers, so that not all come back at once.
            pause = min(_MOST_PAUSE, asked) * random.uniform(0.8, 1.4)
        if self._stop.wait(pause):
            raise RemoteError(f"{self.where} was not asked again", "", "", troubles.STOPPED)

    def _follow(self, method: str, url: str, body: Body, headers: dict[str, str], most: int, began: float) -> Answer:
        for _ in range(_HOPS + 1):
            answer = self._once(method, url, body, headers, most, began)
            if isinstance(answer, Answer):
                return answer
            url = answer
        raise troubles.redirected(self.where, "itself, again and again")

    def _once(
        self, method: str, url: str, body: Body, headers: dict[str, str], most: int, began: float
    ) -> Answer | str:
        """Return the answer, or where on the same server it is."""
        import httpx

        length = {"Content-Length": str(sum(len(part) for part in body))} if method == "POST" else {}
        content = _pieces(body) if method == "POST" else None
        wait = self.config.waiting
        try:
            with self._client.stream(
                method, url, content=content, headers={**self.secrets, **headers, **length}
            ) as response:
                return self._take(method, url, response, most, began)
        except httpx.ConnectTimeout:
            raise _Again(troubles.timed_out(self.where, "no connection came about", wait.connect), True, True) from None
        except httpx.ConnectError as error:
            if troubles.tls_trouble(error):
                raise troubles.no_tls(self.where, troubles.excerpt(str(error).encode(), self.secrets)) from None
            said = troubles.excerpt(str(error).encode(), self.secrets)
            raise _Again(troubles.unreachable(self.where, said), True, True) from None
        except httpx.ReadTimeout:
            raise troubles.timed_out(self.where, "nothing was answered", wait.read) from None
        except httpx.WriteTimeout:
            raise troubles.timed_out(self.where, "the image was not taken", wait.write) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.StreamError) as error:
            if troubles.tls_trouble(error):
                raise troubles.no_tls(self.where, troubles.excerpt(str(error).encode(), self.secrets)) from None
            said = troubles.excerpt(str(error).encode(), self.secrets) or type(error).__name__
            raise _Again(troubles.not_http(self.where, said), True, False) from None

    def _take(self, method: str, url: str, response: httpx.Response, most: int, began: float) -> Answer | str:
        status, kind = response.status_code, response.headers.get("content-type", "")[:100]
        if 300 <= status < 400:
            return self._same_place(method, url, status, response.headers.get("location", ""))
        if status in (429, 503):
            raise _Again(troubles.busy(self.where, 1), False, True, _seconds(response.headers.get("retry-after")))
        if status != 200:
            body = self._read(response, _MOST_ERROR, began, cut=True)
            error = troubles.of_status(self.where, status, bytes(body), bool(self.secrets), self.secrets)
            if status in (502, 504) and self._safe:
                raise _Again(error, True, False)
            raise error
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise troubles.wrong(self.where, "a compressed body that was not asked for", "a body as it is")
        body = self._read(response, most, began)
        if troubles.is_page(bytes(body[:1000])):
            raise RemoteError(
                f"{self.where} answers with a web page",
                "the answer of a model",
                "open the address in a browser: it may want you to sign in, or be the page of the server; enter the "
                "address of the model itself",
                troubles.NOT_SUCH,
            )
        named = {str(name).lower(): str(value) for name, value in response.headers.items()}
        return Answer(body, kind, named, time.monotonic() - began)

    def _read(self, response: httpx.Response, most: int, began: float, cut: bool = False) -> bytearray:
        """Return the body; of an error only its beginning."""
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most and not cut:
            raise self._too_long(int(declared), most)
        body, limit = bytearray(), self.config.waiting.whole
        for piece in response.iter_raw():
            body += piece
            if len(body) > most:
                if cut:
                    return body[:most]
                raise self._too_long(len(body), most)
            if time.monotonic() - began > limit:
                raise troubles.timed_out(self.where, "the answer did not come to its end", limit)
            if self._stop.is_set():
                raise RemoteError(f"the answer of {self.where} was not read to its end", "", "", troubles.STOPPED)
        return body

    def _too_long(self, size: int, most: int) -> RemoteError:
        return troubles.wrong(
            self.where, f"{size:,} bytes or more", f"at most {most:,} bytes for an image of this size",
            "check that it is the address of a model, and of the kind that was chosen",
        )  # fmt: skip

    def _same_place(self, method: str, url: str, status: int, location: str) -> str:
        try:
            to = urljoin(url, location)
            same = bool(location) and origin(to) == origin(url)
        except ValueError:
            to, same = "", False
        if same and (status in (307, 308) or method == "GET"):
            return to
        host = troubles.excerpt(shown(to).encode(), self.secrets) if location else "nowhere"
        raise troubles.redirected(self.where, host)


class _Again(Exception):
    """A request that may be asked again, with the error if it is not."""

    def __init__(self, error: RemoteError, broken: bool, unsent: bool, pause: float | None = None) -> None:
        super().__init__()
        self.error, self.broken, self.unsent, self.pause = error, broken, unsent, pause


def _pieces(body: Body) -> Iterator[bytes]:
    for part in body:
        view = memoryview(part)
        for start in range(0, len(view), PIECE):
            yield bytes(view[start : start + PIECE])


def _seconds(text: str | None) -> float | None:
    """Return what ``Retry-After`` asks for; a date counts as nothing."""
    return float(text) if text is not None and text.isdigit() and len(text) < 6 else None
