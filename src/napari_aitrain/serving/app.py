"""The web application: a model for this program, for SCANEO, and for whatever speaks one of their two forms."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import AitrainError, DeviceError
from ..geometry import Triple
from ..inference.remote.address import is_loopback_host
from ..inference.remote.pictures import NotAPictureError, decode_npy, encode_npy, encode_tiff
from .bodies import RequestError, drain, read_body, read_image
from .engine import Engine
from .gate import BusyError, Gate, Gone
from .settings import ServeSettings

_PIECE = 2**18
_FARTHEST = 4096
Handler = Callable[[Request], Awaitable[Response]]


class Served:
    """The handlers of one model.

    Parameters
    ----------
    engine : Engine
        The model.
    settings : ServeSettings
        Bounds.
    """

    def __init__(self, engine: Engine, settings: ServeSettings) -> None:
        self.engine, self.settings, self.gate = engine, settings, Gate(settings.waiting, settings.patience)

    def app(self) -> Starlette:
        """Return the application."""
        computed: dict[str, Handler] = {
            "/": self.segmentation,
            "/segmentation": self.segmentation,
            "/objects": self.objects,
            "/detection": self.detection,
            "/network": self.network,
            "/maps": self.maps,
        }
        return Starlette(
            routes=[
                *(Route(path, self._guarded(self._admitted(one)), methods=["POST"]) for path, one in computed.items()),
                Route("/model", self._guarded(self.model), methods=["GET"]),
                Route("/health", self.health, methods=["GET"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        """Say that the server lives, and how much it has to do."""
        gate = self.gate
        return JSONResponse({"status": "busy" if gate.inside >= gate.most else "ok", "inside": gate.inside,
                             "most": gate.most, "served": gate.served, "refused": gate.refused})  # fmt: skip

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        return JSONResponse(self.engine.described(), headers=self._named())

    async def network(self, request: Request) -> Response:
        """Answer a batch with the network's raw output."""
        batch, voxel = await self._floats(request), _numbers(request, "voxel", positive=True)
        found = await self._compute(request, lambda: self.engine.output(batch, voxel))
        return Pieces(encode_npy(found), self.settings.silence, self._named())

    async def maps(self, request: Request) -> Response:
        """Answer an image with activated maps as bytes."""
        image, voxel, halo = await self._floats(request), _numbers(request, "voxel", positive=True), _halo(request)
        found = await self._compute(request, lambda: self.engine.maps(image, halo, voxel))
        return Pieces(encode_npy(found), self.settings.silence, self._named())

    async def segmentation(self, request: Request) -> Response:
        """Answer an image with the class of each pixel."""
        image, form = await read_image(request, self.settings)
        return self._mask(request, await self._compute(request, lambda: self.engine.classes(image)), form)

    async def objects(self, request: Request) -> Response:
        """Answer an image with a number per object."""
        image, form = await read_image(request, self.settings)
        labels, _ = await self._compute(request, lambda: self.engine.objects(image))
        return self._mask(request, labels, form)

    async def detection(self, request: Request) -> Response:
        """Answer an image with boxes."""
        image, _ = await read_image(request, self.settings)
        found = await self._compute(request, lambda: self.engine.boxes(image))
        return JSONResponse(found, headers=self._named())

    def _mask(self, request: Request, mask: npt.NDArray[np.int32], form: str) -> Response:
        """Return a mask in the form of its request: a file for a file, lists for JSON unless it asks for a file."""
        if form == "json" and "image/tiff" not in request.headers.get("accept", ""):
            names = {str(key): name for key, name in self.engine.card.class_names.items()}
            return JSONResponse({"mask": mask.tolist(), "classes": names}, headers=self._named())
        largest = int(mask.max(initial=0))
        dtype = np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.uint32
        head, kind = b"", "image/tiff"
        data = encode_tiff(mask[None].astype(dtype))
        return Pieces((head, memoryview(data)), self.settings.silence, self._named(), kind)

    async def _floats(self, request: Request) -> npt.NDArray[np.float32]:
        body = await read_body(request, self.settings)
        try:
            array = decode_npy(body, self.settings.most_bytes // 4)
        except NotAPictureError as error:
            raise RequestError(400, str(error), "an array of float32 as NPY") from None
        if array.dtype != np.float32 or not 4 <= array.ndim <= 5 or array.size == 0:
            raise RequestError(400, f"an array of shape {array.shape} and type {array.dtype}", "float32, 4 or 5 axes")
        return array

    async def _compute(self, request: Request, work: Callable[[], Any]) -> Any:
        return await self.gate.compute(work, lambda: asyncio.ensure_future(_left(request)))

    def _named(self) -> dict[str, str]:
        return {"X-Aitrain-Model": self.engine.fingerprint, "Cache-Control": "no-store"}

    def _admitted(self, handler: Handler) -> Handler:
        """Let a request in if there is room, until its answer has been taken."""

        async def admitted(request: Request) -> Response:
            return Held(self.gate, handler, request)

        return admitted

    def _guarded(self, handler: Handler) -> Handler:
        """Ask for the key."""

        async def guarded(request: Request) -> Response:
            if (refusal := self._refusal(request)) is not None:
                await drain(request, self.settings)
                return refusal
            return await handler(request)

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        key = self.settings.key
        if key is None:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
            if self.settings.local and ("origin" in request.headers or not is_loopback_host(host)):
                return _problem(403, "web pages may not use this server", "a program on this computer, or a key")
            return None
        brought = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        brought = brought or request.headers.get("x-api-key", "")
        if hmac.compare_digest(brought.encode("utf-8", "replace"), key.encode()):
            return None
        what = "the key is not the one of this server" if brought else "no key was sent"
        return _problem(401, what, "Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})


class Held(Response):
    """An answer that is made, and sent, while its request is inside the gate; refusals are answers, too."""

    def __init__(self, gate: Gate, handler: Handler, request: Request) -> None:
        self.gate, self.handler, self.request = gate, handler, request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make and send it."""
        try:
            async with self.gate.admitted():
                response = await self._made()
                await response(scope, receive, send)
        except BusyError as busy:
            response = _problem(503, "the server is busy", "a moment later", {"Retry-After": str(busy.seconds)})
            try:
                await drain(self.request, ServeSettings())
                await response(scope, receive, send)
            except ClientDisconnect:
                return
        except (ClientDisconnect, Gone, TimeoutError):
            # Whoever asked has hung up, or does not read: the connection is closed.
            return

    async def _made(self) -> Response:
        try:
            return await self.handler(self.request)
        except RequestError as error:
            if error.status == 413:
                await drain(self.request, ServeSettings())
            return _problem(error.status, error.what, error.expected)
        except DeviceError as error:
            return JSONResponse(error.as_dict(), 500)
        except AitrainError as error:
            return JSONResponse(error.as_dict(), 422)


class Pieces(Response):
    """A large body in pieces; who does not read it is given up."""

    def __init__(
        self,
        body: tuple[bytes, memoryview],
        silence: float,
        headers: Mapping[str, str],
        kind: str = "application/x-npy",
    ) -> None:
        self._parts, self._silence = body, silence
        length = sum(len(part) for part in body)
        super().__init__(headers={**headers, "Content-Length": str(length)}, media_type=kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises
        ------
        TimeoutError
            If a piece is not taken in time.
        """
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for part in self._parts:
            view = memoryview(part)
            for start in range(0, len(view), _PIECE):
                piece = bytes(view[start : start + _PIECE])
                body = {"type": "http.response.body", "body": piece, "more_body": True}
                await asyncio.wait_for(send(body), self._silence)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(request: Request) -> None:
    """Wait until who asks has hung up."""
    while (await request.receive()).get("type") != "http.disconnect":
        pass


def _problem(status: int, what: str, expected: str = "", headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"what": what, "expected": expected}, status, dict(headers or {}))


def _halo(request: Request) -> Triple:
    found = _numbers(request, "halo")
    if found is None or any(n < 0 or n > _FARTHEST or n != int(n) for n in found):
        raise RequestError(400, "there is no halo", f"halo=Z,Y,X, each from 0 to {_FARTHEST}")
    z, y, x = (int(n) for n in found)
    return z, y, x


def _numbers(request: Request, name: str, positive: bool = False) -> tuple[float, float, float] | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        z, y, x = (float(part) for part in text[:100].split(","))
    except ValueError:
        raise RequestError(400, f"{name} is not three numbers", f"{name}=Z,Y,X") from None
    if not all(0 <= n < 1e12 for n in (z, y, x)) or (positive and not min(z, y, x) > 0):
        raise RequestError(400, f"{name} is out of range", "three numbers above 0")
    return z, y, x
