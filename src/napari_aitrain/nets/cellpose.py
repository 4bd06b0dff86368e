"""The network of Cellpose 4, built by the package cellpose itself.

Cellpose: Stringer et al. 2021; with the encoder of SAM: Pachitariu, Rariden and Stringer 2025 (Cellpose-SAM).
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from .cellpose_config import CellposeConfig
from .cellpose_package import cellpose_module
from .network import Network

_PREFIX = "net."
_SAM_EXTENT, _SAM_PATCH, _SAM_WINDOW = 1024, 16, 14
PIXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**19, "mps": 2**17}
"""Of tiles that are seen together, by type of device."""
_building = threading.Lock()


class CellposeNetwork(Network):
    """Cellpose's network for training: (b, c, tile, tile) to raw flows z, y, x (5 for a unit) and cell probability.

    Parameters
    ----------
    config : CellposeConfig
        Sizes.
    """

    config: CellposeConfig

    def __init__(self, config: CellposeConfig) -> None:
        super().__init__()
        self.config = config
        self.memory_format = torch.contiguous_format
        with _encoder(config) as vit:
            self.net = vit.CPSAM(ps=config.patch, nout=config.outputs, bsize=config.tile)
        # Cellpose reads these weights past autograd.
        self.net.encoder.patch_embed.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw output of `x`, whose extents are those of a tile."""
        found: Tensor = self.net(x)[0]
        return torch.cat([torch.zeros_like(found[:, :1]), found[:, -3:]], 1)

    @property
    def encoder(self) -> nn.Module:
        """The transformer."""
        found: nn.Module = self.net.encoder
        return found

    def frozen(self, precision: torch.dtype) -> nn.Module:
        """Return a copy that predicts images of any extent as Cellpose does."""
        net = copy.deepcopy(self.net).eval().requires_grad_(False)
        net.dtype = precision
        return _Tiled(net, self.config)

    def seed(self, step: int) -> None:
        """Have the random dropping of blocks depend on the step alone."""
        torch.manual_seed(step)


class _Tiled(nn.Module):
    """Predicts slices, or all three kinds of slices of volumes, by tiles; the package does the work."""

    def __init__(self, net: nn.Module, config: CellposeConfig) -> None:
        super().__init__()
        self.net, self.config = net, config
        self._core, self._transforms = cellpose_module("core"), cellpose_module("transforms")

    def forward(self, batch: Tensor) -> Tensor:
        """Return raw output, shape (b, 4, *space)."""
        images = batch.float().cpu().movedim(1, -1).contiguous().numpy()
        tile = self.config.tile
        how = {"batch_size": max(1, PIXELS_AT_ONCE[batch.device.type] // tile**2), "bsize": tile}
        found = self._slices(images, how) if images.ndim == 4 else np.stack([self._volume(one, how) for one in images])
        return torch.from_numpy(found).movedim(-1, 1).to(batch.device)

    def features(self, batch: Tensor) -> Tensor:
        """Return what the encoder sees in tiles beside each other, shape (b, f, *space / patch) with every slice."""
        if batch.ndim == 5:
            seen = [self.features(batch[:, :, z]) for z in range(batch.shape[2])]
            return torch.stack(seen, dim=2)
        size, (height, width) = self.config.tile, batch.shape[2:]
        padded = functional.pad(batch.float(), (0, -width % size, 0, -height % size), mode="replicate")
        rows = [
            torch.cat([self._encoded(tile) for tile in torch.split(row, size, dim=3)], dim=3)
            for row in torch.split(padded, size, dim=2)
        ]
        seen_at = torch.cat(rows, dim=2)
        return seen_at[:, :, : -(-height // self.config.patch), : -(-width // self.config.patch)]

    def _encoded(self, tile: Tensor) -> Tensor:
        found: list[Tensor] = []
        net: Any = self.net
        handle = net.encoder.neck.register_forward_hook(lambda _m, _i, output: found.append(output))
        try:
            net(tile.to(net.dtype))
        finally:
            handle.remove()
        return found[0].float()

    def _slices(self, images: npt.NDArray[np.float32], how: Mapping[str, int]) -> npt.NDArray[np.float32]:
        found = self._core.run_net(self.net, images, **how)[0][..., -3:]
        return np.concatenate([np.zeros_like(found[..., :1]), found], axis=-1)

    def _volume(self, image: npt.NDArray[np.float32], how: Mapping[str, int]) -> npt.NDArray[np.float32]:
        """Return the means of what is said of the slices along each axis."""
        shape = image.shape[:3]
        stretched = (max(1, int(shape[0] * self.config.anisotropy)), *shape[1:])
        if stretched != shape:
            image = self._transforms.resize_image_3d(image, stretched)
        found = self._core.run_3D(self.net, image, **how)[0]
        if stretched != shape:
            found = self._transforms.resize_image_3d(found, shape)
        means: npt.NDArray[np.float32] = (found / np.asarray([2, 2, 2, 3])).astype(np.float32)
        return means


@contextlib.contextmanager
def _encoder(config: CellposeConfig) -> Iterator[Any]:
    """Have Cellpose find an encoder of the config's sizes where it looks for that of SAM; yield its module."""
    vit = cellpose_module("vit")
    sam, modeling = vit.sam_model_registry, importlib.import_module("segment_anything.modeling")
    encoder = modeling.ImageEncoderViT(
        depth=config.depth,
        embed_dim=config.width,
        img_size=_SAM_EXTENT,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=config.attention_heads,
        patch_size=_SAM_PATCH,
        use_rel_pos=True,
        global_attn_indexes=config.global_blocks,
        window_size=_SAM_WINDOW,
        out_chans=256,
    )
    with _building:
        vit.sam_model_registry = {"vit_l": lambda checkpoint: SimpleNamespace(image_encoder=encoder)}
        try:
            yield vit
        finally:
            vit.sam_model_registry = sam


def config_of_weights(weights: Mapping[str, Tensor]) -> CellposeConfig:
    """Return the sizes of a network from its weights, as Cellpose names them.

    Raises
    ------
    KeyError, ValueError
        If they are not those of such a network.
    """
    width, _, patch, _ = weights["encoder.patch_embed.proj.weight"].shape
    blocks = {int(name.split(".")[2]) for name in weights if name.startswith("encoder.blocks.")}
    positions = [weights[f"encoder.blocks.{block}.attn.rel_pos_h"] for block in range(len(blocks))]
    return CellposeConfig(
        width=width,
        depth=len(blocks),
        attention_heads=width // positions[0].shape[1],
        global_blocks=tuple(
            block for block, table in enumerate(positions) if len(table) >= 2 * _SAM_EXTENT // _SAM_PATCH - 1
        ),
        outputs=weights["out.weight"].shape[0] // patch**2,
        tile=weights["encoder.pos_embed"].shape[1] * patch,
        patch=patch,
    )


def from_cellpose(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights as `CellposeNetwork` names them."""
    return {_PREFIX + name: tensor for name, tensor in weights.items()}


def to_cellpose(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights as Cellpose names them."""
    return {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
