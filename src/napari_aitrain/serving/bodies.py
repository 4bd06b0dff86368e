"""Bodies of requests, with bounds on their size and on how long they take, and the image in them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import numpy.typing as npt
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ..inference.remote.pictures import NotAPictureError, decode_numbers, decode_picture
from .settings import ServeSettings

_MOST_LISTS = 2**23
"""Bytes of numbers as text: read, they take ten times as much memory as a file."""
_FIELD = "image"


class RequestError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : int
        Of the answer.
    what, expected : str
        For people.
    """

    def __init__(self, status: int, what: str, expected: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.expected = status, what, expected


async def read_body(request: Request, settings: ServeSettings, most: int | None = None) -> bytearray:
    """Return the body of a request.

    Raises
    ------
    RequestError
        If it is larger than is taken, or too slow.
    """
    limit = settings.most_bytes if most is None else min(most, settings.most_bytes)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray(int(declared)) if declared.isdigit() else bytearray()
    at, stream, until = 0, request.stream().__aiter__(), time.monotonic() + settings.whole
    while True:
        try:
            piece = await asyncio.wait_for(anext(stream), min(settings.silence, until - time.monotonic()))
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise RequestError(408, "the request did not come to its end in time", "a faster connection") from None
        if at + len(piece) > limit:
            raise _too_large(limit)
        body[at : at + len(piece)] = piece
        at += len(piece)
    if at != len(body):
        raise RequestError(400, f"the body has {at:,} bytes instead of {len(body):,}", "a whole body")
    return body


async def drain(request: Request, settings: ServeSettings) -> None:
    """Read what is sent and forget it: who is still sending would not hear the answer."""
    stream, until, read = request.stream().__aiter__(), time.monotonic() + settings.silence, 0
    while read <= settings.most_bytes:
        try:
            read += len(await asyncio.wait_for(anext(stream), until - time.monotonic()))
        # Starlette raises a RuntimeError where the last piece was read before.
        except (StopAsyncIteration, TimeoutError, RuntimeError):
            return


async def read_image(request: Request, settings: ServeSettings) -> tuple[npt.NDArray[Any], str]:
    """Return the image in a request, shape (c, y, x), and the form that it came in: ``multipart`` or ``json``.

    Taken are a form with a file in the field ``image``; JSON with ``image`` as base64 of a TIFF, PNG, JPEG or NPY, or
    as lists of numbers; and the bytes of such a file alone. Addresses of images are never fetched.

    Raises
    ------
    RequestError
        If it is none of these, or too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, settings)
    try:
        if kind == "multipart/form-data":
            return decode_picture(await _file_of(request, body), settings.most_voxels), "multipart"
        if kind.endswith("json") or bytes(body[:64]).lstrip()[:1] in (b"{", b"["):
            return decode_numbers(_image_of(body), settings.most_voxels), "json"
        return decode_picture(body, settings.most_voxels), "multipart"
    except NotAPictureError as error:
        raise RequestError(400, str(error), _expected(settings)) from None


def _expected(settings: ServeSettings) -> str:
    return (
        f"a TIFF, PNG, JPEG or NPY of at most {settings.most_voxels:,} pixels in the field {_FIELD!r} of a form, or "
        f'{{"{_FIELD}": …}} with base64 of one or with lists of numbers'
    )


async def _file_of(request: Request, body: bytearray) -> bytes:
    async def once() -> Any:
        yield bytes(body)
        yield b""

    parser = MultiPartParser(request.headers, once(), max_files=1, max_fields=8)
    try:
        form = await parser.parse()
    # Some malformed headers end in errors of parsing them.
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        said = getattr(error, "message", "") or "a damaged form"
        raise NotAPictureError(f"a form that cannot be read ({str(said)[:80]})") from None
    try:
        file = form.get(_FIELD)
        if not isinstance(file, UploadFile):
            raise NotAPictureError(f"a form without a file in the field {_FIELD!r}")
        return await file.read()
    finally:
        await form.close()


def _image_of(body: bytearray) -> Any:
    try:
        data = json.loads(body) if len(body) <= _MOST_LISTS or b"[" not in body[:4096] else None
    except (ValueError, RecursionError):
        raise NotAPictureError("damaged JSON") from None
    if data is None:
        raise NotAPictureError(f"numbers as text of more than {_MOST_LISTS:,} bytes; send a file")
    if isinstance(data, dict):
        if _FIELD not in data:
            raise NotAPictureError(f"JSON without {_FIELD!r}")
        data = data[_FIELD]
    if isinstance(data, str) and data[:8].lower().startswith(("http:", "https:", "file:", "ftp:")):
        raise NotAPictureError("an address instead of an image: nothing is fetched here")
    return data


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit:,} bytes", "a smaller tile")
