"""Servers in the documented forms: their answers as maps of classes, or as objects."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt
import torch

from ...geometry import Triple
from ...tasks.protocol import FloatArray, LabelArray, Objects
from ..blocks import network_block
from ..elsewhere import Blocks, Elsewhere
from ..predictor import predict_array
from ..tiles import HALF_BAND
from .asking import ask, classes_of, mask_of, scores_of
from .boxes import boxes_of, paint
from .client import Client
from .network import whole_or

_WHOLE = 2**26
"""Pixels of the largest slice that is sent as one."""
_SURE = 50.0
"""Makes a softmax 0 or 1."""
_LEAST = 1e-9


class _Answered(Elsewhere):
    """What all have in common: tiles of slices.

    Parameters
    ----------
    client : Client
        Who to ask.
    classes : sequence of int
        Ids of the card, background first.
    """

    def __init__(self, client: Client, classes: Sequence[int]) -> None:
        self.client, self.config, self.classes = client, client.config, tuple(classes)
        self.device = torch.device("cpu")
        self.multiple = (1, 1, 1)
        tiled = self.config.tile is not None and self.config.answer != "scores"
        halo = max(0, self.config.overlap // 2 - HALF_BAND) if tiled else 0
        self.receptive_field = (0, halo, halo)
        self.most_voxels = _WHOLE if self.config.tile is None else 4 * self.config.tile**2

    def close(self) -> None:
        """Give up requests that are under way."""
        self.client.close()

    def _slice(self, image: FloatArray) -> FloatArray:
        """Return a slice, shape (c, y, x), as large as the server wants it."""
        tile = self.config.tile
        if not self.config.fixed or tile is None:
            return image
        padding = [(0, 0), *((0, max(0, tile - n)) for n in image.shape[1:])]
        # The mirror of a narrow slice is too short to fill a tile.
        mirrors = all(after < n for (_, after), n in zip(padding[1:], image.shape[1:], strict=True))
        return np.pad(image, padding, mode="reflect" if mirrors else "edge")


class AnsweredMaps(_Answered):
    """A server that answers with a class per pixel, or with scores for the whole image, as a network of classes."""

    def blocks(self, shape: Triple) -> Blocks:
        """Return blocks of a few tiles; without tiles, of whole slices."""
        halo = self.receptive_field
        block = network_block(shape, halo, (1, 1, 1), 2, self.most_voxels)
        return Blocks(halo, (0, 0, 0), block, block)

    def maps(self, image: FloatArray, halo: Triple) -> npt.NDArray[np.uint8]:
        """Return probabilities × 255 of the classes of an image, shape (c, z, y, x)."""
        tile = whole_or(self.config.tile, (1, image.shape[2], image.shape[3]))
        return predict_array(self, _softmax, image, 2, tile_shape=tile, overlap=halo, dtype=np.uint8)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return logarithms of probabilities, of slices, shape (b, c, y, x)."""
        answer = self._scores if self.config.answer == "scores" else self._mask
        return torch.from_numpy(np.stack([answer(one) for one in batch.cpu().numpy()]))

    def _mask(self, image: FloatArray) -> FloatArray:
        seen = self._slice(image)
        answer, sent = ask(self.client, seen)
        size = (seen.shape[1], seen.shape[2])
        mask = classes_of(self.config, mask_of(self.client, answer, (sent.shape[1], sent.shape[2]), size))
        mask = mask[: image.shape[1], : image.shape[2]]
        return np.where(mask == np.asarray(self.classes)[:, None, None], _SURE, -_SURE).astype(np.float32)

    def _scores(self, image: FloatArray) -> FloatArray:
        answer, _ = ask(self.client, self._slice(image))
        found = scores_of(self.client, answer)
        # Of one right class the rest is background, or what was left out.
        shares = np.asarray([max(0.0, 1 - float(found.sum())), *found], np.float32)
        values = np.log(np.maximum(shares / shares.sum(), _LEAST))
        return np.broadcast_to(values[:, None, None], (len(values), *image.shape[1:])).astype(np.float32)


class AnsweredObjects(_Answered):
    """A server that answers with numbered objects or with boxes."""

    def blocks(self, shape: Triple) -> Blocks:
        """Return one tile per block, so that objects are joined where tiles overlap."""
        tile = whole_or(self.config.tile, shape)
        shared = [0 if t == n else self.config.overlap // 2 * 2 for t, n in zip(tile[1:], shape[1:], strict=True)]
        core = (1, tile[1] - shared[0], tile[2] - shared[1])
        return Blocks((0, 0, 0), (0, shared[0], shared[1]), core, core)

    def objects(self, image: FloatArray) -> Objects:
        """Return the objects of a block, shape (c, z, y, x), slice by slice."""
        found = [self._of_slice(image[:, z]) for z in range(image.shape[1])]
        labels, scores, rows = np.zeros(image.shape[1:], np.int32), [0.0], [np.zeros(len(self.classes) - 1, np.float32)]
        for z, (flat, score, classes) in enumerate(found):
            labels[z] = np.where(flat > 0, flat + len(scores) - 1, 0)
            scores += list(score[1:])
            rows += [np.asarray([c == k for k in self.classes[1:]], np.float32) for c in classes[1:]]
        return Objects(labels, np.asarray(scores, np.float32), np.stack(rows))

    def _of_slice(self, image: FloatArray) -> tuple[LabelArray, FloatArray, list[int]]:
        seen = self._slice(image)
        answer, sent = ask(self.client, seen)
        sizes = (sent.shape[1], sent.shape[2]), (seen.shape[1], seen.shape[2])
        if self.config.answer == "boxes":
            boxes = boxes_of(self.client, answer, *sizes)
            return paint(boxes, (image.shape[1], image.shape[2]), self.config.shape == "ellipse")
        mask = mask_of(self.client, answer, *sizes)[: image.shape[1], : image.shape[2]]
        return self._numbered(mask)

    def _numbered(self, mask: LabelArray) -> tuple[LabelArray, FloatArray, list[int]]:
        """Return ids without gaps, scores, and classes by id.

        Where classes are mapped the numbers of the mask are classes, and connected pixels of one are an object.
        """
        if not self.config.outputs:
            labels = np.asarray(fastremap.renumber(mask, in_place=False)[0], np.int32)
            count = int(labels.max(initial=0))
            return labels, _ones(count), [0, *([self.classes[-1]] * count)]
        mapped = classes_of(self.config, mask)
        labels = np.asarray(cc3d.connected_components(mapped, connectivity=8), np.int32)
        classes = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        classes[labels.ravel()] = mapped.ravel()
        return labels, _ones(len(classes) - 1), [int(c) for c in classes]


def _ones(count: int) -> FloatArray:
    scores = np.ones(count + 1, np.float32)
    scores[0] = 0
    return scores


def _softmax(output: torch.Tensor) -> torch.Tensor:
    return output.softmax(1)
