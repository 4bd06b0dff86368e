"""An image as a request, in both forms that servers of models take; an answer of any kind as an array."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RemoteError
from . import troubles
from .client import Answer, Body, Client
from .config import RemoteConfig
from .pictures import NotAPictureError, decode_numbers, decode_picture, encode_png, encode_tiff
from .steps import ResizeBack, run_after, run_before

Array = npt.NDArray[Any]
MASKS = ("mask", "segmentation", "labels", "prediction", "predictions", "output", "image", "result", "data")
"""Names under which a mask may stand in JSON."""

_LEAST_ANSWER = 2**20
_PER_PIXEL = {"file": 20, "json": 40}


def request_of(config: RemoteConfig, image: Array) -> tuple[Body, str]:
    """Return an image, shape (c, y, x), in the form that the server wants: body and content type.

    Raises
    ------
    RemoteError
        If the image cannot be written so.
    """
    if config.form == "multipart":
        return _multipart(config.field, encode_tiff(image))
    if config.encoding == "list":
        plain = image[0] if len(image) == 1 else image
        return [json.dumps({config.field: plain.tolist()}).encode()], "application/json"
    try:
        data = encode_png(image) if config.encoding == "png" else encode_tiff(image)
    except NotAPictureError as error:
        raise RemoteError(
            str(error), "1 or 3 channels of 8 bits, or 1 of 16",
            "put the step that stores as uint8 last before sending, or send a TIFF", troubles.REFUSED,
        ) from None  # fmt: skip
    text = base64.b64encode(data).decode("ascii")
    return [json.dumps({config.field: text}).encode()], "application/json"


def _multipart(field: str, data: bytes) -> tuple[Body, str]:
    boundary = f"aitrain-{uuid.uuid4().hex}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="image.tif"\r\n'
        "Content-Type: image/tiff\r\n\r\n"
    )
    return [head.encode(), data, f"\r\n--{boundary}--\r\n".encode()], f"multipart/form-data; boundary={boundary}"


def ask(client: Client, image: Array) -> tuple[Answer, Array]:
    """Run the steps before, send an image, shape (c, y, x), and return the answer and what was sent.

    Raises
    ------
    RemoteError
        If there is no answer, or it is larger than one about this image can be.
    """
    sent = run_before(client.config.before, image)
    body, kind = request_of(client.config, sent)
    pixels = max(sent.shape[1] * sent.shape[2], image.shape[1] * image.shape[2])
    bands = max(1, len(client.config.outputs)) if client.config.answer == "classes" else 1
    most = _LEAST_ANSWER + pixels * bands * max(_PER_PIXEL.values())
    return client.post(body, kind, most), sent


def mask_of(client: Client, answer: Answer, sent: tuple[int, int], wanted: tuple[int, int]) -> Array:
    """Return the mask in an answer after the steps, shape (y, x), whole numbers.

    Parameters
    ----------
    client : Client
        Who was asked.
    answer : Answer
        A TIFF, PNG or NPY, or JSON with lists or base64 of one of these.
    sent, wanted : tuple of int
        y, x of what was sent, and of what the mask is for.

    Raises
    ------
    RemoteError
        If it is no mask, has another size, or no whole numbers.
    """
    config, where = client.config, client.where
    expected = f"a mask of {sent[1]} × {sent[0]} pixels with the class of each, as TIFF, PNG or JSON"
    bands = _bands(client, answer, sent, expected)
    came = (int(bands.shape[1]), int(bands.shape[2]))
    resizes = any(isinstance(step, ResizeBack) for step in config.after)
    if came != sent and not resizes:
        raise troubles.wrong(
            where, f"a mask of {came[1]} × {came[0]} pixels", expected,
            "if the server always answers in this size, add the step that resizes to the size of the image",
        )  # fmt: skip
    bands = run_after(config.after, bands, wanted)
    if bands.shape[1:] != wanted:
        raise troubles.wrong(
            where, f"a mask of {bands.shape[2]} × {bands.shape[1]} pixels for an image of {wanted[1]} × {wanted[0]}",
            expected, "add the step that resizes to the size of the image",
        )  # fmt: skip
    if len(bands) != 1:
        raise troubles.wrong(
            where, f"{len(bands)} bands", expected, "add the step that makes the class of the largest band"
        )
    return _whole(where, bands[0], expected)


def _bands(client: Client, answer: Answer, sent: tuple[int, int], expected: str) -> Array:
    most = max(2**20, 4096 * 4096, 64 * sent[0] * sent[1])
    body = answer.body
    try:
        if bytes(body[:64]).lstrip()[:1] in (b"{", b"[", b'"'):
            data = answer.as_json(client.where, expected, client.secrets)
            return decode_numbers(_inside(data), most)
        return decode_picture(body, most)
    except NotAPictureError as error:
        said = answer.kind or "no type"
        raise troubles.wrong(client.where, f"{error}, said to be {said}", expected) from None


def _inside(data: Any) -> Any:
    """Return the mask in a mapping: under a known name, or the only list or text that there is."""
    if not isinstance(data, dict):
        return data
    found = [data[name] for name in MASKS if isinstance(data.get(name), (list, str))]
    found = found or [value for value in data.values() if isinstance(value, (list, str)) and len(value) > 8]
    return found[0] if found else data


def _whole(where: str, mask: Array, expected: str) -> Array:
    if mask.dtype.kind == "f" and (not np.isfinite(mask).all() or np.any(mask != np.rint(mask))):
        raise troubles.wrong(
            where, f"decimals from {np.nanmin(mask):.3g} to {np.nanmax(mask):.3g}", expected,
            "add a step that makes classes of them, such as 1 where above 0.5",
        )  # fmt: skip
    if mask.size and (mask.min() < 0 or mask.max() > np.iinfo(np.int32).max):
        raise troubles.wrong(where, f"numbers from {mask.min()} to {mask.max()}", expected)
    return mask.astype(np.int32)


def classes_of(config: RemoteConfig, mask: Array) -> Array:
    """Return a mask of the server's classes as your classes; what is left out, or not mapped, is 0.

    Examples
    --------
    >>> config = RemoteConfig(url="http://h", form="json", answer="classes", outputs=[{"output": "2", "id": 7}])
    >>> classes_of(config, np.array([[0, 1, 2]])).tolist()
    [[0, 0, 7]]
    """
    mapped = np.zeros(mask.shape, np.int32)
    for one in config.outputs:
        if one.id is not None and one.output.isdigit():
            mapped[mask == int(one.output)] = one.id
    return mapped


def scores_of(client: Client, answer: Answer) -> Array:
    """Return the probabilities of your classes of an answer with one score per class, in the order of their ids.

    Raises
    ------
    RemoteError
        If it is no list of numbers, shorter than what is mapped, or holds no probabilities.
    """
    config, where = client.config, client.where
    last = max((int(one.output) for one in config.outputs if one.output.isdigit()), default=0)
    expected = f"a list of at least {last + 1} scores, one per class, or a mapping from names to scores"
    data = answer.as_json(where, expected, client.secrets)
    if isinstance(data, dict) and not all(_is_number(value) for value in data.values()):
        lists = [value for value in data.values() if isinstance(value, (list, dict))]
        data = lists[0] if len(lists) == 1 else data
    while isinstance(data, list) and len(data) == 1 and isinstance(data[0], (list, dict)):
        data = data[0]
    if isinstance(data, list):
        data = {str(number): value for number, value in enumerate(data)}
    names, values = (list(data), list(data.values())) if isinstance(data, dict) else ([], [])
    if not names or not all(_is_number(value) for value in values):
        raise troubles.wrong(where, f"“{troubles.excerpt(bytes(answer.body), client.secrets)}”", expected)
    scores = np.asarray(values, np.float32)[:, None, None]
    scores = run_after(config.after, scores, (1, 1))[:, 0, 0]
    if len(scores) != len(names) or not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1.0001:
        raise troubles.wrong(
            where, f"scores from {scores.min():.3g} to {scores.max():.3g}", "probabilities from 0 to 1",
            "add the step softmax if one class is right, or sigmoid if several can be",
        )  # fmt: skip
    by_name = dict(zip(names, scores, strict=True))
    found = {one.id: 0.0 for one in config.outputs if one.id is not None}
    for one in config.outputs:
        if one.output not in by_name:
            raise troubles.wrong(where, f"scores for {', '.join(names)[:200]}", f"one for {one.output!r} too")
        if one.id is not None:
            found[one.id] = min(1.0, found[one.id] + float(by_name[one.output]))
    return np.asarray([found[key] for key in sorted(found)], np.float32)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
