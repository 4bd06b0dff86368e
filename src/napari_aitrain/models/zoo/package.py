"""The packages of the zoo's format, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ...errors import ModelError


def optional(name: str) -> ModuleType:
    """Return a module that the extra ``bioimageio`` brings.

    Raises
    ------
    ModelError
        If it is not installed, with what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"the format of the BioImage Model Zoo needs {name}, which cannot be imported ({error})",
            "the packages of the extra bioimageio",
            'install them: pip install "napari-aitrain[bioimageio]"',
        ) from error
