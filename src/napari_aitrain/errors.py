"""One tree of errors that people meet: what was wrong, what was expected, what to do.

Every class also inherits the builtin that a caller who knows nothing of this package would catch.
"""

from __future__ import annotations


class AitrainError(Exception):
    """An error a person can meet and mend.

    Parameters
    ----------
    what : str
        What was found to be wrong, with the file, box or setting concerned.
    expected : str
        What would have been right.
    remedy : str
        What the person can do about it.
    """

    def __init__(self, what: str, expected: str = "", remedy: str = "") -> None:
        self.what, self.expected, self.remedy = what, expected, remedy
        super().__init__(what, expected, remedy)

    def __str__(self) -> str:
        lines = [self.what]
        if self.expected:
            lines.append(f"Expected: {self.expected}")
        if self.remedy:
            lines.append(f"What to do: {self.remedy}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str]:
        """Return the error as plain data, for events and ``--json``."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "expected": self.expected,
            "remedy": self.remedy,
        }


class VolumeError(AitrainError, ValueError):
    """An image or labels file cannot be read, or is not what it was said to be."""


class GroundTruthError(AitrainError, ValueError):
    """Ground truth does not fit its image, or has values that labels cannot have."""


class BoxError(AitrainError, ValueError):
    """A box is empty, outside its volume or written wrongly."""


class ConfigError(AitrainError, ValueError):
    """A setting is unknown or has a value that it cannot have."""


class ScriptNotTrustedError(ConfigError):
    """A script that provides a task is code that nobody has agreed to on this computer.

    Parameters
    ----------
    what, expected, remedy : str
        See `AitrainError`.
    path : path-like, optional
        Where the script lies, if that is known.
    """

    def __init__(self, what: str, expected: str = "", remedy: str = "", path: object = None) -> None:
        super().__init__(what, expected, remedy)
        self.path = path


class TaskScriptError(AitrainError, RuntimeError):
    """Code of other people that provides a task raises, does not end, or is not to be run here."""


class NotReadyError(AitrainError, ValueError):
    """A job has errors that block its start."""


class ModelError(AitrainError, ValueError):
    """A model folder is damaged, incomplete or from a newer version."""


class MissingWeightsError(ModelError):
    """Weights that are known by name are not on this computer."""


class DeviceError(AitrainError, RuntimeError):
    """The device asked for is not there or has too little memory."""


class OutputExistsError(AitrainError, FileExistsError):
    """Something would have been written over."""


class StorageError(AitrainError, OSError):
    """The disk is full, read-only or has gone."""


class DownloadError(AitrainError, RuntimeError):
    """Weights cannot be downloaded, or what came is not what was asked for."""


class DownloadStoppedError(AitrainError, RuntimeError):
    """A person has stopped a download; what has come is kept."""


class JobError(AitrainError, RuntimeError):
    """A job folder is not what it should be, or its worker has gone."""


class TrainingDivergedError(AitrainError, ArithmeticError):
    """The loss stayed non-finite after falling back to a good checkpoint."""


class RemoteError(AitrainError, RuntimeError):
    """A model behind a URL cannot be asked, or its answer cannot be used.

    Parameters
    ----------
    what, expected, remedy : str
        See `AitrainError`; they hold no key and no other header.
    trouble : str
        Which kind of trouble, one of `inference.remote.troubles.TROUBLES`.
    """

    def __init__(self, what: str, expected: str = "", remedy: str = "", trouble: str = "") -> None:
        super().__init__(what, expected, remedy)
        self.trouble = trouble

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, str, str, str]]:
        return type(self), (self.what, self.expected, self.remedy, self.trouble)
