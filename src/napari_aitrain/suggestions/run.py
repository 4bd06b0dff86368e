"""The whole way from a model and images to a queue of suggestions, without a window. Predicting imports torch."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation.boxes import Box, write_boxes
from ..errors import ConfigError, VolumeError
from ..geometry import Region, Triple
from ..inference.blocks import Cancelled, Progress
from ..inference.run import open_for
from ..inference.store import SUFFIX, StoredPrediction, read_info
from ..inference.volume import model_fingerprint, predict_volume
from ..location import Location
from ..models import Model, find_model
from ..volumes import Volume, open_volume
from ..volumes.labels import read_labels
from .find import Searched, find_places
from .looks import image_of
from .maps import UncertaintyMap, map_of
from .queue import Suggestion, SuggestionQueue
from .settings import SuggestSettings
from .verdict import Verdict

BOXES, PREDICTIONS = "boxes", "predictions"
COMPLETED = ("done", "reviewed")


@dataclass(frozen=True)
class Asked:
    """An image to search, and what is known of it.

    Parameters
    ----------
    image : path or URL
        The image.
    labels : path or URL, optional
        What is painted so far, on its voxels.
    boxes : sequence of Box
        Of every role.
    sparse : bool
        Whether 0 in the labels means unlabelled.
    """

    image: Location
    labels: Location | None = None
    boxes: Sequence[Box] = ()
    sparse: bool = False


@dataclass(frozen=True)
class Suggested:
    """What came of it.

    Parameters
    ----------
    suggestions : list of Suggestion
        To be labelled now, the first one first.
    finished : int
        How many of the earlier ones were found labelled this time.
    places : int
        Places that were compared.
    verdict : Verdict
        Whether suggestions pay, by all that were labelled.
    boxes : dict of str to Path
        Per image a file with the boxes of its suggestions.
    notes : tuple of str
        Sentences for people.
    """

    suggestions: list[Suggestion]
    finished: int
    places: int
    verdict: Verdict
    boxes: dict[str, Path]
    notes: tuple[str, ...] = ()


@dataclass
class _Opened:
    """An image that is open."""

    asked: Asked
    volume: Volume
    labels: Volume | None

    @property
    def name(self) -> str:
        return str(self.asked.image)

    def painted(self, region: Region) -> bool:
        return self.labels is not None and bool(read_labels(self.labels, region).any())


def suggest(
    model_path: Path | str,
    images: Sequence[Asked],
    folder: Path,
    settings: SuggestSettings,
    *,
    others: Sequence[Path | str] = (),
    size: Triple | None = None,
    device: str = "auto",
    channels: Sequence[str | int] | None = None,
    axes: str | None = None,
    voxel_size: tuple[float, float, float] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Suggested:
    """Suggest what to label next in some images, and keep it in a queue.

    Earlier suggestions that are labelled by now, or lie in a completed box, are done: how wrong the model was there is
    noted. Open ones are replaced by those of this model. Predictions stay in the folder, and are used again.

    Parameters
    ----------
    model_path : path-like
        A model folder, a job folder with a model, or the name of a model.
    images : sequence of Asked
        At least one.
    folder : Path
        Of the queue; made if it is not there.
    settings : SuggestSettings
        How many places, and how they are chosen.
    others : sequence of path-like
        For the measure *ensemble*: other models; those that the model was trained on from if not given.
    size : tuple of int, optional
        Of the boxes in voxels, z, y, x; see `useful_size`.
    device : str
        See `choose_device`.
    channels, axes, voxel_size : optional
        See `open_volume`.
    progress, cancelled : callable, optional
        See `predict_volume`.

    Returns
    -------
    Suggested

    Raises
    ------
    AitrainError
        If model or images are not right, or the folder cannot be written.
    PredictionCancelledError
        If `cancelled` said so; what is predicted stays.
    """
    model = find_model(model_path)
    members = _members(model, others) if settings.measure == "ensemble" else []
    queue = SuggestionQueue(Path(folder))
    opened = [_open(one, len(model.card.channels), channels, axes, voxel_size) for one in images]
    finished = sum(_finish(queue, one) for one in opened)
    searched = []
    for one in opened:
        stored = _predicted(model, one.volume, queue.folder / PREDICTIONS, one.name, device, progress, cancelled)
        uncertainty = _uncertainty(
            settings.measure, stored, model, members, one.volume, queue.folder, device, progress, cancelled
        )
        searched.append(
            Searched(
                one.name, stored, uncertainty, one.volume.shape, boxes=[box.region for box in one.asked.boxes],
                skipped=[*queue.skipped(one.name), *queue.labelled(one.name)], labelled=one.painted,
                read=image_of(stored.info, one.volume) if settings.spread == "features" else None,
            )
        )  # fmt: skip
    given = sum(one.state != "open" for one in queue.all)
    found = find_places(searched, model.card, settings, before=given, size=size, progress=progress, cancelled=cancelled)
    queue.replace_open(found.suggestions, found.labels)
    queue.set(settings=settings, model=str(model.folder))
    boxes = {one.name: _write_boxes(queue, one.name) for one in opened}
    notes = (f"{found.places:,} places of one box were compared.",) if found.suggestions else (
        "There is no place left for a box that touches nothing labelled; try a smaller one (--size Z,Y,X).",
    )  # fmt: skip
    return Suggested(queue.open(), finished, found.places, queue.verdict(), boxes, notes)


def _members(model: Model, others: Sequence[Path | str]) -> list[Model]:
    from .versions import earlier_versions

    members = [find_model(one) for one in others] or earlier_versions(model, find_model)
    if not members:
        raise ConfigError(
            f"{model.card.name} has no earlier versions to compare it with",
            "a model that was trained on from another, or other models of the same task",
            "name them with --with, or use --measure margin",
        )
    return members


def _open(
    asked: Asked,
    taken: int,
    channels: Sequence[str | int] | None,
    axes: str | None,
    voxel_size: tuple[float, float, float] | None,
) -> _Opened:
    volume = open_for(asked.image, taken, channels, axes, voxel_size)
    labels = None if asked.labels is None else open_volume(asked.labels, kind="labels", onto=volume.place)
    if labels is not None and labels.shape != volume.shape:
        raise VolumeError(
            f"{labels.name} has the shape {labels.shape} (z, y, x), and {volume.name} {volume.shape}",
            "labels on the voxels of the image",
            "give the labels that were painted on this image",
        )
    return _Opened(asked, volume, labels)


def _finish(queue: SuggestionQueue, one: _Opened) -> int:
    """Note what is labelled of the open suggestions of an image; return how many."""
    completed = [box.region for box in one.asked.boxes if box.status in COMPLETED]
    count = 0
    for suggestion in queue.open():
        region = suggestion.region
        if suggestion.image != one.name or one.labels is None or not one.labels.region.contains(region):
            continue
        truth = read_labels(one.labels, region)
        if truth.any() or any(box.contains(region) for box in completed):
            known = truth > 0 if one.asked.sparse else np.ones(truth.shape, bool)
            queue.finish(suggestion.id, truth, known)
            count += 1
    return count


def _predicted(
    model: Model,
    volume: Volume,
    folder: Path,
    name: str,
    device: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> StoredPrediction:
    """Return the prediction of an image that is kept in a queue, made if it is not of this model."""
    store = folder / (hashlib.sha256(name.encode()).hexdigest()[:12] + SUFFIX)
    try:
        if read_info(store).model_fingerprint != model_fingerprint(model):
            shutil.rmtree(store)
    except VolumeError:
        shutil.rmtree(store, ignore_errors=True)
    return predict_volume(model, volume, store, device=device, resume=True, progress=progress, cancelled=cancelled)


def _uncertainty(
    measure: str,
    stored: StoredPrediction,
    model: Model,
    members: Sequence[Model],
    volume: Volume,
    folder: Path,
    device: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> UncertaintyMap:
    fingerprints = [model_fingerprint(one) for one in members]
    return map_of(
        stored, measure, folder / PREDICTIONS, fingerprints,
        _writer(measure, stored, model, members, volume, device, progress, cancelled),
    )  # fmt: skip


def _writer(
    measure: str,
    stored: StoredPrediction,
    model: Model,
    members: Sequence[Model],
    volume: Volume,
    device: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from .passes import mirrored, other_models, write_disagreement

        if measure == "ensemble":
            passes = other_models(stored, members, volume, device)
        else:
            passes = mirrored(stored, model, volume, device)
        write_disagreement(stored, passes, path, progress=progress, cancelled=cancelled)

    return write


def _write_boxes(queue: SuggestionQueue, image: str) -> Path:
    """Write the boxes of the open suggestions of an image; in training they count only where something is painted."""
    stem = hashlib.sha256(image.encode()).hexdigest()[:12]
    path = queue.folder / f"{BOXES}-{stem}.json"
    boxes = [
        Box(
            start=one.start, stop=one.stop, name=f"{one.kind} place {number}", status="in progress",
            tags=("suggested" if one.kind == "uncertain" else "random",), sparse=True,
        )
        for number, one in enumerate((o for o in queue.open() if o.image == image), start=1)
    ]  # fmt: skip
    write_boxes(path, boxes)
    return path
