"""Which samples of a joint batch are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A run of the samples of a batch that several processes share.

    Parameters
    ----------
    here : range
        Their places in the joint batch.
    total : int
        Samples of the joint batch. Random choices are made for all of them: each is varied alike, whoever has it.
    """

    here: range
    total: int

    @classmethod
    def of(cls, rank: int, ranks: int, total: int) -> Part:
        """Return what one of several processes has of a batch.

        Examples
        --------
        >>> [list(Part.of(rank, 2, 5).here) for rank in range(2)]
        [[0, 1], [2, 3, 4]]
        """
        return cls(range(rank * total // ranks, (rank + 1) * total // ranks), total)

    def rows(self, chosen: Sequence[int]) -> list[int]:
        """Return the places among the chosen samples of those that are here."""
        return [row for row, index in enumerate(chosen) if index in self.here]

    def local(self, chosen: Sequence[int]) -> list[int]:
        """Return the places in this part of those of the chosen samples that are here."""
        return [index - self.here.start for index in chosen if index in self.here]
