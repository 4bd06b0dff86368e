"""A single file on a server, read in blocks through the cache of chunks: for TIFF and HDF5."""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import VolumeError
from ..location import Url
from .chunk_files import OneFile
from .chunked import ChunkedArray
from .counting import count
from .patience import Patience
from .remote import ask, file_system_of
from .server_errors import web_page

_BLOCK = 1 << 18
_WHOLE = "download the file and open the copy, or put the image on the server as OME-Zarr"


class RemoteFile(io.RawIOBase):
    """A file-like object that reads a part of a file where it is asked for one.

    Parameters
    ----------
    url : Url
        Of one file.

    Raises
    ------
    VolumeError
        If there is no such file, it may not be read, or the server gives out no parts of files.
    """

    def __init__(self, url: Url) -> None:
        super().__init__()
        self.name = url.name
        self._at, self._lock = 0, threading.Lock()
        self._bytes = ChunkedArray(_Blocks(url), OneFile(url))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte."""
        self._at = max(0, offset + (0, self._at, self._bytes.shape[0])[whence])
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read bytes into a buffer, and return how many."""
        view = memoryview(buffer).cast("B")
        with self._lock:
            start, stop = self._at, min(self._at + len(view), self._bytes.shape[0])
            if stop <= start:
                return 0
            view[: stop - start] = self._bytes[(slice(start, stop),)].tobytes()
            self._at = stop
        return stop - start


class _Blocks:
    """The bytes of a file as an array with chunks."""

    def __init__(self, url: Url) -> None:
        self._url, self._patience = url, Patience.from_environment()
        self._files, self._path = file_system_of(url, self._patience, asynchronous=False)
        # A part first: it tells what is wrong with an address, which the question for the length does not.
        beginning = self._part(0, 512)
        page = web_page(url, beginning)
        if page is not None:
            raise page
        size = ask(url, self._patience, lambda: self._files.info(self._path)["size"])
        if not size:
            raise VolumeError(f"the server does not say how long {url} is", "the length of the file", _WHOLE)
        self.shape, self.dtype, self.chunks = (int(size),), np.dtype(np.uint8), (_BLOCK,)

    def __getitem__(self, key: tuple[slice], /) -> npt.NDArray[np.uint8]:
        """Read a range of bytes."""
        return np.frombuffer(self._part(key[0].start, key[0].stop), np.uint8)

    def _part(self, start: int, stop: int) -> bytes:
        data = ask(self._url, self._patience, lambda: self._files.cat_file(self._path, start, stop))
        count(stored=len(data), requests=1)
        if len(data) > stop - start:
            raise VolumeError(
                f"the server of {self._url} gives out no parts of a file", "an answer to a request for a range", _WHOLE
            )
        return bytes(data)
