"""How a model sees an image: which channels, at which magnification, normalised how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..geometry import FINEST, Region, Triple, format_magnification, parse_magnification, triple
from ..models import Model, ModelCard
from ..nets import AnyNetworkConfig, read_network
from ..nets.remote_config import RAW, RemoteNetworkConfig, remote_network
from ..nets.zoo_config import ZooConfig
from ..tasks import get_task
from ..tasks.protocol import FloatArray
from ..volumes import Normalisation, Volume, check_chunks, sample_voxels
from ..volumes.resample import Factors, is_same, resample
from ..volumes.units import VoxelSize

_FACTORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_FAR = 2.0


@dataclass(frozen=True)
class PreparedImage:
    """An image as a model is to see it.

    Parameters
    ----------
    volume : Volume
        With the model's channels, at the magnification of the prediction.
    normalisation : Normalisation
        Of this image.
    magnification : tuple of int
        z, y, x, relative to the volume that was given.
    notes, warnings : tuple of str
        Sentences for people.
    resampled : tuple of float, optional
        How many voxels of the volume that was given a voxel is long, z, y, x, where it was resampled.
    decode_size : tuple of float, optional
        nm, z, y, x, to decode with: that of the volume, or where it is not known that of the training.
    """

    volume: Volume
    normalisation: Normalisation
    magnification: Triple
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    resampled: Factors | None = None
    decode_size: VoxelSize | None = None

    def read(self, region: Region) -> FloatArray:
        """Return normalised voxels, float32, shape (c, z, y, x)."""
        return self.normalisation.apply(self.volume.read(region))


def prepare_image(model: Model, volume: Volume, resampled: bool = False) -> PreparedImage:
    """Choose channels and magnification, and estimate the normalisation on a bounded sample of the image.

    The magnification is the one whose voxels are nearest in log size to those the model was trained on. A stored one
    is taken unless another, that is computed while reading, is clearly nearer. Where a voxel size is unknown it is the
    training's magnification.

    Parameters
    ----------
    model : Model
        The trained model.
    volume : Volume
        Any image.
    resampled : bool
        Bring the image to just the voxel size of the training, by linear interpolation after the magnification.

    Raises
    ------
    ConfigError
        If the image has not the channels that the model takes, or is to be resampled and a voxel size is not known.
    """
    view = choose_view(model, volume, resampled)
    warnings = list(view.warnings)
    warnings += [f"{finding.message}; {finding.remedy}." for finding in check_chunks(volume, volume.region)]
    normalisation = _normalisation(model, view.volume, warnings)
    return PreparedImage(
        view.volume,
        normalisation,
        view.magnification,
        view.notes,
        tuple(warnings),
        view.resampled,
        view.volume.voxel_size or model.card.voxel_size,
    )


@dataclass(frozen=True)
class View:
    """The channels, and the magnification or voxel size, of an image that a model is to see, see `PreparedImage`."""

    volume: Volume
    magnification: Triple
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    resampled: Factors | None = None


def choose_view(model: Model, volume: Volume, resampled: bool = False) -> View:
    """Choose channels and magnification as `prepare_image` does; nothing is read."""
    notes: list[str] = []
    warnings: list[str] = []
    volume = _select_channels(model, volume, notes)
    if resampled:
        return _resampled(model, volume, notes, warnings)
    magnification = _choose_magnification(model, volume, notes, warnings)
    if magnification != FINEST:
        volume = volume.at(magnification)
        notes.append(
            f"The prediction is made and written at magnification {format_magnification(magnification)} (x-y-z)."
        )
    return View(volume, magnification, tuple(notes), tuple(warnings))


def _resampled(model: Model, volume: Volume, notes: list[str], warnings: list[str]) -> View:
    trained, here = model.card.voxel_size, volume.voxel_size
    if trained is None or here is None:
        unknown = f"the model {model.card.name}" if trained is None else volume.name
        raise ConfigError(
            f"the image is to be resampled, and the voxel size of {unknown} is not known",
            "the voxel size of the image, and a model that was trained with one",
            "give --voxel-size Z,Y,X in nm" if here is None else "predict without resampling",
        )
    flat = model.card.dims == 2
    magnification = _coarser(trained, here, flat)
    view = volume.at(magnification) if magnification != FINEST else volume
    effective = view.voxel_size
    assert effective is not None
    factors = [1.0 if flat and axis == 0 else trained[axis] / effective[axis] for axis in range(3)]
    factors = [1.0 if is_same(factor) else factor for factor in factors]
    if factors == [1.0, 1.0, 1.0]:
        notes.append(f"The model sees voxels of {_nm(effective)} nm (x, y, z); nothing needs to be resampled.")
        return View(view, magnification, tuple(notes), tuple(warnings))
    view = resample(view, (factors[0], factors[1], factors[2]))
    assert view.voxel_size is not None
    notes.append(
        f"The image of {_nm(here)} nm is resampled to {_nm(view.voxel_size)} nm (x, y, z), as in the training; the "
        "labels are written on the voxels of the image."
    )
    coarse = max(h / t for h, t in zip(here[1 if flat else 0 :], trained[1 if flat else 0 :], strict=True))
    if coarse > _FAR:
        warnings.append(
            f"The voxels of the image are {coarse:.1f} times as long as those the model was trained on: resampling "
            "adds no detail, so expect poor results, or train on such images too."
        )
    z, y, x = (m * f for m, f in zip(magnification, factors, strict=True))
    return View(view, magnification, tuple(notes), tuple(warnings), (z, y, x))


def _coarser(trained: VoxelSize, here: VoxelSize, flat: bool) -> Triple:
    """Return the magnification that comes nearest without being coarser than the training by more than a tenth."""
    ratios = [1.0 if flat and axis == 0 else trained[axis] / here[axis] for axis in range(3)]
    return triple([max(f for f in _FACTORS if f == 1 or f <= 1.1 * ratio) for ratio in ratios])


def _nm(size: Sequence[float]) -> str:
    return " × ".join(f"{v:g}" for v in reversed(size))


def _select_channels(model: Model, volume: Volume, notes: list[str]) -> Volume:
    wanted, names = int(model.card.network["in_channels"]), model.card.channels
    if _network(model.card).takes_channels(len(volume.channels)):
        return volume
    named = all(not name.isdigit() and volume.channels.count(name) == 1 for name in names)
    if len(names) == wanted and named:
        notes.append(f"Of the channels of the image those that the model knows are used: {', '.join(names)}.")
        return volume.select(names)
    raise ConfigError(
        f"{volume.name} has {len(volume.channels)} channels ({', '.join(volume.channels)}), "
        f"the model {model.card.name} takes {wanted}",
        "as many channels as the model was trained with" + (f": {', '.join(names)}" if names else ""),
        "name the channels to use in the order of the training, by name or number from 0",
    )


def _choose_magnification(model: Model, volume: Volume, notes: list[str], warnings: list[str]) -> Triple:
    trained, here, dims = model.card.voxel_size, volume.voxel_size, model.card.dims
    if trained is None or here is None:
        magnification = parse_magnification(model.card.magnification)
        if magnification != FINEST:
            notes.append("The voxel size is not known, so the magnification of the training is used.")
        if trained is not None and get_task(model.card.task).needs_voxel_size:
            warnings.append(
                f"The voxel size of {volume.name} is not known; voxels are taken to be as long as in the training, "
                f"{_nm(trained)} nm (x, y, z). Give the voxel size if they are not, or objects are divided wrongly."
            )
        return magnification
    axes = range(3 - dims, 3)

    def distance(magnification: Triple) -> float:
        return sum(abs(math.log(here[a] * magnification[a] / trained[a])) for a in axes)

    nearest = [_nearest_factor(t / h) for t, h in zip(trained, here, strict=True)]
    if dims == 2:
        nearest[0] = 1
    stored = min(volume.magnifications, key=distance)
    computed = triple(nearest)
    magnification = computed if distance(computed) < distance(stored) - 0.1 else stored
    effective = [h * m for h, m in zip(here, magnification, strict=True)]
    size = _nm(effective)
    notes.append(f"The model sees voxels of {size} nm (x, y, z).")
    worst = max(max(effective[a] / trained[a], trained[a] / effective[a]) for a in axes)
    if worst > _FAR:
        warnings.append(
            f"The model was trained on voxels of {_nm(trained)} nm (x, y, z) and now sees {size} nm, off by a factor "
            f"of {worst:.1f}: expect poor results; resample the image (--resample) or train on such images too."
        )
    return magnification


def clip_of(card: ModelCard) -> tuple[float, float]:
    """Return between what the images of a model are clipped when they are normalised."""
    network = _network(card)
    if isinstance(network, ZooConfig):
        return network.clip
    return (-RAW, RAW) if isinstance(network, RemoteNetworkConfig) else get_task(card.task).scaling.clip


def _network(card: ModelCard) -> AnyNetworkConfig | RemoteNetworkConfig:
    return remote_network(card.network) or read_network(card.network)


def _nearest_factor(ratio: float) -> int:
    return min(_FACTORS, key=lambda factor: abs(math.log(factor / ratio)))


def _normalisation(model: Model, volume: Volume, warnings: list[str]) -> Normalisation:
    sample = sample_voxels(volume, [volume.region])
    if not np.isfinite(sample).all():
        warnings.append(f"{volume.name} has NaN or infinite voxels: do not trust the labels there and close by.")
    network = _network(model.card)
    if isinstance(network, (RemoteNetworkConfig, ZooConfig)):
        return network.normalisation(sample)
    here = Normalisation.estimate(sample, get_task(model.card.task).scaling)
    if not any(here.constant) or not model.card.normalisation:
        return here
    trained = Normalisation.model_validate(model.card.normalisation)
    which = ", ".join(name for name, flat in zip(volume.channels, here.constant, strict=True) if flat)
    warnings.append(
        f"{volume.name} has one value only in channel {which}, as far as was looked; "
        "intensities are scaled there as in training."
    )
    pairs = list(zip(here.constant, trained.low, here.low, trained.high, here.high, strict=True))
    return Normalisation(
        low=tuple(was if flat else now for flat, was, now, _, _ in pairs),
        high=tuple(was if flat else now for flat, _, _, was, now in pairs),
        clip=here.clip,
    )
