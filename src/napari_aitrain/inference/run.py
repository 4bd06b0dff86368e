"""The whole way from a model and an image, or a folder of images, to labels and scores on disk."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import VolumeError
from ..location import Location, located
from ..models import Model, find_model
from ..nets.scaled import at_scale
from ..volumes import Volume, open_volume
from ..volumes.atomic import storage_errors
from ..volumes.damage import OnDamage
from ..volumes.opening import settle_axes
from ..volumes.outputs import pair_outputs
from ..volumes.write_zarr import ZarrOptions
from ..volumes.writers import check_voxel_size_for
from .blocks import Cancelled, Progress
from .export import check_export, export, scores_path
from .export_maps import check_kinds, maps_path
from .image import View, choose_view
from .info import FailedBlock
from .predictor import Network
from .sizing import Diameter, sized
from .store import SUFFIX, PredictionInfo, StoredPrediction, VoxelSize, check_threshold, read_info
from .tables import check_formats
from .volume import make_network, model_fingerprint, predict_volume


@dataclass(frozen=True)
class PredictedImage:
    """What became of one image.

    Parameters
    ----------
    image, out, scores, store : Path
        The image, the labels, the table of scores, and the folder that keeps what a new threshold needs.
    threshold : float
        That the labels were written at.
    objects : int or None
        Objects in the labels; None for classes.
    network_ran : bool
        False where a stored prediction was used.
    seconds : float
        Time it took.
    notes, warnings : tuple of str
        Sentences for people.
    failed : tuple of FailedBlock
        Parts of the image that could not be predicted.
    """

    image: Location
    out: Path
    scores: Path
    store: Path
    threshold: float
    objects: int | None
    network_ran: bool
    seconds: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    failed: tuple[FailedBlock, ...] = ()


@dataclass(frozen=True)
class _How:
    """What `predict` was asked, beside model and images."""

    threshold: float | None
    resume: bool
    resample: bool
    diameter: Diameter | None
    options: ZarrOptions | None
    tables: Sequence[str]
    save: Sequence[str]
    running: dict[str, Any]
    """What `predict_volume` is given as it is."""


def predict(
    model_path: Path | str,
    image_path: Location | str,
    out: Path | str,
    *,
    threshold: float | None = None,
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    channels: Sequence[str | int] | None = None,
    axes: str | None = None,
    voxel_size: VoxelSize | None = None,
    on_damage: OnDamage = "stop",
    resample: bool = False,
    diameter: Diameter | None = None,
    near: Sequence[float] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    options: ZarrOptions | None = None,
    tables: Sequence[str] = ("csv",),
    save: Sequence[str] = (),
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    on_image: Callable[[int, int, Location], None] = lambda _number, _count, _image: None,
) -> list[PredictedImage]:
    """Predict an image, or each image of a folder, and write labels and scores.

    What a threshold acts on is kept beside each output in a folder ``<output>.prediction``. A finished one of the same
    model and image, there or beside, is used instead of running the network.

    Parameters
    ----------
    model_path : path-like
        A model folder, a job folder with a model, or the name of a model.
    image_path : path-like
        An image file, a zarr, or a folder of images.
    out : path-like
        ``.tif`` or ``.ome.zarr``; for a folder of images a folder, made if it is not there.
    threshold : float, optional
        0 … 1; the model's own if not given. With it, an unchanged output of the same prediction is replaced.
    resume : bool
        Go on with interrupted predictions, and leave finished ones as they are.
    device, precision : str
        See `choose_device` and `choose_precision`.
    channels, axes, voxel_size, on_damage : optional
        See `open_volume`.
    resample : bool
        Bring images to the voxel size of the training; the labels are written on the voxels of the image.
    diameter : float or 'auto', optional
        Of the objects, in voxels of the finest axis of the image: the network sees them as large as those that it
        has learned. With ``'auto'`` the model finds it for each image; not given, images are like the training's.
    near, scheduler, workers : optional
        See `predict_volume`.
    options, tables, save : optional
        See `export`.
    progress, cancelled : callable, optional
        See `predict_volume`.
    on_image : callable, optional
        Called with the number of an image, from 0, how many there are, and the image, before it is predicted.

    Returns
    -------
    list of PredictedImage
        One per image.

    Raises
    ------
    AitrainError
        See `predict_volume` and `export`.
    """
    if threshold is not None:
        check_threshold(threshold)
    model = find_model(model_path)
    jobs = list(pair_outputs(located(image_path), Path(out)))
    network = functools.cache(lambda: make_network(model.of_scale(1.0), device, precision))
    running: dict[str, Any] = {
        "device": device, "precision": precision, "near": near, "scheduler": scheduler, "workers": workers,
        "progress": progress, "cancelled": cancelled,
    }  # fmt: skip
    how = _How(threshold, resume, resample, diameter, options, tables, save, running)
    if len(jobs) > 1 and threshold is None and not resume:
        for _, target in jobs:
            check_export(target, None, tables, save)
    taken = len(model.card.channels)

    def source(path: Location) -> Callable[[], Volume]:
        return functools.partial(open_for, path, taken, channels, axes, voxel_size, None, on_damage)

    found = []
    for number, (image, target) in enumerate(jobs):
        on_image(number, len(jobs), image)
        found.append(_predict_one(model, image, source(image), target, how, network))
    return found


def open_for(
    path: Location,
    taken: int,
    channels: Sequence[str | int] | None = None,
    axes: str | None = None,
    voxel_size: VoxelSize | None = None,
    at: dict[str, int] | None = None,
    on_damage: OnDamage = "stop",
) -> Volume:
    """Open an image for a model that takes so many channels; workers do the same."""

    def asking(asked: str | None) -> Volume:
        return open_volume(path, channels=channels, axes=asked, voxel_size=voxel_size, at=at, on_damage=on_damage)

    return settle_axes(asking(axes), lambda other: len(other.channels) == taken, asking)


def find_prediction(model: Model, view: View, out: Path) -> StoredPrediction | None:
    """Return a finished prediction of the whole image by the model, kept for `out` or beside it."""
    own = store_path(out)
    for store in [own, *sorted(p for p in out.parent.glob("*" + SUFFIX) if p != own)]:
        info = _readable(store)
        if info is None or not info.finished:
            continue
        wanted = (model_fingerprint(model), view.volume.fingerprint, view.volume.shape)
        if (info.model_fingerprint, info.image_fingerprint, info.shape) == wanted:
            return StoredPrediction(store, info)
    return None


def store_path(out: Path) -> Path:
    """Return where the prediction of an output is kept."""
    return out.with_name(out.name + SUFFIX)


def _readable(store: Path) -> PredictionInfo | None:
    try:
        return read_info(store)
    except VolumeError:
        return None


def _predict_one(
    model: Model,
    path: Location,
    source: Callable[[], Volume],
    out: Path,
    how: _How,
    network: Callable[[], Network],
) -> PredictedImage:
    began, ran, volume = time.monotonic(), False, source()
    model = sized(model, volume, how.diameter, network, how.resample, _readable(store_path(out)))

    def counted() -> Network:
        nonlocal ran
        ran = True
        return at_scale(network(), model.card.scale, model.card.dims)

    wanted = model.card.threshold if how.threshold is None else how.threshold
    stored = find_prediction(model, choose_view(model, volume, how.resample), out)
    again = stored is not None and how.resume and bool(stored.info.failed) and stored.folder == store_path(out)
    if stored is None or again or not (how.resume and _is_written(stored, out, wanted, how)):
        check_export(out, stored if again or how.threshold is not None else None, how.tables, how.save)
        check_voxel_size_for(out, volume.voxel_size)
        if stored is None or again:
            with storage_errors(out):
                out.parent.mkdir(parents=True, exist_ok=True)
            stored = predict_volume(
                model, volume, store_path(out), resume=how.resume, resample=how.resample, network=counted,
                source=source, **how.running,
            )  # fmt: skip
            ran = ran or how.running["scheduler"] is not None
        export(stored, out, wanted, options=how.options, tables=how.tables, save=how.save)
    info = stored.info
    notes = info.notes if ran else (*info.notes, f"The network was not run: the prediction in {stored.folder} is used.")
    count = stored.count(wanted) if info.instances else None
    seconds = time.monotonic() - began
    scores = scores_path(out, check_formats(how.tables)[0])
    return PredictedImage(
        path, out, scores, stored.folder, wanted, count, ran, seconds, notes, info.warnings, info.failed
    )


def _is_written(stored: StoredPrediction, out: Path, threshold: float, how: _How) -> bool:
    """Whether all that is asked for is there already."""
    maps = [maps_path(out, kind) for kind in check_kinds(how.save)]
    there = all(path.exists() and stored.wrote(path) for path in (out, *maps))
    return there and stored.written_at(out) == threshold
