"""When a training ends, and its learning rate until then."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARM_UP_STEPS = 20
DECAY_FROM = 0.5
LOWEST = 0.02
FADE_FROM = 1500
"""Steps after which the learning rate falls with the root of their number."""
AUXILIARY_FROM, AUXILIARY_UNTIL = 30, 180
"""Steps between which auxiliary heads come to count in full: at first they would hold up what is shown."""
AUXILIARY_WEIGHT = 1.0
TEACHING_START = 1.0
TEACHING_END = 0.5
TEACHING_HALVED = 200


@dataclass(frozen=True)
class Budget:
    """How long to train; with neither, until somebody stops it.

    Parameters
    ----------
    steps : int, optional
        Number of steps.
    seconds : float, optional
        Seconds of training.
    """

    steps: int | None = None
    seconds: float | None = None

    def spent(self, step: int, seconds: float) -> float:
        """Return the share that is used up, 0 … 1; always 0 where there is no end."""
        shares = [0.0]
        if self.steps is not None:
            shares.append(step / self.steps)
        if self.seconds is not None:
            shares.append(seconds / self.seconds)
        return min(1.0, max(shares))

    def finished(self, step: int, seconds: float) -> bool:
        """Whether nothing is left."""
        return self.spent(step, seconds) >= 1


def learning_rate_factor(step: int, spent: float) -> float:
    """Return the share of the peak learning rate to use.

    It rises over the first steps, stays until `FADE_FROM`, falls with the root of the steps (Vaswani et al. 2017), so
    that a long training gets finer whether it has an end or not, and linearly over the second half of a budget. What
    is shown are averaged weights, which do what a decay would (as in schedule-free training, Defazio et al. 2024).
    """
    rise = min(1.0, (step + 1) / WARM_UP_STEPS)
    fade = min(1.0, math.sqrt(FADE_FROM / max(step, 1)))
    fall = 1.0 if spent < DECAY_FROM else max(LOWEST, (1 - spent) / (1 - DECAY_FROM))
    return rise * fade * fall


def teaching_weight(step: int) -> float:
    """Return how much a teacher's probabilities count: much at first, little once the network has its own view."""
    return max(TEACHING_END, TEACHING_START * math.exp2(-step / TEACHING_HALVED))


def auxiliary_weight(step: int) -> float:
    """Return how much the loss of auxiliary heads counts: nothing at first, when only a quick preview matters."""
    risen = (step - AUXILIARY_FROM) / (AUXILIARY_UNTIL - AUXILIARY_FROM)
    return AUXILIARY_WEIGHT * min(1.0, max(0.0, risen))
