"""A web server in a thread that gives out a folder, and can be told to misbehave."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PAGE = b"<!DOCTYPE html><html><body>Please sign in.</body></html>"
Trouble = Callable[["Handler", str, int], bool]
"""Takes handler, path and how often the path was asked for; whether it has answered."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        with self.server.lock:
            self.server.asked[path] += 1
            times = self.server.asked[path]
        if self.server.trouble is not None and self.server.trouble(self, path, times):
            return
        file = self.server.folder / path
        if not file.is_file():
            self.answer(404, b"not found")
            return
        data, wanted = file.read_bytes(), self.headers.get("Range")
        if wanted is None or not self.server.ranges:
            self.answer(200, data)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(len(data), int(last) + 1) if first and last else len(data)
        self.answer(206, data[start:stop], {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def break_off(self, body: bytes) -> None:
        """Announce more than is sent, and hang up."""
        self.send_response(200)
        self.send_header("Content-Length", str(2 * len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def answer_part(self, body: bytes, announced: int, as_range: bool = False) -> None:
        """Announce some bytes, send fewer, and hang up; as a range they are the last ones of a file."""
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
        self.send_response(206 if as_range else 200)
        self.send_header("Content-Length", str(announced))
        if as_range:
            self.send_header("Content-Range", f"bytes {wanted}-{int(wanted) + announced - 1}/{int(wanted) + announced}")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Be silent."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.ranges = folder, True
        self.trouble: Trouble | None = None
        self.asked: Counter[str] = Counter()
        self.lock, self.end = threading.Lock(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about clients that hang up."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.end.set()
            server.shutdown()
            thread.join()
