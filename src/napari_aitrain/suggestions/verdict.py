"""Whether suggestions pay on somebody's own data: what the model had wrong there, and at places by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH = 5
"""Places of either kind below which nothing can be said."""
_DRAWS = 10_000


@dataclass(frozen=True)
class Verdict:
    """The errors of the earlier model at suggested places beside those at random ones.

    Parameters
    ----------
    suggested, random : int
        How many places of either kind are labelled.
    error_suggested, error_random : float or None
        Mean error there; None without any.
    difference : tuple of float or None
        Between what the difference of the means lies in 95 of 100 cases (bootstrap over places); None if that cannot be
        said yet.
    sure : float or None
        Share of the bootstrap in which suggested places have the larger error.
    """

    suggested: int
    random: int
    error_suggested: float | None
    error_random: float | None
    difference: tuple[float, float] | None = None
    sure: float | None = None

    @property
    def pays(self) -> bool | None:
        """Whether suggested places hold more errors than random ones, without which they cannot pay; None: open."""
        if self.difference is None:
            return None
        low, high = self.difference
        return True if low > 0 else False if high <= 0 else None

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.difference is None or self.error_suggested is None or self.error_random is None:
            missing = [
                f"{count} of {ENOUGH} {name}"
                for count, name in ((self.suggested, "suggested"), (self.random, "random"))
                if count < ENOUGH
            ]
            return f"Not known yet whether suggestions pay: {' and '.join(missing)} places are labelled."
        figures = (
            f"the earlier model had {100 * self.error_suggested:.1f} % of the voxels wrong at {self.suggested} "
            f"suggested places and {100 * self.error_random:.1f} % at {self.random} random ones "
            f"(difference {100 * self.difference[0]:+.1f} to {100 * self.difference[1]:+.1f} %, 95 % of a bootstrap)"
        )
        if self.pays:
            return f"Suggestions find more errors here: {figures}."
        if self.pays is False:
            return f"Suggestions do not pay here: {figures}. Choose random places instead."
        side = "suggested" if (self.sure or 0) >= 0.5 else "random"
        chance = max(self.sure or 0, 1 - (self.sure or 0))
        return f"No clear difference so far: {figures}; {side} places are worse with a probability of {chance:.0%}."


def judge(suggested: Sequence[float], random: Sequence[float], seed: int = 0) -> Verdict:
    """Compare the errors of a model at places that it was unsure of with those at places that chance chose.

    Both kinds were chosen before anybody labelled them, and neither in what was labelled, so random places are a fair
    sample of what is left. More errors at suggested places mean that labelling there corrects more of the model per
    box; they are no proof that it then learns faster: in ``benchmarks/active_learning.py`` it did with nuclei, and did
    not with mitochondria.

    Parameters
    ----------
    suggested, random : sequence of float
        See `error_at`.
    seed : int
        Of the bootstrap.
    """
    there, elsewhere = (float(np.mean(errors)) if len(errors) else None for errors in (suggested, random))
    if min(len(suggested), len(random)) < ENOUGH:
        return Verdict(len(suggested), len(random), there, elsewhere)
    chance = np.random.default_rng(seed)
    draws = [
        np.asarray(errors)[chance.integers(len(errors), size=(_DRAWS, len(errors)))].mean(axis=1)
        for errors in (suggested, random)
    ]
    differences = draws[0] - draws[1]
    low, high = np.percentile(differences, (2.5, 97.5))
    sure = float(np.mean(differences > 0) + np.mean(differences == 0) / 2)
    return Verdict(len(suggested), len(random), there, elsewhere, (float(low), float(high)), sure)
