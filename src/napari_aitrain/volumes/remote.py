"""Open what lies on a server or in a bucket; nothing is imported or connected before that."""

from __future__ import annotations

import atexit
import importlib.util
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from zarr.core.sync import sync
from zarr.storage import FsspecStore

from ..errors import VolumeError
from ..location import Url
from .counting import count
from .patience import Patience
from .read_store import ReadStore
from .server_errors import pause_before_next, transport_errors, web_page

T = TypeVar("T")
_PACKAGES = {"http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
_opened: weakref.WeakSet[Any] = weakref.WeakSet()
_REMEDY = 'install it with: python -m pip install "napari-aitrain[remote]"'
_REMEDY_GOOGLE = "install it with: python -m pip install gcsfs"


def open_store(url: Url) -> ReadStore:
    """Return the store at an address, without asking the server for anything.

    Raises
    ------
    VolumeError
        If the protocol is not known, the package for it is missing, or the address has a query.
    """
    if url.query:
        raise VolumeError(
            f"{url} has a query behind a question mark",
            "the plain address of a folder, below which the files of a zarr lie",
            "leave out what stands behind the question mark; use a bucket's own address (s3://, gs://) to sign in",
        )
    patience = Patience.from_environment()
    file_system, path = file_system_of(url, patience, asynchronous=True)
    return ReadStore(FsspecStore(file_system, read_only=True, path=path), url, patience)


def file_system_of(url: Url, patience: Patience, *, asynchronous: bool) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it.

    Credentials are the user's own, found as the package of the protocol finds them; fsspec's settings
    (``FSSPEC_S3_ANON=true``, ``~/.config/fsspec``) hold too.
    """
    needed = _PACKAGES.get(url.scheme)
    lacking = [one for one in ("fsspec", needed) if one and importlib.util.find_spec(one) is None]
    if lacking:
        remedy = _REMEDY_GOOGLE if lacking[0] == "gcsfs" else _REMEDY
        raise VolumeError(f"{url} needs the package {lacking[0]}, which is not installed", "that package", remedy)
    import fsspec
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

    try:
        file_system, path = fsspec.core.url_to_fs(url.text, asynchronous=asynchronous, **_options(url, patience))
    except (ImportError, ValueError) as error:
        raise VolumeError(
            f"{url} cannot be opened: {error}",
            "an address that begins with https://, s3:// or gs://, or a protocol whose fsspec package is installed",
            _REMEDY,
        ) from error
    if asynchronous and url.scheme in ("http", "https"):
        _opened.add(file_system)
    if asynchronous and not file_system.async_impl:
        file_system = AsyncFileSystemWrapper(file_system, asynchronous=True)
    return file_system, path


def ask(url: Url, patience: Patience, request: Callable[[], T]) -> T:
    """Return the answer to a request, which is repeated where that may help.

    Raises
    ------
    VolumeError
        If it does not.
    """
    attempt = 1
    while True:
        try:
            return request()
        except transport_errors() as error:
            time.sleep(pause_before_next(url, error, attempt, patience))
            attempt += 1


def fetch(url: Url) -> bytes:
    """Return a small file; raise `VolumeError` if it cannot be read or is a web page."""
    patience = Patience.from_environment()
    files, path = file_system_of(url, patience, asynchronous=False)
    data: bytes = ask(url, patience, lambda: files.cat_file(path))
    count(stored=len(data), requests=1)
    page = web_page(url, data[:512])
    if page is not None:
        raise page
    return data


def _options(url: Url, patience: Patience) -> dict[str, Any]:
    if url.scheme in ("http", "https"):
        import aiohttp

        limits = aiohttp.ClientTimeout(total=None, sock_connect=patience.connect, sock_read=patience.silence)
        return {"client_kwargs": {"timeout": limits}}
    if url.scheme in ("s3", "s3a"):
        return {"config_kwargs": {"connect_timeout": patience.connect, "read_timeout": patience.silence}}
    return {}


@atexit.register
def _hang_up() -> None:
    """Close connections in the loop that they belong to; fsspec leaves that to who gave the loop."""
    for file_system in list(_opened):
        session = getattr(file_system, "_session", None)
        if session is not None and not session.closed:
            sync(session.close(), timeout=1)
