"""Networks that run on a server: of this program, which gives maps, and of others, whose answers are made into them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from ...errors import RemoteError
from ...geometry import Triple, triple
from ...tasks.protocol import FloatArray
from ..elsewhere import Elsewhere
from . import troubles
from .client import Answer, Client
from .config import read_remote
from .described import Served, describe
from .pictures import NotAPictureError, decode_npy, encode_npy

if TYPE_CHECKING:
    from ...models import Model

NPY = "application/x-npy"
_SPARE = 4096
"""Bytes of an answer beside its numbers."""


def open_network(model: Model) -> Elsewhere:
    """Return the network of a remote model, ready to be asked.

    Raises
    ------
    ModelError
        If its settings cannot be read.
    ConfigError
        If its key is missing.
    RemoteError
        If it is a server of this program that cannot be reached, or has another model by now.
    """
    from .answered import AnsweredMaps, AnsweredObjects

    config = read_remote(model.folder)
    client = Client(config)
    if config.form == "aitrain":
        return RemoteNetwork(client, describe(client), model.card.weights_sha256, model.card.dims)
    if config.answer in ("objects", "boxes"):
        return AnsweredObjects(client, model.card.classes)
    return AnsweredMaps(client, model.card.classes)


class RemoteNetwork(Elsewhere):
    """A network on a server of this program: its numbers are those that it would give here.

    Parameters
    ----------
    client : Client
        Who to ask.
    served : Served
        What the server says of the model.
    fingerprint : str
        Of the weights that are expected.
    dims : {2, 3}
        Of the network.
    """

    def __init__(self, client: Client, served: Served, fingerprint: str, dims: int) -> None:
        self.client, self.served, self.dims = client, served, dims
        self.device = torch.device("cpu")
        self.receptive_field, self.multiple = served.receptive_field, served.multiple
        self.most_voxels = served.most_voxels
        self._fingerprint = fingerprint
        self._voxel_size: tuple[float, ...] | None = None
        if served.fingerprint != fingerprint:
            raise self._changed()

    def for_voxels(self, voxel_size: Sequence[float] | None) -> Self:
        """Return this network for images of a voxel size, z, y, x."""
        other = copy.copy(self)
        other._voxel_size = None if voxel_size is None else tuple(voxel_size)
        return other

    @torch.inference_mode()
    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return raw float32 output for a float32 batch."""
        data = np.ascontiguousarray(batch.cpu().numpy(), np.float32)
        shape = (len(data), self.served.outputs, *data.shape[2:])
        return torch.from_numpy(self._ask("/network", data, {}, shape, np.dtype(np.float32)).copy())

    def maps(self, image: FloatArray, halo: Triple) -> npt.NDArray[np.uint8]:
        """Return the activated maps × 255 of an image, shape (c, z, y, x), as `predict_array` does."""
        query = {"halo": ",".join(map(str, halo))}
        shape = (self.served.heads, *image.shape[1:])
        return self._ask("/maps", np.asarray(image, np.float32), query, shape, np.dtype(np.uint8))

    def close(self) -> None:
        """Give up requests that are under way."""
        self.client.close()

    def _ask(
        self, path: str, data: FloatArray, query: dict[str, str], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> npt.NDArray[Any]:
        if self._voxel_size is not None:
            query = {**query, "voxel": ",".join(f"{size:g}" for size in self._voxel_size)}
        most = int(np.prod(shape)) * dtype.itemsize + _SPARE
        answer = self.client.post(encode_npy(data), NPY, most, path, query)
        return self._checked(answer, shape, dtype)

    def _checked(self, answer: Answer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        if answer.headers.get("x-aitrain-model", self._fingerprint) != self._fingerprint:
            raise self._changed()
        expected = f"an array of shape {shape} and type {dtype}"
        try:
            array = decode_npy(answer.body)
        except NotAPictureError as error:
            raise troubles.wrong(self.client.where, str(error), expected) from None
        if array.shape != shape or array.dtype != dtype:
            raise troubles.wrong(self.client.where, f"shape {array.shape} and type {array.dtype}", expected)
        return array

    def _changed(self) -> RemoteError:
        return troubles.wrong(
            self.client.where, "another model than the one that was added", "the same model all the time",
            "see what changed with who runs the server, then: napari-aitrain remote refresh NAME",
        )  # fmt: skip


def whole_or(tile: int | None, shape: Triple) -> Triple:
    """Return the extent of a request, z, y, x: a tile of one slice, or the whole slice."""
    return triple([1, *shape[1:]]) if tile is None else triple([1, min(tile, shape[1]), min(tile, shape[2])])
