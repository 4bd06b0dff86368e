"""Get slow first times over with: imports, and what torch sets up at its first step."""

from __future__ import annotations

import numpy as np
import torch

from ..nets import build_network, choose_device, choose_network, choose_precision
from ..tasks import make_task
from . import loop as _loop  # noqa: F401 imported so that a job need not
from .forest import PixelForest
from .recipe import LEARNING_RATES
from .trainer import Trainer


def warm_up() -> None:
    """Take one step of a small network and fit a small forest, on data of no meaning; keep nothing."""
    device = choose_device()
    task = make_task("instances")
    network = build_network(choose_network("small", 2, 1, task.heads + task.auxiliary_heads(2)))
    trainer = Trainer(network, task, device, choose_precision(device), LEARNING_RATES[2])
    shape = (1, 1, 64, 64)
    values = torch.zeros((1, len(task.nearest), *shape[2:]), device=device)
    trainer.step((torch.zeros(shape, device=device), values, torch.ones(shape, device=device)), 1.0)
    labels = np.arange(64 * 64, dtype=np.int32).reshape(1, 64, 64) % 2
    image = np.zeros((1, 1, 64, 64), np.float32)
    PixelForest(threads=torch.get_num_threads()).fit(image, labels, (0, 1), 0).predict(image)
