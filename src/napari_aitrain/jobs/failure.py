"""What went wrong, in words a person can use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .. import errors
from ..errors import AitrainError
from ..tasks.code import blame
from ..volumes.atomic import storage_error


def describe(error: BaseException, log: Path | None = None) -> dict[str, str]:
    """Return any error as ``error``, ``what``, ``expected`` and ``remedy``.

    Parameters
    ----------
    error : BaseException
        An `AitrainError` says all this itself.
    log : Path, optional
        Where its traceback is.
    """
    told = error if isinstance(error, AitrainError) else blame(error)
    if told is not None:
        return told.as_dict()
    if isinstance(error, OSError) and error.filename is not None:
        return storage_error(Path(str(error.filename)), error).as_dict()
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return {
            "error": name,
            "what": "there was too little memory",
            "expected": "enough free memory for one step of training",
            "remedy": "close other programs, or set a smaller patch_shape, batch_size or network",
        }
    where = f"; please report it with {log}" if log else ""
    return {
        "error": name,
        "what": f"an error that should not happen: {name}: {error}",
        "expected": "",
        "remedy": f"this is a fault of napari-aitrain{where}",
    }


def as_error(failed: Mapping[str, str]) -> AitrainError:
    """Return the error that a ``failed`` event tells of; a fault of the program becomes a `JobError`."""
    kind = getattr(errors, str(failed.get("error")), errors.JobError)
    if not (isinstance(kind, type) and issubclass(kind, AitrainError)):
        kind = errors.JobError
    return kind(*(str(failed.get(key, "")) for key in ("what", "expected", "remedy")))
