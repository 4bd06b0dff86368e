"""A model in memory that answers requests; one thread uses it at a time."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from ..errors import ConfigError, ModelError
from ..evaluation.calibration import Calibration, rescore
from ..geometry import Triple
from ..inference.fingerprint import model_fingerprint
from ..inference.image import prepare_image
from ..inference.on_image import laid_back
from ..inference.planning import make_network
from ..inference.predictor import predict_array, tile_voxels
from ..inference.remote.described import FORMAT, PROGRAM
from ..models import DataCard, Model
from ..nets.device import describe_device
from ..nets.runner import InferenceNetwork
from ..nets.scaled import for_voxels
from ..tasks import apply_threshold
from ..tasks.protocol import FloatArray, LabelArray
from ..volumes import Volume

_MOST_REMOTE = 2**26


class Engine:
    """A model that is ready to predict.

    Parameters
    ----------
    model : Model
        With weights on this computer.
    device, precision : str
        See `choose_device` and `choose_precision`.

    Raises
    ------
    ModelError
        If the model itself is on a server, or damaged.
    """

    def __init__(self, model: Model, device: str = "auto", precision: str = "auto") -> None:
        if model.remote:
            raise ModelError(
                f"{model.card.name} runs on a server itself", "a model with weights on this computer",
                "serve it where its weights are",
            )  # fmt: skip
        self.model, self.card, self.task = model, model.card, model.task()
        self.network = cast(InferenceNetwork, make_network(model.of_scale(1.0), device, precision))
        self.scaled = make_network(model, device, precision) if self.card.scale != 1 else self.network
        self.fingerprint = model_fingerprint(model)
        kept = self.card.calibration
        self._calibration = Calibration.model_validate(kept) if kept else None

    def described(self) -> dict[str, Any]:
        """Return what `inference.remote.described.Served` reads; nothing of the data that the model learned from."""
        # Where images lay, and what people wrote about them, is nobody's business on the other side.
        card = self.card.model_copy(update={"data": DataCard(), "parent": None, "comments": ""})
        return {
            "program": PROGRAM,
            "format": FORMAT,
            "version": version("napari-aitrain"),
            "fingerprint": self.fingerprint,
            "receptive_field": self.network.receptive_field,
            "multiple": self.network.multiple,
            "most_voxels": min(_MOST_REMOTE, tile_voxels(self.network)),
            "heads": self.task.heads,
            "outputs": self.network.config.heads,
            "device": describe_device(self.network.device),
            "card": card.model_dump(mode="json"),
        }

    def output(self, batch: FloatArray, voxel_size: Sequence[float] | None) -> FloatArray:
        """Return the network's raw output for a batch, shape (b, c, y, x) or (b, c, z, y, x).

        Raises
        ------
        ConfigError
            If the network takes no such batch.
        """
        dims, multiple = self.card.dims, self.network.multiple[3 - self.card.dims :]
        fits = batch.ndim == 2 + dims and all(n % m == 0 for n, m in zip(batch.shape[2:], multiple, strict=False))
        self._check_channels(batch.shape[1] if batch.ndim > 1 else 0, fits, f"a batch of shape {batch.shape}")
        # A copy, since the bytes of a request cannot be written to, of which torch warns.
        found = for_voxels(self.network, voxel_size)(torch.from_numpy(np.array(batch)))
        return np.asarray(found.cpu().numpy(), np.float32)

    def maps(self, image: FloatArray, halo: Triple, voxel_size: Sequence[float] | None) -> npt.NDArray[np.uint8]:
        """Return activated maps × 255 of a normalised image, shape (c, z, y, x), as a block of a prediction has them.

        Raises
        ------
        ConfigError
            If the network takes no such image.
        """
        self._check_channels(image.shape[0], image.ndim == 4, f"an image of shape {image.shape}")
        if self.card.dims == 2:
            halo = (0, *halo[1:])
        network = for_voxels(self.network, voxel_size)
        return predict_array(
            network, self.task.activate, np.asarray(image), self.card.dims, overlap=halo, dtype=np.uint8
        )

    def objects(self, image: npt.NDArray[Any]) -> tuple[LabelArray, FloatArray]:
        """Return what the model finds in an image, shape (c, y, x), at its own threshold.

        Returns
        -------
        labels : ndarray of int32, shape (y, x)
            Ids of objects or of classes.
        scores : ndarray of float32
            By id of object; empty for classes.

        Raises
        ------
        ConfigError
            If the model takes volumes, or other channels.
        """
        if self.card.dims == 3:
            raise ConfigError(
                f"the model {self.card.name} takes volumes, and one slice was sent", "a model of slices",
                "predict volumes with napari-aitrain on the other side, which needs no other form",
            )  # fmt: skip
        volume = Volume.from_array(image[:, None], axes="czyx")
        prepared = prepare_image(self.model, volume)
        seen = prepared.read(prepared.volume.region)
        dtype = np.uint8 if self.task.takes_bytes else np.float32
        maps = predict_array(self.scaled, self.task.activate, seen, 2, dtype=dtype)
        found = rescore(self.task.decode(maps, prepared.decode_size, 2), self._calibration)
        labels = apply_threshold(found, self.card.threshold)
        return laid_back(labels, prepared, (1, *image.shape[1:]))[0], found.scores

    def classes(self, image: npt.NDArray[Any]) -> LabelArray:
        """Return the class of each pixel; of objects 1, or the last class of the card."""
        labels, _ = self.objects(image)
        return np.where(labels > 0, np.int32(self.task.classes[-1]), 0) if self.task.instances else labels

    def boxes(self, image: npt.NDArray[Any]) -> dict[str, Any]:
        """Return the boxes of objects: x and y of their first corner and of the one past the last, label, score.

        Raises
        ------
        ConfigError
            If the model finds classes, not objects.
        """
        from scipy.ndimage import find_objects

        if not self.task.instances:
            raise ConfigError(
                f"the model {self.card.name} finds classes, not objects", "a model of objects",
                "ask for /segmentation instead",
            )  # fmt: skip
        labels, scores = self.objects(image)
        found = [(n, part) for n, part in enumerate(find_objects(labels), start=1) if part is not None]
        corners = [[part[1].start, part[0].start, part[1].stop, part[0].stop] for _, part in found]
        sure = [round(float(scores[n]), 4) if n < len(scores) else 1.0 for n, _ in found]
        return {"boxes": corners, "labels": [self.task.classes[-1]] * len(found), "scores": sure}

    def _check_channels(self, channels: int, fits: bool, what: str) -> None:
        from ..nets import read_network

        if not fits or not read_network(self.card.network).takes_channels(channels):
            raise ConfigError(
                f"{what} does not fit the model {self.card.name}",
                f"{self.card.network.get('in_channels', 1)} channels, {self.card.dims}-D, and extents that divide by "
                f"{self.network.multiple[3 - self.card.dims :]}",
                "ask GET /model what it takes",
            )
