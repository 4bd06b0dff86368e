"""Losses in which a voxel counts as much as its weight, and one of weight 0 gives exactly zero gradient."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

_TINY = 1e-6


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of `values` by `weight`; 0 where nothing has weight."""
    return (values * weight).sum() / weight.sum().clamp_min(_TINY)


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
    overlap = (weight * probability * target).sum()
    total = (weight * (probability.square() + target.square())).sum()
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
