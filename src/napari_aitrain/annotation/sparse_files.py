"""Where the parts of a sparse ground truth lie, and the file that says how far its saves have come."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import VolumeError
from ..geometry import Triple, parse_magnification
from .sparse_sheet import Sheet

STATE, JOURNAL, LOCK = "state.json", "journal", "lock.json"


class State(BaseModel):
    """What is known of a sparse ground truth beside its voxels.

    Parameters
    ----------
    shape : tuple of int
        Of the image, in z, y, x order.
    levels : tuple of tuple of int
        Magnifications of the pyramid.
    group : int
        The last group of changes that is complete.
    voxels : dict
        Voxels per id, per magnification.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    shape: Triple
    levels: tuple[Triple, ...]
    group: int = 0
    voxels: dict[str, dict[int, int]] = {}


def painted_folder(path: Path) -> Path:
    """Return the folder of the sheets and the journal of a sparse ground truth."""
    return path.with_name(f"{path.stem}.painted")


def is_sparse(path: Path) -> bool:
    """Whether labels are a sparse ground truth."""
    return (painted_folder(path) / STATE).is_file()


def read_state(path: Path) -> State:
    """Return the state of a sparse ground truth.

    Raises
    ------
    VolumeError
        If it is damaged.
    """
    file = painted_folder(path) / STATE
    try:
        return State.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise VolumeError(
            f"{file} cannot be read: {str(error).splitlines()[0]}",
            "the file that napari-aitrain wrote",
            f"restore it from a backup; {path.name} beside it can be opened as it is",
        ) from error


def open_sheets(path: Path) -> dict[Triple, Sheet]:
    """Return what was painted, by magnification.

    Raises
    ------
    VolumeError
        If a sheet is damaged.
    """
    return {parse_magnification(one.stem): Sheet(one) for one in painted_folder(path).glob("*.zarr")}
