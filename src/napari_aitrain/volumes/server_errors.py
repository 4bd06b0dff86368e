"""What went wrong with a server: not there, not allowed, not now, or no data at all."""

from __future__ import annotations

import re
import sys
from enum import Enum

from ..errors import VolumeError
from ..location import Url
from .patience import Patience

_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head)\b", re.IGNORECASE)
_FAILED = {408, 425, 429, 500, 502, 503, 504}
_CREDENTIALS = {
    "s3": "sign in as for the AWS command line (aws configure, AWS_PROFILE); if it is public: set FSSPEC_S3_ANON=true;"
    " of a bucket that may not be listed, also chunks that are not stored are refused: ask for s3:ListBucket",
    "gs": "sign in with: gcloud auth application-default login; for a public bucket set FSSPEC_GS_TOKEN=anon",
}


_BASES = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
)


def transport_errors() -> tuple[type[Exception], ...]:
    """Return what the libraries of those protocols raise that are in use."""
    found = [getattr(sys.modules.get(module), name, None) for module, name in _BASES]
    return OSError, EOFError, *(one for one in found if isinstance(one, type) and issubclass(one, Exception))


class Answer(Enum):
    """What an error of a file system library means."""

    MISSING = "there is no such file"
    REFUSED = "it may not be read"
    FAILED = "it may work the next time"
    OTHER = "none of these"


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status in an error, whichever library raised it."""
    for name in ("status", "code", "status_code"):
        value = getattr(error, name, None)
        if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
            return int(value)
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        value = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return value if isinstance(value, int) else None
    return None


def answered(error: BaseException) -> Answer:
    """Say what an error means."""
    status = status_of(error)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return Answer.MISSING
    if isinstance(error, PermissionError) or status in (401, 403) or type(error).__name__ == "NoCredentialsError":
        return Answer.REFUSED
    if status is not None:
        return Answer.FAILED if status in _FAILED else Answer.OTHER
    return Answer.FAILED if isinstance(error, transport_errors()) else Answer.OTHER


def explain(url: Url, error: BaseException, attempts: int) -> VolumeError:
    """Return the error for a file that a server did not give.

    Parameters
    ----------
    url : Url
        The file.
    error : BaseException
        What the library of the protocol raised.
    attempts : int
        How often it was asked for.
    """
    answer, status = answered(error), status_of(error)
    said = f"status {status}" if status is not None else str(error) or type(error).__name__
    if answer is Answer.REFUSED:
        return VolumeError(
            f"{url} may not be read ({said})",
            "an address that you are allowed to read",
            _CREDENTIALS.get(url.scheme, "ask who runs the server for access, or download the image and open the copy"),
        )
    if answer is Answer.MISSING:
        return missing(url)
    if isinstance(error, TimeoutError):
        said = "no answer in time"
    times = f" after {attempts} attempts" if attempts > 1 else ""
    return VolumeError(
        f"{url} cannot be read{times}: {said}",
        "a server that answers",
        "check address and network, and try again; set AITRAIN_REMOTE_TIMEOUT to more seconds for a slow server",
    )


def pause_before_next(url: Url, error: Exception, attempt: int, patience: Patience) -> float:
    """Return how many seconds to wait before a file is asked for again.

    Raises
    ------
    VolumeError
        If that is of no use, or it was asked for often enough.
    """
    if answered(error) is Answer.FAILED and attempt < patience.attempts:
        return patience.pause * 2.0 ** (attempt - 1)
    raise explain(url, error, attempt) from error


def missing(url: Url) -> VolumeError:
    """Return the error for an address at which there is nothing."""
    return VolumeError(
        f"there is nothing that can be opened at {url}",
        "the address of a zarr, OME-Zarr or N5, or of a TIFF or HDF5 file",
        "check the address, capitals too; give that of the folder with zarr.json, .zgroup or .zarray in it",
    )


def web_page(url: Url, beginning: bytes) -> VolumeError | None:
    """Return the error for an answer that is a web page, or None for data."""
    if not _PAGE.match(beginning):
        return None
    return VolumeError(
        f"{url} answers with a web page instead of data",
        "the bytes of the file",
        "open the address in a browser: it may want you to sign in, or show a viewer; give the address of the data"
        " itself",
    )
