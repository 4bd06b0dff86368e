"""Losses in which a voxel counts as much as its weight, and one of weight 0 gives exactly zero gradient.

Every sum over a batch is taken by `batch_sums`, so that processes that train together compute the loss of their joint
batch: of ratios of sums, such as means by weight and Dice, the mean over parts of the batch would be another loss.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional

_TINY = 1e-6
MOST_RARE = 400.0
"""Pairs that are rarer than this beside the others count no more for it."""


Add = Callable[[Tensor], Tensor]
_add: ContextVar[Add | None] = ContextVar("_add", default=None)


@contextlib.contextmanager
def adding(add: Add | None) -> Iterator[None]:
    """Have all sums over a batch go through `add`, which adds those of other processes and keeps the gradient."""
    token = _add.set(add)
    try:
        yield
    finally:
        _add.reset(token)


def batch_sums(*parts: Tensor) -> tuple[Tensor, ...]:
    """Return the sum of each tensor over the whole batch, including what other processes have of it."""
    sums = torch.stack([part.sum() for part in parts])
    add = _add.get()
    return (sums if add is None else add(sums)).unbind()


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of `values` by `weight`; 0 where nothing has weight."""
    total, by = batch_sums(values * weight, weight)
    return total / by.clamp_min(_TINY)


def cross_entropy_binary(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted binary cross entropy with targets anywhere in [0, 1]."""
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return weighted_mean(each, weight)


def soft_dice(probability: Tensor, target: Tensor, weight: Tensor, smooth: float = 1.0) -> Tensor:
    """Return one minus the soft Dice coefficient, taken over the whole batch.

    Parameters
    ----------
    probability, target, weight : Tensor
        Of one shape; the sums run over all of it.
    smooth : float
        Added above and below, so that an empty target asks for an empty answer without dividing by 0.

    Notes
    -----
    Milletari et al. 2016 (V-Net), with squares below, which gives steadier gradients for soft targets.
    """
    overlap, total = batch_sums(weight * probability * target, weight * (probability.square() + target.square()))
    return 1 - (2 * overlap + smooth) / (total + smooth)


def cross_entropy_classes(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted cross entropy of class maps.

    Parameters
    ----------
    logits : Tensor, shape (b, c, *space)
    target : Tensor of int64, shape (b, *space)
    weight : Tensor, shape (b, *space)
    """
    return weighted_mean(functional.cross_entropy(logits, target, reduction="none"), weight)


def affinity_loss(logits: Tensor, ids: Tensor, weight: Tensor, offsets: Sequence[Sequence[int]]) -> Tensor:
    """Return the mean cross entropy of affinities, made from the ids of the two voxels of each pair.

    In every sample, pairs within an object and pairs across a border are weighed towards each other, since borders
    are thin: each kind by the root of how much rarer than the other it is.

    Parameters
    ----------
    logits : Tensor, shape (b, k, *space)
        Whether a voxel and the one `offsets` before it belong together.
    ids : Tensor, shape (b, *space)
        Numbers of objects; 0 is background, where nothing belongs together.
    weight : Tensor, shape (b, *space)
        A pair counts as much as the lesser weight of its voxels.
    offsets : sequence of k sequences of int
        In voxels along the axes of space, each along one of them.
    """
    total, count = logits.sum() * 0, 0
    for channel, offset in enumerate(offsets):
        axis, steps = next((a + 1, n) for a, n in enumerate(offset) if n)
        size = ids.shape[axis] - steps
        if size < 1:
            continue
        here, before = ids.narrow(axis, steps, size), ids.narrow(axis, 0, size)
        same = ((here == before) & (here > 0)).to(logits.dtype)
        both = torch.minimum(weight.narrow(axis, steps, size), weight.narrow(axis, 0, size))
        space = tuple(range(1, ids.ndim))
        within = (both * same).sum(space, keepdim=True)
        across = (both * (1 - same)).sum(space, keepdim=True)
        balance = torch.where(same > 0, (across + 1) / (within + 1), (within + 1) / (across + 1)).clamp(max=MOST_RARE)
        each = logits[:, channel].narrow(axis, steps, size)
        total = total + cross_entropy_binary(each, same, both * balance.sqrt())
        count += 1
    return total / max(1, count)
