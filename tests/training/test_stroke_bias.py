"""Strokes tell what classes look like, not how frequent they are."""

import numpy as np
import torch

from napari_aitrain.nets import build_network, choose_network
from napari_aitrain.tasks import make_task
from napari_aitrain.training.trainer import Trainer


def test_what_strokes_claim_too_often_is_not_learned_as_frequent() -> None:
    """The network sees noise, and strokes of both classes alike; the second is ten times rarer in the images."""
    torch.manual_seed(0)
    task = make_task("semantic", {}, (0, 1))
    network = build_network(choose_network("small", 2, 1, 2).model_copy(update={"widths": (4, 4, 4)}))
    trainer = Trainer(network, task, torch.device("cpu"), torch.float32, 1e-2)
    trainer.stroke_bias = -torch.tensor(np.log([1.8, 0.2]), dtype=torch.float32)
    for _ in range(60):
        target = torch.randint(2, (4, 1, 32, 32)).float()
        trainer.step((torch.rand(4, 1, 32, 32), target, torch.ones_like(target)), 1.0)
    with torch.no_grad():
        rare = task.activate(trainer.average(torch.rand(4, 1, 32, 32)))[:, 1].mean()
    assert 0.05 < float(rare) < 0.2
