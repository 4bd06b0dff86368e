"""A server in the form that SCANEO documents and uses, written from that description alone: stdlib and Pillow.

Whatever is brighter than 100 belongs to class 1, brighter than 200 to class 2; objects are connected pieces.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

Answering = Callable[["Handler", str, bytes], bool]
"""Takes handler, path and body; whether it has answered."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.asked.append((self.path, dict(self.headers)))
        if self.server.answering is not None and self.server.answering(self, self.path, body):
            return
        if self.server.key is not None and self.headers.get("X-Api-Key") != self.server.key:
            self.answer(403, b'{"detail": "who are you?"}', "application/json")
            return
        answers = {"/segmentation": self.segmentation, "/objects": self.objects, "/detection": self.detection,
                   "/classification": self.classification}  # fmt: skip
        if self.command != "POST" or self.path not in answers:
            self.answer(404, b'{"detail": "Not Found"}', "application/json")
            return
        multipart = self.headers["Content-Type"].startswith("multipart/")
        image = self.picture(body) if multipart else self.plain(json.loads(body)["image"])
        with self.server.lock:
            self.server.seen.append(image)
        answers[self.path](image, multipart)

    def picture(self, body: bytes) -> np.ndarray:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + body)
        part = next(p for p in message.get_payload() if p.get_param("name", header="content-disposition") == "image")
        return np.asarray(Image.open(io.BytesIO(part.get_payload(decode=True))))

    def plain(self, image: Any) -> np.ndarray:
        if isinstance(image, list):
            return np.asarray(image)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(image))))

    def segmentation(self, image: np.ndarray, multipart: bool) -> None:
        self.mask(classes(image), multipart)

    def objects(self, image: np.ndarray, multipart: bool) -> None:
        self.mask(ndimage.label(image > 100)[0], multipart)

    def detection(self, image: np.ndarray, multipart: bool) -> None:
        labels, _ = ndimage.label(image > 100)
        kinds = classes(image)
        parts = ndimage.find_objects(labels)
        told = {
            "boxes": [[x.start, y.start, x.stop, y.stop] for y, x in parts],
            "labels": [int(kinds[part].max()) for part in parts],
            "scores": [0.25 + 0.5 * float((labels[part] > 0).mean()) for part in parts],
        }
        self.answer(200, json.dumps(told).encode(), "application/json")

    def classification(self, image: np.ndarray, multipart: bool) -> None:
        bright = float((image > 100).mean())
        self.answer(200, json.dumps([round(1 - bright, 6), round(bright, 6)]).encode(), "application/json")

    def mask(self, mask: np.ndarray, multipart: bool) -> None:
        if multipart:
            buffer = io.BytesIO()
            Image.fromarray(mask.astype(np.uint8) if mask.max() < 256 else mask.astype(np.int32)).save(buffer, "tiff")
            self.answer(200, buffer.getvalue(), "image/tiff")
        else:
            self.answer(200, json.dumps({"mask": mask.tolist()}).encode(), "application/json")

    def answer(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def classes(image: np.ndarray) -> np.ndarray:
    return (image > 100).astype(np.uint8) + (image > 200)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, answering: Answering | None, key: str | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answering, self.key = answering, key
        self.lock = threading.Lock()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.seen: list[np.ndarray] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


@contextmanager
def documented(answering: Answering | None = None, key: str | None = None) -> Iterator[Server]:
    """Run the server for the block; `answering` may answer in its place, as hostile ones do."""
    with Server(answering, key) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
