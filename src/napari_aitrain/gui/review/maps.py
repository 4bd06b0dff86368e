"""What a network said of a prediction, from which objects can be made again by other settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...evaluation.calibration import Calibration, rescore
from ...geometry import Region
from ...inference.store import from_bytes
from ...tasks.protocol import Objects, Task
from ...tasks.sliders import slider_values, with_values
from ...volumes.units import VoxelSize

MapBytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Maps:
    """Activated maps as bytes, 255 for 1.

    Parameters
    ----------
    task : Task
        With the settings that the objects were made with.
    dims : {2, 3}
        Whether slices or volumes are decoded.
    voxel_size : tuple of float or None
        What decoding takes for the voxel size, nm, z, y, x.
    read : callable
        Returns the maps of a region of the prediction, shape (heads, z, y, x); may read files.
    calibration : Calibration, optional
        How features of objects become scores; scores are raw without.
    """

    task: Task
    dims: int
    voxel_size: VoxelSize | None
    read: Callable[[Region], MapBytes]
    calibration: Calibration | None = None

    @property
    def values(self) -> dict[str, float]:
        """Where the sliders stood when the objects were made."""
        return slider_values(self.task)

    def decode(self, maps: MapBytes, values: Mapping[str, float]) -> Objects:
        """Return the objects of some maps with other values of the sliders.

        Raises
        ------
        ConfigError
            If a value cannot be.
        """
        task = with_values(self.task, values)
        given: Any = maps if task.takes_bytes else from_bytes(maps)
        return rescore(task.decode(given, self.voxel_size, self.dims), self.calibration)
