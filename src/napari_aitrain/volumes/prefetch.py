"""Read what will be needed next while something else is computed."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import AitrainError
from .chunked import ChunkedArray, Spans
from .lazy import READ_ERRORS

_log = logging.getLogger(__name__)
_THREADS, _MOST_WAITING = 4, 16
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()
_waiting = threading.BoundedSemaphore(_MOST_WAITING)


def prefetch(array: ChunkedArray, spans: Spans) -> Future[None] | None:
    """Read chunks into the cache in another thread.

    Nothing happens where they would push each other out of the cache, or while too much is asked for already: reading
    the region later is never wrong, only slower. An error is left to who reads the region.

    Returns
    -------
    Future or None
        Of the reading; None where nothing is read ahead.
    """
    if not array.fits(spans) or not _waiting.acquire(blocking=False):
        return None
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="prefetch")
    future = _pool.submit(_visit, array, spans)
    future.add_done_callback(lambda _: _waiting.release())
    return future


def _visit(array: ChunkedArray, spans: Spans) -> None:
    try:
        array.visit(spans)
    except (AitrainError, *READ_ERRORS) as error:
        _log.info("not read ahead: %s", error)
