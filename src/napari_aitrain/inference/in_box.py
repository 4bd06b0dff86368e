"""The prediction of a box that is compared with ground truth: it sees what is around the box, and nothing else differs.

Objects are cut at the faces of the box, as they are in its ground truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import VolumeError
from ..evaluation.calibration import Calibration, rescore
from ..geometry import Region, triple
from ..models import Model
from ..tasks.protocol import Objects
from ..volumes import Volume
from .blocks import Cancelled, PredictionCancelledError
from .image import PreparedImage
from .planning import DECODE_VOXELS
from .predictor import Network, predict_array
from .volume import predict_volume

CONTEXT = {2: (0, 32, 32), 3: (16, 16, 16)}
"""Voxels around a box that are shown to the network, if it looks that far; farther ones hardly count."""
MOST_VOXELS = 2**28


@dataclass(frozen=True)
class BoxPredictor:
    """Predicts boxes of an image.

    Parameters
    ----------
    model : Model
        The trained model.
    network : callable
        Gives its network; called when it is needed.
    image : Volume
        As it was opened.
    prepared : PreparedImage
        The image as the model is to see it.
    device, precision : str
        As for `predict_volume`.
    """

    model: Model
    network: Callable[[], Network]
    image: Volume
    prepared: PreparedImage
    device: str = "auto"
    precision: str = "auto"

    def predict(self, region: Region, store: Path, cancelled: Cancelled | None = None) -> Objects:
        """Return the scored objects of a box.

        Parameters
        ----------
        region : Region
            In voxels of the prediction.
        store : Path
            Where a box that is too large for memory is predicted block by block.
        cancelled : callable, optional
            Asked now and then.

        Raises
        ------
        PredictionCancelledError
            If `cancelled` said so.
        VolumeError
            If the box is too large to be compared.
        """
        if region.size > MOST_VOXELS:
            raise VolumeError(
                f"the box of {region.size:,} voxels is too large to be compared in memory",
                f"boxes of at most {MOST_VOXELS:,} voxels",
                "draw several smaller boxes instead, which also say how much figures depend on the place",
            )
        if region.size > DECODE_VOXELS:
            return self._by_blocks(region, store, cancelled)

        def watch(_done: int, _total: int) -> None:
            if cancelled is not None and cancelled():
                raise PredictionCancelledError("cancelled")

        task, card, network = self.model.task(), self.model.card, self.network()
        around = [min(c, f) for c, f in zip(CONTEXT[card.dims], network.receptive_field, strict=True)]
        seen = region.grow(triple(around)).intersect(self.prepared.volume.region)
        dtype = np.uint8 if task.takes_bytes else np.float32
        maps = predict_array(network, task.activate, self.prepared.read(seen), card.dims, dtype=dtype, watch=watch)
        inside = np.ascontiguousarray(maps[(slice(None), *region.relative_to(seen.start).slices)])
        return rescore(task.decode(inside, self.prepared.decode_size, card.dims), self._calibration())

    def _by_blocks(self, region: Region, store: Path, cancelled: Cancelled | None) -> Objects:
        card, magnification = self.model.card, self.prepared.magnification
        whole = Region(*(triple([v * m for v, m in zip(end, magnification, strict=True)]) for end in
                         (region.start, region.stop)))  # fmt: skip
        stored = predict_volume(
            self.model, self.image, store, region=whole.intersect(self.image.region), device=self.device,
            precision=self.precision, cancelled=cancelled, resume=True, network=self.network,
        )  # fmt: skip
        probability = None if stored.info.instances else stored.maps()
        return Objects(
            stored.fragments(), stored.scores, np.zeros((0, 0), np.float32), probability=probability,
            class_ids=stored.info.classes, extra={"dims": card.dims}, merges=stored.merges,
        )  # fmt: skip

    def _calibration(self) -> Calibration | None:
        kept = self.model.card.calibration
        return Calibration.model_validate(kept) if kept else None
