"""Random batches of patches from the training crops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import GroundTruthError
from ..geometry import Triple
from ..nets.scaled import Factors
from ..tasks.protocol import Task
from .augmentation import Augmenter
from .crops import Crop
from .part import Part
from .prepared import PreparedCrop
from .rescaled import rescaled
from .teacher import Teacher

Batch = tuple[Tensor, Tensor, Tensor]
POOL = 64
"""Places that a teacher is asked about."""


class PatchSampler:
    """Draws batches; every random choice comes from one generator, so that a resumed training goes on alike.

    Parameters
    ----------
    crops : list of Crop
        The training crops.
    task : Task
        Makes targets from labels.
    dims : {2, 3}
        With 2, a patch is one slice.
    patch_shape : tuple of int
        z, y, x extent of what the network gets; z is 1 when `dims` is 2.
    augmenter : Augmenter
        Varies the batches; shares `generator`.
    generator : torch.Generator
        On the CPU.
    folder : Path
        Where targets are kept.
    seed : int
        Seed of the training.
    scales : tuple of float
        By how much crops are resampled for the network, z, y, x.
    """

    def __init__(
        self,
        crops: list[Crop],
        task: Task,
        dims: int,
        patch_shape: Triple,
        augmenter: Augmenter,
        generator: torch.Generator,
        folder: Path,
        seed: int,
        scales: Factors = (1.0, 1.0, 1.0),
    ) -> None:
        self.scales = scales
        self.task, self.dims = task, dims
        self.patch_shape, self.augmenter, self.generator = patch_shape, augmenter, generator
        self.folder, self.seed = folder, seed
        self.teacher: Teacher | None = None
        self.rank, self.ranks = 0, 1
        """Which share of each batch is drawn here, of how many; see `training.distributed`."""
        self._prepared: dict[int, PreparedCrop] = {}
        self.use(crops)

    def use(self, crops: list[Crop]) -> None:
        """Draw from these crops from now on; of those that stay, what was made is kept."""
        self.crops = crops
        numbers = {crop.number for crop in crops}
        self._prepared = {number: crop for number, crop in self._prepared.items() if number in numbers}
        # Large crops come more often, but not in proportion: they hold more of the same.
        share = torch.tensor([math.sqrt(max(1, crop.labelled)) for crop in crops], dtype=torch.float64)
        self._share = share / share.sum()

    def prepared(self, crop: Crop) -> PreparedCrop:
        """Return a crop with its targets, which are made on first use.

        Raises
        ------
        GroundTruthError
            If nothing in it can be learned.
        """
        if crop.number not in self._prepared:
            made = PreparedCrop(rescaled(crop, self.scales, self.folder), self.task, self.dims, self.folder, self.seed)
            if not len(made.centres):
                raise GroundTruthError(
                    f"{crop.name} holds nothing to learn from",
                    "at least one labelled voxel of a known class",
                    "paint in this box, or reject it",
                )
            self._prepared[crop.number] = made
        return self._prepared[crop.number]

    def batch(self, size: int, device: torch.device, step: int = 0) -> Batch:
        """Return image, values and weight of `size` patches, augmented, on a device.

        Parameters
        ----------
        size : int
            Number of patches; with several `ranks` that of all together, of which those of this one are returned.
        device : torch.device
            Where they are needed.
        step : int
            Steps so far. With a teacher, patches come from a pool that grows with them, so that what it has to
            predict is spread over time.

        Returns
        -------
        tuple of Tensor of float32
            (b, c, *space), (b, k, *space) and (b, 1, *space). With a teacher its probabilities follow the k maps.
        """
        space = self.patch_shape[3 - self.dims :]
        cut = self.augmenter.input_shape(space)
        shape: Triple = (1, cut[0], cut[1]) if self.dims == 2 else (cut[0], cut[1], cut[2])
        places = [self._place() for _ in range(size)] if self.teacher is None else self._taught_places(size, step)
        # All choices are made here too, so that the generator stands alike on every rank.
        part = Part.of(self.rank, self.ranks, size)
        own = places[part.here.start : part.here.stop]
        patches = [self.prepared(self.crops[index]).patch(middle, shape, self.teacher) for index, middle in own]
        image, values, weight = (torch.from_numpy(np.stack(part)) for part in zip(*patches, strict=True))
        if self.dims == 2:
            image, values, weight = image[:, :, 0], values[:, :, 0], weight[:, :, 0]
        image, values, weight = (part.to(device, non_blocking=True) for part in (image, values, weight))
        nearest = self.task.nearest + (False,) * (values.shape[1] - len(self.task.nearest))
        taught = len(nearest) - len(self.task.nearest)
        return self.augmenter(image, values, weight, nearest, space, everywhere=taught, part=part)

    def _place(self) -> tuple[int, Triple]:
        index = int(torch.multinomial(self._share, 1, generator=self.generator))
        crop = self.prepared(self.crops[index])
        return index, crop.centre(int(torch.randint(len(crop.centres), (), generator=self.generator)))

    def _taught_places(self, size: int, step: int) -> list[tuple[int, Triple]]:
        """Choose from the pool: half on labels, half anywhere, where only the teacher knows."""
        pool = min(POOL, size + step // 2)
        numbers = torch.randint(pool, (size,), generator=self.generator).tolist() if step else range(size)
        return [self._pooled(number) for number in numbers]

    def _pooled(self, number: int) -> tuple[int, Triple]:
        chance = np.random.default_rng((self.seed, number))
        index = int(chance.choice(len(self.crops), p=self._share.numpy()))
        crop = self.prepared(self.crops[index])
        if number % 2:
            z, y, x = (int(chance.integers(n)) for n in crop.shape)
            return index, (z, y, x)
        return index, crop.centre(int(chance.integers(len(crop.centres))))
