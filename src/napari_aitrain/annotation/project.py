"""The project folder: what a person painted and drew, kept on disk while they work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import VolumeError
from ..geometry import FINEST, Triple
from ..volumes.atomic import atomic_folder, atomic_write_text, storage_errors
from ..volumes.units import VoxelSize
from ..volumes.write_zarr import ZarrTarget
from .labels_store import LabelsStore
from .sparse import SparseTruth
from .world import WorldBox

PROJECT_VERSION = 2
STATE = "project.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeptClass(_Strict):
    """A class: id, name and colour."""

    id: int
    name: str
    color: str


class KeptImage(_Strict):
    """An image that ground truth or boxes belong to.

    Parameters
    ----------
    name : str
        Of its layer.
    path : str
        Where it came from; empty for an array that was never on disk.
    shape : tuple of int
        All axes, colours excluded.
    scale, translate : tuple of float
        As in the viewer, one number per axis.
    units, axis_labels : tuple of str
        As in the viewer.
    plugin : str
        Which reader opened it.
    """

    name: str
    path: str = ""
    shape: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    axis_labels: tuple[str, ...] = ()
    plugin: str = ""


class KeptWindow(_Strict):
    """The part of a sparse ground truth that its layer showed.

    Parameters
    ----------
    start, stop : tuple of int
        In voxels of the magnification, in z, y, x order.
    image_shape : tuple of int
        Of the whole image.
    levels : tuple of tuple of int
        Magnifications of the image's own levels.
    """

    start: Triple
    stop: Triple
    image_shape: Triple
    levels: tuple[Triple, ...] = ()


class KeptTruth(_Strict):
    """A ground truth: its layer, and how its files are named."""

    key: str
    layer: str
    image: str
    mode: Literal["instances", "classes"] = "instances"
    magnification: Triple = FINEST
    classes: tuple[KeptClass, ...] = ()
    background_id: int | None = None
    shape: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    axis_labels: tuple[str, ...] = ()
    closed: bool = False
    window: KeptWindow | None = None


class ProjectState(_Strict):
    """Everything of a project but voxels.

    Parameters
    ----------
    images, truths, boxes
        In the order in which they were made.
    """

    version: int = PROJECT_VERSION
    images: tuple[KeptImage, ...] = ()
    truths: tuple[KeptTruth, ...] = ()
    boxes: tuple[WorldBox, ...] = ()


class Project:
    """A project folder; use `create` or `open`.

    Parameters
    ----------
    folder : Path
        With ``project.json``, ``labels/KEY.zarr`` and ``images/KEY.zarr``.
    state : ProjectState
        As it is on disk.
    """

    def __init__(self, folder: Path, state: ProjectState) -> None:
        self.folder, self.state = folder, state

    @classmethod
    def create(cls, folder: Path) -> Project:
        """Make an empty project at a path where there is nothing yet.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        OutputExistsError
            If there is something.
        """
        folder = Path(folder)
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_folder(folder) as part:
            for name in ("labels", "images"):
                (part / name).mkdir()
            atomic_write_text(part / STATE, _text(ProjectState()))
        return cls(folder, ProjectState())

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project.

        Raises
        ------
        VolumeError
            If the folder is no project, is damaged, or was written by a newer version.
        """
        folder = Path(folder)
        try:
            text = (folder / STATE).read_text(encoding="utf-8")
        except OSError as error:
            raise VolumeError(
                f"{folder} is no project folder: {STATE} cannot be read",
                f"a folder with {STATE}, labels and images",
                "choose the folder of the project itself",
            ) from error
        try:
            version = json.loads(text).get("version", 0)
            if version > PROJECT_VERSION:
                raise VolumeError(
                    f"{folder} was written by a newer version (format {version})",
                    f"format {PROJECT_VERSION} or older",
                    "update napari-aitrain",
                )
            return cls(folder, ProjectState.model_validate_json(text))
        except (json.JSONDecodeError, AttributeError, TypeError, ValidationError) as error:
            raise VolumeError(
                f"{folder / STATE} is damaged: {str(error).splitlines()[0]}",
                "the file that napari-aitrain wrote",
                "restore it from a backup; the labels beside it can be opened as they are",
            ) from error

    @property
    def images(self) -> Path:
        """Where copies of images lie."""
        return self.folder / "images"

    def save_state(self, state: ProjectState) -> None:
        """Write boxes and the list of ground truths, if they changed.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone; the old state stays.
        """
        if state != self.state:
            atomic_write_text(self.folder / STATE, _text(state))
            self.state = state

    def labels_path(self, key: str, frame: Sequence[int] = ()) -> Path:
        """Return where the labels of one frame of a ground truth lie, whether they exist or not."""
        return self.folder / "labels" / f"{_stem(key, frame)}.zarr"

    def image_path(self, key: str, frame: Sequence[int] = ()) -> Path:
        """Return where the copy of one frame of an image lies, whether it exists or not."""
        return self.folder / "images" / f"{_stem(key, frame)}.zarr"

    def labels(
        self,
        key: str,
        frame: Sequence[int],
        shape: Triple,
        *,
        flat: bool = False,
        magnification: Triple = FINEST,
        voxel_size: VoxelSize | None = None,
    ) -> LabelsStore:
        """Return the stored labels of one frame, made if there are none yet.

        Parameters
        ----------
        key : str
            Of the ground truth.
        frame : sequence of int
            Index along the axes before z, y and x.
        shape : tuple of int
            Of the image, in z, y, x order.
        flat : bool
            Whether the image has no z axis.
        magnification : tuple of int
            Of the labels in memory; on disk they lie on the image's own voxels.
        voxel_size : tuple of float, optional
            Of the image, in nm.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        path = self.labels_path(key, frame)
        if not path.exists():
            chunks = LabelsStore.chunks_of(shape, magnification)
            with atomic_folder(path) as part, storage_errors(path):
                ZarrTarget(part, shape, np.dtype(np.int32), "yx" if flat else "zyx", voxel_size, chunks)
        return LabelsStore(path, magnification)

    def sparse(
        self,
        key: str,
        frame: Sequence[int],
        shape: Triple,
        magnifications: Iterable[Triple] = (),
        voxel_size: VoxelSize | None = None,
    ) -> SparseTruth:
        """Return one frame of a sparse ground truth, made if there is none yet; parameters are those of `labels`.

        Raises
        ------
        VolumeError
            If it is damaged.
        StorageError
            If the disk is full or read-only.
        """
        path = self.labels_path(key, frame)
        if path.exists():
            return SparseTruth.open(path)
        return SparseTruth.create(path, shape, magnifications, voxel_size)

    def frames(self, key: str) -> list[tuple[int, ...]]:
        """Return the frames of a ground truth of which labels are stored."""
        stems = [path.stem for path in (self.folder / "labels").glob(f"{key}*.zarr")]
        rests = [stem.removeprefix(key) for stem in stems]
        return sorted(tuple(int(n) for n in rest.split("_")[1:]) for rest in rests if rest == "" or rest[0] == "_")


def _stem(key: str, frame: Sequence[int]) -> str:
    return "_".join([key, *map(str, frame)])


def _text(state: ProjectState) -> str:
    return state.model_dump_json(indent=1) + "\n"
