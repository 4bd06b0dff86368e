"""What a person asked for, and what becomes of an image by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import ValidationError

from ..errors import ConfigError
from ..tasks.protocol import FloatArray, VoxelSize
from .finding import Found
from .settings import MOST_DIAMETER, MOST_SIGMA, AutosegmentSettings, Preset, used_with
from .starter import choose_starter, find_by_starter
from .suggesting import suggest_and_find

Dims = Literal["auto", "2", "3"]
_ALLOWED = (
    f"a sigma from 0 to {MOST_SIGMA:g} voxels, a minimum size of 1 voxel or more, a diameter from 1 to "
    f"{MOST_DIAMETER:,.0f} voxels, a threshold from 0 to 1, and one of the presets"
)


@dataclass(frozen=True)
class Asked:
    """What a person asked for; what is None follows from each image.

    Parameters
    ----------
    preset : str
        What is in the images.
    minimum_size : int, optional
        In voxels.
    sigma : float, optional
        In voxels of the finest axis.
    dark : bool
        Whether objects are darker than their background.
    dims : {'auto', '2', '3'}
        Slice by slice, or as volumes; auto takes an image of several slices as a volume.
    model : str
        Name of a starter model, for that preset; empty takes the one that fits the image.
    diameter : float, optional
        Of typical objects, for the starter model, in voxels of the finest axis.
    threshold : float, optional
        Of the scores that the starter model gives.

    Raises
    ------
    ConfigError
        If a number is out of its range or is not one of the preset, or there is no such preset.
    """

    preset: Preset = "single-cells"
    minimum_size: int | None = None
    sigma: float | None = None
    dark: bool = False
    dims: Dims = "auto"
    model: str = ""
    diameter: float | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        given = {key: value for key, value in asdict(self).items() if value is not None and key != "dims"}
        try:
            AutosegmentSettings.model_validate(given)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise ConfigError(
                f"{wrong['loc'][0]} cannot be {wrong['input']}",
                _ALLOWED,
                "change it, or leave it away: the image suggests the numbers",
            ) from error
        if idle := [key for key, value in given.items() if value != "" and key not in used_with(self.preset)]:
            raise ConfigError(
                f"the preset {self.preset} does not use {' and '.join(idle)}",
                "model, diameter and threshold with the preset starter; minimum_size and sigma with the others",
                "leave it away, or choose another preset",
            )

    @classmethod
    def of(cls, settings: AutosegmentSettings, dims: Dims = "auto") -> Asked:
        """Return that just these settings are asked for, for every image."""
        return cls(**settings.used(), dims=dims)

    def dims_of(self, depth: int) -> int:
        """Return 2 or 3 for an image of so many slices."""
        return 2 if self.dims == "2" or depth == 1 else 3


def segment(
    image: FloatArray,
    asked: Asked,
    voxel_size: VoxelSize | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> tuple[AutosegmentSettings, Found, int]:
    """Segment an image.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities.
    asked : Asked
        What to find.
    voxel_size : tuple of float, optional
        nm, z, y, x; only ratios count.
    watch : callable, optional
        See `starter.find_by_starter`.

    Returns
    -------
    AutosegmentSettings
        That were used.
    Found
        Objects.
    int
        2 if objects are those of slices, else 3.

    Raises
    ------
    AitrainError
        See `starter.find_by_starter`.
    """
    dims = asked.dims_of(image.shape[0])
    if asked.preset != "starter":
        given: dict[str, Any] = {"minimum_size": asked.minimum_size, "sigma": asked.sigma}
        given = {key: value for key, value in given.items() if value is not None}
        settings, found = suggest_and_find(image, asked.preset, voxel_size, dims, asked.dark, **given)
        return settings, found, dims
    # A stack may be taken slice by slice, where no model of volumes is at hand.
    name, card = choose_starter(asked.model, (dims, 5 - dims) if asked.dims == "auto" else (dims,), voxel_size)
    threshold = card.threshold if asked.threshold is None else asked.threshold
    settings = AutosegmentSettings(
        preset="starter", model=name, diameter=asked.diameter, threshold=threshold, dark=asked.dark
    )
    return settings, find_by_starter(image, settings, voxel_size, watch).above(threshold), card.dims
