"""Objects that a server answers with: there are no maps of a network to decode, and nothing to train."""

from __future__ import annotations

from typing import ClassVar

from ..errors import ConfigError
from .dividing import Division
from .object_maps import ObjectMapsTask
from .protocol import BoolArray, FloatArray, LabelArray, MapArray, Objects, Targets, TaskSettings, VoxelSize


class RemoteObjectsSettings(TaskSettings):
    """Settings of objects from a server: none."""

    foreground: ClassVar[float] = 0.5


class RemoteObjectsTask(ObjectMapsTask):
    """Objects, or boxes, of a model behind a URL; measured like all objects.

    Parameters
    ----------
    settings : RemoteObjectsSettings
        None.
    classes : tuple of int
        Background, and the classes that objects may have.
    """

    name: ClassVar[str] = "remote-objects"
    title: ClassVar[str] = "Objects of a remote model"
    description: ClassVar[str] = "Objects or boxes that a model behind a URL has found."
    Settings: ClassVar[type[TaskSettings]] = RemoteObjectsSettings
    feature_names: ClassVar[tuple[str, ...]] = ()
    architecture: ClassVar[str] = "remote"
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ()
    needs_voxel_size: ClassVar[bool] = False
    sliders: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: RemoteObjectsSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: RemoteObjectsSettings = settings or RemoteObjectsSettings()
        super().__init__(self.settings)
        self.classes = tuple(classes)

    @property
    def heads(self) -> int:
        """No maps."""
        return 0

    def auxiliary_heads(self, dims: int) -> int:
        """None."""
        return 0

    def division(self, voxel_size: VoxelSize | None, dims: int) -> Division:
        """Nothing is divided here."""
        raise _elsewhere("divided into objects")

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Nothing is learned here."""
        raise _elsewhere("trained")

    def decode(self, maps: MapArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Nothing is decoded here: the server has done it."""
        raise _elsewhere("decoded again")

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Without maps nobody knows."""
        raise _elsewhere("asked how unsure it is")


def _elsewhere(what: str) -> ConfigError:
    return ConfigError(
        f"a model behind a URL cannot be {what} here", "a model with weights on this computer", "choose another model"
    )
