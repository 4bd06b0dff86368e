"""The package cellpose, which is not always there, and torchvision, which it needs and which must fit torch."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ..errors import ConfigError

OLDEST = (4, 2)
_INSTALL = 'pip install "napari-aitrain[cellpose]"'
_OPERATORS = ("nms", "qnms")
_library: torch.library.Library | None = None


def cellpose_module(name: str) -> Any:
    """Import a module of the package cellpose.

    Parameters
    ----------
    name : str
        Such as ``core``.

    Raises
    ------
    ConfigError
        If cellpose is missing or too old, or torchvision does not fit torch; it says what to install.
    """
    _check_version()
    _import_torchvision()
    # Cellpose switches this on for everybody in the process.
    precise = torch.backends.cuda.matmul.allow_tf32
    try:
        return importlib.import_module(f"cellpose.{name}")
    except ImportError as error:
        raise ConfigError(
            f"cellpose cannot be imported: {error}", "cellpose with the packages that it needs", _INSTALL
        ) from error
    finally:
        torch.backends.cuda.matmul.allow_tf32 = precise


def _check_version() -> None:
    try:
        found = version("cellpose")
    except PackageNotFoundError:
        raise ConfigError("the package cellpose is not installed", "cellpose 4.2 or newer", _INSTALL) from None
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < OLDEST:
        raise ConfigError(
            f"cellpose {found} is installed",
            "cellpose 4.2 or newer",
            f"{_INSTALL}; to keep the old one for its models, use another environment",
        )


def _import_torchvision() -> None:
    """Import torchvision, also where its compiled part does not load: Cellpose uses no operator of it.

    Without them torchvision fails while it describes two operators; it is enough that these are declared.
    """
    global _library
    if "torchvision" in sys.modules:
        return
    try:
        importlib.import_module("torchvision")
        return
    except ImportError as error:
        raise _unfit(error) from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _unfit(error) from error
    _forget_torchvision()
    if _library is None:
        _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in _OPERATORS:
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, AttributeError) as error:
        _forget_torchvision()
        raise _unfit(error) from error


def _forget_torchvision() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def _unfit(error: Exception) -> ConfigError:
    try:
        found = f"torchvision {version('torchvision')}"
    except PackageNotFoundError:
        found = "torchvision, which is missing,"
    fitting = fitting_torchvision(torch.__version__)
    return ConfigError(
        f"{found} and torch {torch.__version__} do not fit together: {str(error).splitlines()[0]}",
        f"torchvision {fitting} for this torch",
        f'pip install --no-deps "torchvision=={fitting}", from the same index as torch',
    )


def fitting_torchvision(torch_version: str) -> str:
    """Return which torchvision goes with a torch: their second numbers are 15 apart.

    Examples
    --------
    >>> fitting_torchvision("2.5.1+cpu")
    '0.20.*'
    """
    minor = int(torch_version.split(".")[1])
    return f"0.{minor + 15}.*"
