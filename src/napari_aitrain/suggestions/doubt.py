"""How much several answers of networks disagree, voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..tasks.protocol import FloatArray

_LEAST = 1e-7


def disagreement(answers: Sequence[FloatArray]) -> FloatArray:
    """Return the Jensen–Shannon distance of several probabilities per class.

    Its square is the mutual information between the class and the answer that is looked at, divided by the most that
    it can be. It is 0 where all answers are the same, however unsure they are: what is left is what the model does not
    know rather than what the image does not show (Houlsby et al. 2011, Gal et al. 2017).

    Parameters
    ----------
    answers : sequence of ndarray of float32, shape (classes, z, y, x)
        Probabilities; at least two.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        0 … 1.
    """
    mean: FloatArray = np.mean(np.stack(answers), axis=0, dtype=np.float32)
    gain = _entropy(mean) - np.mean([_entropy(answer) for answer in answers], axis=0, dtype=np.float32)
    most = float(np.log(min(len(answers), len(mean))))
    distance: FloatArray = np.sqrt(np.clip(gain / most, 0, 1)).astype(np.float32)
    return distance


def _entropy(probability: FloatArray) -> FloatArray:
    entropy: FloatArray = -(probability * np.log(np.maximum(probability, _LEAST))).sum(axis=0)
    return entropy
