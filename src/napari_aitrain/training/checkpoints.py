"""Checkpoints: one safetensors file each, written atomically, with plain data in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..errors import JobError
from ..volumes.atomic import atomic_write_bytes

LATEST = "latest.safetensors"
BEST = "best.safetensors"


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], plain: Mapping[str, Any]) -> None:
    """Write a checkpoint; a kill at any moment leaves the old one or the new one.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    atomic_write_bytes(path, save(on_cpu, metadata={"plain": json.dumps(plain)}))


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `write_checkpoint` wrote.

    Raises
    ------
    JobError
        If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a mapping
            return tensors, json.loads(file.metadata()["plain"])
    except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise JobError(
            f"the checkpoint {path} is damaged: {error}",
            "a file that a training wrote",
            f"delete {path} to begin again from the job's config",
        ) from error
