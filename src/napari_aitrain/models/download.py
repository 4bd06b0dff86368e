"""Download weights: goes on where it stopped, checks what came, and gives it its name only when it is whole.

Called only after a person has agreed to source, size and licence.
"""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import DownloadError, DownloadStoppedError, StorageError
from ..volumes.atomic import move_into_place, refuse_existing, storage_errors, sync_file
from ..volumes.file_lock import FileLock
from ..volumes.output_lock import lock_path
from ..volumes.patience import Patience
from ..words import spoken_size
from .weights import FOLDER_VARIABLE, KnownWeights, check_weights, offline_remedy

_PIECE = 2**18
_AGAIN = "start the download again; it goes on where it stopped"

Progress = Callable[[int, int], None]
"""Takes bytes that are there and bytes in all."""


def download(known: KnownWeights, folder: Path, *, progress: Progress, cancelled: Callable[[], bool]) -> Path:
    """Download known weights into a folder and return the file.

    What has come stays in ``NAME.part`` beside it, and the next call goes on from there if the server can. A server
    that breaks off is asked again a few times.

    Parameters
    ----------
    known : KnownWeights
        What to download.
    folder : Path
        Where to; made if need be.
    progress : callable
        Called as ``progress(done, total)``, in bytes, in this thread.
    cancelled : callable
        Asked between pieces; when it returns True the download stops and keeps what it has.

    Raises
    ------
    DownloadError
        If the server cannot be reached, has not the file, or gives another one.
    DownloadStoppedError
        If it was cancelled.
    OutputExistsError
        If there is a file of that name, or another process downloads it.
    StorageError
        If the disk is full or read-only.
    """
    target = folder / known.name
    refuse_existing(target)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _Lock(target):
        part = folder / f"{known.name}.part"
        _check_space(folder, known.size - _size(part))
        _Download(known, part, progress, cancelled, Patience.from_environment()).run()
        try:
            check_weights(part, known)
        except ValueError as error:
            part.unlink()
            raise DownloadError(
                f"what {known.url} gave is damaged, or has changed: {error}",
                f"SHA-256 {known.sha256}",
                "start the download again; if that does not help, update napari-aitrain",
            ) from error
        with storage_errors(target):
            sync_file(part)
            refuse_existing(target)
            move_into_place(part, target)
    return target


class _Lock(FileLock):
    """Keeps two processes from writing one part."""

    def __init__(self, target: Path) -> None:
        super().__init__(lock_path(target))
        self._target = target

    def held(self, by: str) -> DownloadError:
        return DownloadError(
            f"{self._target} is being downloaded{by}", "one download at a time", "wait until that one has ended"
        )


@dataclass(frozen=True)
class _Download:
    known: KnownWeights
    part: Path
    progress: Progress
    cancelled: Callable[[], bool]
    patience: Patience

    def run(self) -> None:
        """Fetch until all is there; a connection that breaks is made anew, more often where that brings it on."""
        failures = 0
        while (before := _size(self.part)) != self.known.size:
            if self.known.sha256 is None or before > self.known.size:
                # Without a checksum nothing would tell whether two parts are of one file.
                self.part.unlink(missing_ok=True)
            try:
                self._fetch()
                problem = "the connection broke off"
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, StorageError):
                    raise
                problem = _said(error)
            here = _size(self.part)
            if here == self.known.size:
                return
            failures = 1 if here > before else failures + 1
            if failures >= self.patience.attempts:
                raise self._broken(problem, here)
            self._wait(self.patience.pause * 2.0 ** (failures - 1))

    def _fetch(self) -> None:
        """Ask once for what is missing, and write what comes."""
        here = _size(self.part)
        headers = {"User-Agent": "napari-aitrain", "Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
        self._stop_if_asked()
        request = urllib.request.Request(self.known.url, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=self.patience.silence)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error.code)
            return
        with answer:
            start = self._start(answer, here)
            self._check_answer(answer, start)
            with storage_errors(self.part), self.part.open("ab" if start else "wb") as file:
                self._copy(answer, file, start)

    def _start(self, answer: http.client.HTTPResponse, here: int) -> int:
        """Return from which byte on the answer gives the file; servers that know no ranges give all of it."""
        told = answer.headers.get("Content-Range", "")
        return here if answer.status == 206 and told.startswith(f"bytes {here}-") else self._whole(answer)

    def _whole(self, answer: http.client.HTTPResponse) -> int:
        if answer.status == 206:
            raise DownloadError(
                f"{self.known.url} gave another part than was asked for",
                "the rest of the file",
                f"delete {self.part} and start the download again",
            )
        return 0

    def _check_answer(self, answer: http.client.HTTPResponse, start: int) -> None:
        if answer.headers.get_content_type() == "text/html":
            raise DownloadError(
                f"{self.known.url} answers with a web page instead of weights",
                f"a file of {self.known.size:,} bytes",
                "sign in to the network if it asks for that in a browser, or "
                + offline_remedy(self.known, self.part.parent),
            )
        length = answer.headers.get("Content-Length")
        if length is not None and start + int(length) != self.known.size:
            raise DownloadError(
                f"{self.known.url} has {start + int(length):,} bytes",
                f"{self.known.size:,} bytes",
                "the file there has changed: update napari-aitrain",
            )

    def _copy(self, answer: http.client.HTTPResponse, file: BinaryIO, done: int) -> None:
        self.progress(done, self.known.size)
        while True:
            self._stop_if_asked()
            try:
                piece = answer.read1(_PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise _BrokenOffError(_said(error)) from error
            if not piece:
                return
            file.write(piece)
            done += len(piece)
            if done > self.known.size:
                raise DownloadError(
                    f"{self.known.url} gives more than it should",
                    f"{self.known.size:,} bytes",
                    "update napari-aitrain, or start the download again later",
                )
            self.progress(done, self.known.size)

    def _refused(self, status: int) -> None:
        """Raise what a status means, unless asking again may help."""
        if status == 416:
            self.part.unlink(missing_ok=True)
        elif status in (404, 410):
            raise DownloadError(
                f"{self.known.url} is not there any more (status {status})",
                f"a file of {self.known.size:,} bytes",
                "update napari-aitrain; Cellpose's own page says where its weights are now",
            )
        elif status < 500 and status not in (408, 425, 429):
            raise DownloadError(
                f"{self.known.url} may not be read (status {status})",
                "an address that anybody may read",
                "a proxy may stand between: " + offline_remedy(self.known, self.part.parent),
            )
        else:
            raise _BrokenOffError(f"status {status}")

    def _broken(self, problem: str, here: int) -> DownloadError:
        got = f", {spoken_size(here)} of {spoken_size(self.known.size)} are here" if here else ""
        remedy = f"{_AGAIN}, or " if here else "check the network and try again, or "
        return DownloadError(
            f"{self.known.url} cannot be downloaded: {problem}{got}",
            "a network connection to that server",
            remedy + offline_remedy(self.known, self.part.parent),
        )

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._stop_if_asked()
            time.sleep(min(0.1, seconds))

    def _stop_if_asked(self) -> None:
        if self.cancelled():
            raise DownloadStoppedError(
                f"the download of {self.known.name} was stopped at {spoken_size(_size(self.part))}", "", _AGAIN
            )


class _BrokenOffError(http.client.HTTPException):
    """The server may answer the next time."""


def _said(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return str(reason) or type(reason).__name__


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _check_space(folder: Path, needed: int) -> None:
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder} has {spoken_size(free)} free, {spoken_size(needed)} are needed",
            "enough free space",
            f"free some, or set {FOLDER_VARIABLE} to a folder on another disk",
        )
