"""Cellpose's own network, built small, and files of its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_aitrain.nets import CellposeConfig, build_network
from napari_aitrain.nets.cellpose import CellposeNetwork, to_cellpose

SMALL = CellposeConfig(width=16, depth=2, attention_heads=2, global_blocks=(1,), tile=32)
"""A fraction of a second per image."""
WIDE = SMALL.model_copy(update={"tile": 256, "depth": 1, "global_blocks": (), "attention_heads": 1})
"""With tiles of the only size that Cellpose's API takes."""


def small_network(config: CellposeConfig = SMALL, seed: int = 0) -> CellposeNetwork:
    """Return a network whose output depends on the image and finds a cell in most of its patches of 8 × 8."""
    torch.manual_seed(seed)
    network = build_network(config)
    assert isinstance(network, CellposeNetwork)
    patch = np.mgrid[:8, :8] - 3.5
    cell = np.where(np.abs(patch).max(axis=0) < 3.4, 1.5, -4.0)
    wanted = np.concatenate([-1.3 * patch, cell[None]]).astype(np.float32)
    with torch.no_grad():
        network.net.out.bias.copy_(torch.from_numpy(wanted.ravel()))
        network.net.out.weight.normal_(0, 0.03)
        for block in network.net.encoder.blocks:
            block.attn.rel_pos_h.normal_(0, 0.1)
    return network


def cellpose_file(path: Path, config: CellposeConfig = SMALL, seed: int = 0) -> Path:
    """Write such a network as Cellpose does."""
    torch.save(to_cellpose(small_network(config, seed).state_dict()), path)
    return path


def cells(shape: tuple[int, int], step: int = 24, seed: int = 0, touching: bool = False) -> np.ndarray:
    """Return labels of round cells on a jittered grid, int32, with gaps among the ids."""
    rng = np.random.default_rng(seed)
    middles = np.stack(np.mgrid[step // 2 : shape[0] : step, step // 2 : shape[1] : step], -1).reshape(-1, 2)
    middles = middles + rng.uniform(-step / 6, step / 6, middles.shape)
    pixels = np.stack(np.mgrid[: shape[0], : shape[1]], -1)
    away = np.linalg.norm(pixels[..., None, :] - middles, axis=-1)
    radius = np.full(len(middles), np.inf) if touching else rng.uniform(0.3 * step, 0.5 * step, len(middles))
    nearest = away.argmin(-1)
    return np.where(away.min(-1) < radius[nearest], 3 * nearest + 2, 0).astype(np.int32)
