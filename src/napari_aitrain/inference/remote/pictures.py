"""Images as bytes and back: TIFF, PNG, NPY and lists of numbers, none of which is trusted on the way in."""

from __future__ import annotations

import base64
import binascii
import io
import math
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY = b"\x93NUMPY"
_COMPRESSIONS = {1, 5, 8, 32773, 32946, 50000}
"""None, LZW, deflate, PackBits, deflate as Adobe did before, Zstandard."""
_MOST_BANDS = 256


class NotAPictureError(ValueError):
    """Bytes are no image, or none that is taken; says in a few words why."""


def encode_tiff(image: Array) -> bytes:
    """Return an image, shape (bands, y, x), as a TIFF with all bands on one page."""
    import tifffile

    buffer = io.BytesIO()
    data = np.ascontiguousarray(image[0] if len(image) == 1 else image)
    planar = None if len(image) == 1 else "separate"
    tifffile.imwrite(buffer, data, photometric="minisblack", metadata=None, planarconfig=planar)
    return buffer.getvalue()


def encode_png(image: Array) -> bytes:
    """Return an image of 1, 3 or 4 channels of 8 bits, or one of 16, shape (c, y, x), as PNG.

    Raises
    ------
    NotAPictureError
        If PNG cannot hold it.
    """
    from PIL import Image

    fits = (image.dtype == np.uint8 and len(image) in (1, 3, 4)) or (image.dtype == np.uint16 and len(image) == 1)
    if not fits:
        raise NotAPictureError(f"PNG holds no image of {len(image)} channels of the type {image.dtype}")
    buffer = io.BytesIO()
    data = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    Image.fromarray(np.ascontiguousarray(data)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def encode_npy(array: Array) -> tuple[bytes, memoryview]:
    """Return the two parts of an NPY file; the second is the array itself, not a copy."""
    head = io.BytesIO()
    data = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(
        head, {"descr": np.lib.format.dtype_to_descr(data.dtype), "fortran_order": False, "shape": data.shape}
    )
    return head.getvalue(), memoryview(data.reshape(-1).view(np.uint8).data)


def decode_npy(body: bytes | bytearray | memoryview, most: int = 2**31) -> Array:
    """Return the array of an NPY file, without a copy; objects are never read.

    Raises
    ------
    NotAPictureError
        If it is none, or cut short, or holds more than `most` numbers.
    """
    head = io.BytesIO(bytes(body[:4096]))
    try:
        version = np.lib.format.read_magic(head)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(head, max_header_size=4096)
    except (ValueError, struct.error, SyntaxError, KeyError, TypeError, EOFError) as error:
        raise NotAPictureError(f"no NPY file ({str(error)[:80]})") from None
    count = math.prod(shape)
    if dtype.hasobject or fortran or dtype.kind not in "buif" or any(n < 0 for n in shape) or count > most:
        raise NotAPictureError(f"an NPY file of the type {dtype} and shape {shape}, which is not taken")
    rest = memoryview(body)[head.tell() :]
    if rest.nbytes != count * dtype.itemsize:
        raise NotAPictureError(f"an NPY file of {rest.nbytes} bytes instead of {count * dtype.itemsize}")
    return np.frombuffer(rest, dtype).reshape(shape)


def decode_picture(body: bytes | bytearray, most: int) -> Array:
    """Return the image in TIFF, PNG, JPEG or NPY bytes, shape (bands, y, x); what it is follows from the bytes alone.

    Parameters
    ----------
    body : bytes
        From anywhere.
    most : int
        Pixels of all bands together; of larger ones nothing is decoded.

    Raises
    ------
    NotAPictureError
        If it is no such image, damaged, or larger.
    """
    if body[:4] in _TIFF:
        return _decode_tiff(body, most)
    if body[:6] == _NPY:
        return _banded(decode_npy(body, most), most)
    return _decode_pillow(body, most)


def decode_numbers(data: Any, most: int) -> Array:
    """Return nested lists of numbers, or the base64 of a picture, as an array, shape (bands, y, x).

    Raises
    ------
    NotAPictureError
        If it is neither; an address, which is never fetched, included.
    """
    if isinstance(data, str):
        text = data.split(",", 1)[1] if data[:5] == "data:" and "," in data[:100] else data
        try:
            return decode_picture(base64.b64decode(text, validate=True), most)
        except (binascii.Error, ValueError) as error:
            if isinstance(error, NotAPictureError):
                raise
            raise NotAPictureError("a text that is not base64 of an image") from None
    if not isinstance(data, list):
        raise NotAPictureError(f"{_kind(data)} instead of an image")
    try:
        array = np.asarray(data)
    except (ValueError, OverflowError):
        raise NotAPictureError("lists of different lengths") from None
    if array.dtype.kind not in "buif":
        raise NotAPictureError("lists of something else than numbers")
    return _banded(array, most)


def _decode_tiff(body: bytes | bytearray, most: int) -> Array:
    import tifffile

    try:
        with warnings.catch_warnings(), tifffile.TiffFile(io.BytesIO(bytes(body))) as file:
            warnings.simplefilter("ignore")
            page = file.pages.first
            count = math.prod(page.shape)
            if not 0 < count <= most:
                raise NotAPictureError(f"a TIFF of shape {page.shape}, larger than is taken")
            if int(page.compression) not in _COMPRESSIONS or page.dtype is None or page.dtype.kind not in "buif":
                raise NotAPictureError("a TIFF with a compression or type of number that is not taken")
            array = np.asarray(page.asarray(maxworkers=1))
            bands_last = str(page.axes).endswith("S")
            if str(page.axes) == "YX" and len(file.pages) > 1:
                array = _stacked(file, page, most)
    except NotAPictureError:
        raise
    # A damaged TIFF ends in whichever error its decoder meets first.
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, OSError, struct.error, MemoryError,
            AttributeError, tifffile.TiffFileError) as error:  # fmt: skip
        raise NotAPictureError(f"a damaged TIFF ({type(error).__name__})") from None
    return _banded(np.moveaxis(array, -1, 0) if bands_last and array.ndim == 3 else array, most)


def _stacked(file: Any, first: Any, most: int) -> Array:
    """Return the pages of a TIFF whose bands are pages."""
    count = len(file.pages)
    if count > _MOST_BANDS or count * math.prod(first.shape) > most:
        raise NotAPictureError(f"a TIFF of {count} pages of shape {first.shape}, larger than is taken")
    pages = [file.pages[number] for number in range(count)]
    if any(page.shape != first.shape or page.dtype != first.dtype for page in pages):
        raise NotAPictureError("a TIFF whose pages differ")
    return np.stack([page.asarray(maxworkers=1) for page in pages])


def _decode_pillow(body: bytes | bytearray, most: int) -> Array:
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(bytes(body)), formats=("PNG", "JPEG")) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height * len(image.getbands()) > most:
                raise NotAPictureError(f"a {image.format} of {image.width} × {image.height} pixels, too large")
            if image.mode == "P":
                # Of a palette the numbers are the classes, not the colours.
                return _banded(np.asarray(image), most)
            array = np.asarray(image)
    except NotAPictureError:
        raise
    except (ValueError, TypeError, LookupError, OSError, SyntaxError, struct.error, MemoryError,
            Image.DecompressionBombError) as error:  # fmt: skip
        raise NotAPictureError(f"no TIFF, PNG, JPEG or NPY ({type(error).__name__})") from None
    return _banded(np.moveaxis(array, -1, 0) if array.ndim == 3 else array, most)


def _banded(array: Array, most: int) -> Array:
    """Return an array with its bands first; of three axes the shortest end is taken for the bands."""
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim != 3 or array.size == 0 or array.size > most:
        raise NotAPictureError(f"an array of shape {array.shape}")
    if array.shape[-1] <= 4 < array.shape[0]:
        array = np.moveaxis(array, -1, 0)
    return array.astype(np.int32) if array.dtype == np.bool_ else array


def _kind(data: Any) -> str:
    return {dict: "a mapping", type(None): "nothing"}.get(type(data), type(data).__name__)
