"""Sums over all processes that train together, through which gradients flow, and the batch norm that needs them."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.detach().contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process takes its loss from the same sum, so each part of it has the gradients of all of them.
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def joint_sum(values: Tensor) -> Tensor:
    """Return the sum of what each process gives, the same in all.

    What is differentiated is the sum of the losses of all processes. When they all have the same joint loss, that is
    as many times its gradient as there are processes, of which DistributedDataParallel takes the mean.
    """
    found: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return found


class JointNorm(_BatchNorm):
    """Batch norm by the mean and variance of the joint batch, on any device.

    `torch.nn.SyncBatchNorm` does this on GPUs only. Mean and variance take one sum over the processes each: from sums
    of squares alone the variance would lose its last digits.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """Return an array of the same shape, (b, c, *space)."""
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        shape = (1, -1, *(1,) * (input.ndim - 2))
        values = input.float()
        size = values.new_tensor([values.numel() / values.shape[1]])
        sums = joint_sum(torch.cat([values.sum(axes), size]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        variance = joint_sum(centred.square().sum(axes)) / count
        self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def join_norms(network: nn.Module, device: torch.device) -> None:
    """Have every batch norm of a network look at the joint batch from now on; weights and statistics stay in place."""
    for name, norm in list(network.named_modules()):
        if not isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
            continue
        kind = nn.SyncBatchNorm if device.type == "cuda" else JointNorm
        joint = kind(norm.num_features, norm.eps, norm.momentum)
        joint.weight, joint.bias = norm.weight, norm.bias
        joint.running_mean, joint.running_var = norm.running_mean, norm.running_var
        joint.num_batches_tracked = norm.num_batches_tracked
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, joint)
