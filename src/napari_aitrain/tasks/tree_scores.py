"""How well trees of merges agree with ground truth over several examples, at every threshold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .maps import connected_pieces, split_by_slice
from .protocol import Example, LabelArray
from .voi import THRESHOLDS, Agreement, Contingency, agreement_curve

NEARLY_BEST = 0.01
"""Bits of variation of information by which thresholds do not differ."""


def sum_agreements(examples: Iterable[Example]) -> list[Agreement]:
    """Return the agreement at each of `voi.THRESHOLDS`, summed over all examples.

    Objects without a tree are taken as they are, which gives a single agreement. The list is empty without examples.

    Pieces of one object that do not touch within an example count as objects of their own: nothing in the image can
    join them there, and in a thin box they would drown every other error (FIB-25, 30 slices: 0.45 bits).
    """
    total: list[Agreement] = []
    for objects, truth, known in examples:
        table = Contingency.count(objects.labels, _pieces(truth, 2 if objects.extra.get("dims") == 2 else 3), known)
        curve = [table.agreement()] if objects.merges is None else agreement_curve(objects.merges, table)
        total = [a + b for a, b in zip(total, curve, strict=True)] if total else curve
    return total


def _pieces(truth: LabelArray, dims: int) -> LabelArray:
    pieces = np.minimum(truth, 0)
    count = 0
    for index, part in split_by_slice(np.maximum(truth, 0), dims):
        found = connected_pieces(part, corners=True)
        pieces[index] = np.where(found > 0, found + np.int32(count), pieces[index])
        count += int(found.max(initial=0))
    return pieces


def best_threshold(examples: Iterable[Example]) -> float:
    """Return the middle of the thresholds around the best whose variation of information is as good as the least.

    One half without examples.
    """
    voi = np.array([agreement.metrics()["voi"] for agreement in sum_agreements(examples)])
    if len(voi) != len(THRESHOLDS):
        return 0.5
    first = last = int(voi.argmin())
    good = voi <= voi[first] + NEARLY_BEST
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(voi) - 1 and good[last + 1]:
        last += 1
    return float(THRESHOLDS[(first + last) // 2])
