"""One step of learning, and everything that must be kept to go on later."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..nets.network import Network
from ..tasks.losses import Add, adding
from ..tasks.protocol import Task
from .fine_tuning import frozen_norms
from .recipe import WEIGHT_DECAY
from .sampling import Batch
from .schedule import auxiliary_weight

AVERAGE_DECAY = 0.99
NORM_MOMENTUM = 0.05


class Trainer:
    """A network with its optimiser and a running average of its weights.

    Parameters
    ----------
    network : Network
        Changed in place.
    task : Task
        Gives the loss.
    device : torch.device
        Where to compute.
    precision : torch.dtype
        Type to compute in; weights stay float32.
    learning_rate : float
        Peak learning rate.
    head_start : int
        How many steps averages and batch statistics count for what the network brings along.
    weight_decay : float
        Of the optimiser.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        device: torch.device,
        precision: torch.dtype,
        learning_rate: float,
        head_start: int = 0,
        weight_decay: float = WEIGHT_DECAY,
    ) -> None:
        self.memory_format = network.memory_format
        self.network = network.to(device).to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.average: Network = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.task, self.device, self.precision = task, device, precision
        self.learning_rate, self.head_start = learning_rate, head_start
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=device.type != "mps"
        )
        self.steps = 0
        self.stroke_bias: Tensor | None = None
        """By how much painted labels raise the logits of each class, shape (heads,); see `Teacher.stroke_bias`."""
        self._module: nn.Module = self.network
        self._add: Add | None = None
        self._value: Callable[[Tensor], float] = Tensor.item
        self._find_norms()

    def _find_norms(self) -> None:
        self._norms = [m for m in self.network.modules() if isinstance(m, _BatchNorm)]

    def learn_jointly(self, module: nn.Module, add: Add, mean: Callable[[Tensor], float]) -> None:
        """Learn together with other processes, all of which call `step` with their share of a batch.

        Parameters
        ----------
        module : nn.Module
            Calls `network`, whose norms are joint already, and takes the mean of the gradients of all processes.
        add : callable
            Adds up sums over a batch; see `tasks.losses.adding`.
        mean : callable
            Returns the mean of a loss over the processes, which is the same in all of them; so is what follows from it.
        """
        self._module, self._add, self._value = module, add, mean
        self._find_norms()

    def step(self, batch: Batch, factor: float, teaching: float = 0.0) -> float:
        """Learn from a batch with a share `factor` of the peak learning rate; return the loss.

        Where the batch holds a teacher's probabilities, they count `teaching` on unlabelled voxels.

        A loss that is not finite changes nothing; the caller decides what to do.
        """
        image, values, weight = batch
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * factor
        for norm in self._norms:
            # Weights change fast at first: statistics must follow, or early previews are blind.
            norm.momentum = max(NORM_MOMENTUM, 4 / (self.steps + self.head_start + 8))
        self.network.train()
        for norm in frozen_norms(self._norms):
            norm.eval()
        self.network.seed(self.steps)
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            output = self._module(image.contiguous(memory_format=self.memory_format))
        with adding(self._add):
            loss = self._loss(output, values, weight, teaching)
        value = self._value(loss)
        if math.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.steps += 1
            self._update_average()
        self.optimiser.zero_grad(set_to_none=True)
        return value

    def _loss(self, output: Tensor, values: Tensor, weight: Tensor, teaching: float) -> Tensor:
        own = len(self.task.nearest)
        painted = output
        if self.stroke_bias is not None:
            painted = output.float() + self.stroke_bias.view(-1, *(1,) * (output.ndim - 2)).to(output.device)
        loss = self.task.loss(painted, values[:, :own], weight)
        auxiliary = auxiliary_weight(self.steps + self.head_start)
        if auxiliary > 0:
            loss = loss + auxiliary * self.task.auxiliary_loss(output, values[:, :own], weight)
        if teaching > 0 and values.shape[1] > own:
            soft = values[:, own:]
            # Where a warped sample leaves its patch the probabilities are 0.
            unlabelled = (weight == 0) & (soft.sum(1, keepdim=True) > 0.5)
            loss = loss + teaching * self.task.teach(output, soft, unlabelled)
        return loss

    @torch.no_grad()
    def _update_average(self) -> None:
        steps = self.steps + self.head_start
        share = 1 - min(AVERAGE_DECAY, steps / (steps + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), share)
        for old, new in zip(self.average.buffers(), self.network.buffers(), strict=True):
            if new.is_floating_point():
                old.lerp_(new, share)
            else:
                old.copy_(new)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything needed to go on: tensors by name, and plain data."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
        return tensors, {"steps": self.steps, "learning_rate": self.learning_rate}

    def restore(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Take up a state that `state` gave."""
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.load_state_dict(_part(tensors, "average."))
        states: dict[int, dict[str, Tensor]] = {}
        parameters = list(self.network.parameters())
        for name, tensor in _part(tensors, "optimiser.").items():
            index, _, key = name.partition(".")
            # The fused optimiser walks moments and weights side by side in memory: both need the same strides.
            like = torch.empty_like(parameters[int(index)]) if tensor.dim() else torch.empty_like(tensor)
            states.setdefault(int(index), {})[key] = like.copy_(tensor)
        whole = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": states, "param_groups": whole["param_groups"]})
        self.steps = int(plain["steps"])
        self.learning_rate = float(plain["learning_rate"])


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
