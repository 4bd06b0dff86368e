"""New strokes and new boxes for a training that runs: which frozen crops they change, and which they add.

Validation and test never move. A crop that has changed gets a new number, so that nothing that was made of the old
one, or has it open, is taken for the new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import GroundTruthError, VolumeError
from ..geometry import Region
from ..tasks.protocol import Task
from ..volumes import Normalisation, atomic_write_text, sample_voxels
from ..volumes.atomic import storage_errors, sync_file
from .crops import check_room, describe_crop, label_tiles, write_image, write_labels
from .cropset import FOLDER, INDEX, Crop, CropSet, crop_file
from .plan import PlannedCrop
from .wanted import BoxKey, Wanted


@dataclass
class Taken:
    """What has become of the training crops.

    Parameters
    ----------
    crops : list of Crop
        All crops of the job from now on.
    added, changed, removed : int
        Training crops.
    overlapping : list of str
        New boxes that were left out because they share voxels with validation or test.
    unusable : dict of str to str
        Boxes that cannot be learned from, and why.
    new_classes : set of int
        Classes that the training does not know.
    used : set of BoxKey
        The boxes that crops come from.
    """

    crops: list[Crop] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    removed: int = 0
    overlapping: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    new_classes: set[int] = field(default_factory=set)
    used: set[BoxKey] = field(default_factory=set)

    @property
    def nothing(self) -> bool:
        """Whether all is as it was."""
        return not (self.added or self.changed or self.removed)


class Intake:
    """Takes new ground truth into the frozen crops of a job.

    Parameters
    ----------
    folder : Path
        The job folder.
    crops : CropSet
        The frozen crops so far.
    task : Task
        What is trained.
    prepare : callable
        Makes the targets of a crop; raises `GroundTruthError` if there is nothing to learn.
    """

    def __init__(self, folder: Path, crops: CropSet, task: Task, prepare: Callable[[Crop], object]) -> None:
        self._place, self._crops, self._task, self._prepare = folder / FOLDER, crops, task, prepare
        self._classes = None if task.instances else crops.classes
        self._next = 1 + max(_numbers(self._place) | {crop.number for crop in crops.crops})

    def take(self, wanted: Sequence[Wanted], known: Collection[BoxKey]) -> Taken:
        """Freeze what is new; the index stays as it is until `keep`.

        Parameters
        ----------
        wanted : sequence of Wanted
            The boxes for training as they are now.
        known : collection of BoxKey
            Those of them that the frozen crops come from.

        Raises
        ------
        GroundTruthError
            If nothing would be left to train on.
        AitrainError
            If a file cannot be read or written.
        """
        taken = Taken()
        old = [one for one in wanted if one.key in known]
        for crop in self._crops.crops:
            homes = [one for one in old if one.holds(crop)]
            homes.sort(key=lambda one: (one.box.label != crop.name, one.region.size))
            if crop.role != "train":
                taken.crops.append(crop)
            elif homes:
                self._refresh(crop, homes[0], taken)
            else:
                taken.removed += 1
        for one in wanted:
            if one.key in known and any(one.holds(crop) for crop in self._crops.crops):
                taken.used.add(one.key)
            else:
                self._add(one, taken)
        if not any(crop.role == "train" for crop in taken.crops):
            raise GroundTruthError(
                "no box for training is left, so the training goes on with the former ones",
                "at least one box for training with labels in it",
                "draw a box for training, or stop",
            )
        return taken

    def keep(self, taken: Taken) -> CropSet:
        """Make the new crops those of the job: a kill at any moment leaves the former ones or these."""
        crops = self._crops.model_copy(update={"crops": tuple(taken.crops)})
        atomic_write_text(self._place / INDEX, crops.model_dump_json(indent=1))
        self.sweep(crops)
        return crops

    def sweep(self, crops: CropSet) -> None:
        """Remove files of crops that are not used any more."""
        used = {crop.number for crop in crops.crops}
        for path in self._place.glob("[0-9]*-*.npy"):
            number = path.name.split("-")[0]
            if number.isdigit() and int(number) not in used:
                # Windows keeps what is still open; it goes next time.
                with contextlib.suppress(OSError):
                    path.unlink()

    def _refresh(self, crop: Crop, home: Wanted, taken: Taken) -> None:
        sparse = home.image.is_sparse(home.box)
        now = label_tiles(home.image, crop.region, sparse, self._classes)
        if all(np.array_equal(labels, crop.labels[at]) for at, labels in now):
            taken.crops.append(crop)
            return
        planned = self._known_classes(home.planned(crop.region), taken)
        number = self._number()
        _link(crop_file(self._place, crop.number, "image"), crop_file(self._place, number, "image"))
        changed = self._finish(planned, number, crop.normalisation, taken)
        if changed is None:
            taken.removed += 1
        else:
            taken.changed += 1
            taken.crops.append(changed)

    def _add(self, one: Wanted, taken: Taken) -> None:
        if any(one.overlaps(crop) for crop in self._crops.crops if crop.role != "train"):
            taken.overlapping.append(one.box.label)
            return
        if len(one.image.channels) != len(self._crops.channels):
            taken.unusable[one.box.label] = f"its image has {len(one.image.channels)} channels"
            return
        planned = self._known_classes(one.planned(one.region), taken)
        if not planned.labelled.painted:
            return
        check_room([planned], self._place)
        number = self._number()
        try:
            write_image(planned, self._place, number)
            normalisation = self._normalisation(one, planned.region)
        except VolumeError as error:
            taken.unusable[one.box.label] = error.what
            return
        added = self._finish(planned, number, normalisation, taken)
        if added is not None:
            taken.added += 1
            taken.crops.append(added)
            taken.used.add(one.key)

    def _known_classes(self, planned: PlannedCrop, taken: Taken) -> PlannedCrop:
        if self._classes is None:
            return planned
        voxels = planned.labelled.voxels
        taken.new_classes |= voxels.keys() - set(self._classes)
        kept = {name: count for name, count in voxels.items() if name in self._classes}
        return replace(planned, labelled=replace(planned.labelled, voxels=kept))

    def _finish(self, planned: PlannedCrop, number: int, normalisation: Normalisation, taken: Taken) -> Crop | None:
        """Write the labels and make the targets; return None, and say why, if nothing can be learned."""
        write_labels(planned, self._place, number, self._classes)
        with storage_errors(self._place):
            for kind in ("image", "labels"):
                sync_file(crop_file(self._place, number, kind))
        crop = describe_crop(planned, number, normalisation, self._task.instances)
        crop._folder = self._place
        try:
            self._prepare(crop)
        except GroundTruthError as error:
            taken.unusable[crop.name] = error.what
            return None
        return crop

    def _normalisation(self, one: Wanted, region: Region) -> Normalisation:
        for crop in self._crops.crops:
            if one.is_from(crop):
                return crop.normalisation
        return Normalisation.estimate(sample_voxels(one.image.open_image(), [region]), self._task.scaling)

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _numbers(place: Path) -> set[int]:
    names = (path.name.split("-")[0] for path in place.glob("[0-9]*-*.npy"))
    return {int(name) for name in names if name.isdigit()}


def _link(old: Path, new: Path) -> None:
    with storage_errors(new):
        try:
            os.link(old, new)
        except OSError:
            shutil.copyfile(old, new)
