"""Where in the sums of objects what is found."""

from __future__ import annotations

from dataclasses import dataclass

from .directions import steps

BINS = 48
LOWEST, HIGHEST = -0.5, 2.0
"""Histograms of normalised intensities: brighter and darker voxels are counted at the ends."""
SCALES = (1.0, 2.0, 4.0)
"""Of texture, in voxels of the finest axis."""
RESPONSES = 1 + 2 * len(SCALES)
"""Sums of texture per channel: slope, and of each scale the difference of Gaussians and its square."""


@dataclass(frozen=True)
class Columns:
    """Where in `Sums.added` what is found, for images of so many channels.

    Parameters
    ----------
    dims : {2, 3}
        How surfaces are crossed.
    channels : int
        Of the image.
    """

    dims: int
    channels: int

    @property
    def crossings(self) -> slice:
        """Of the surface, per step of `directions.steps`."""
        return slice(0, len(steps(self.dims)))

    @property
    def faces(self) -> slice:
        """Of the surface: all of it, to other objects, and at the end of the image; in units of area or length."""
        start = self.crossings.stop
        return slice(start, start + 3)

    def _of(self, channel: int, start: int, width: int) -> slice:
        first = self.faces.stop + channel * self.per_channel + start
        return slice(first, first + width)

    @property
    def per_channel(self) -> int:
        """Columns of one channel."""
        return 2 + 2 + 2 + RESPONSES + BINS

    def intensity(self, channel: int) -> slice:
        """Sum and sum of squares."""
        return self._of(channel, 0, 2)

    def rim(self, channel: int) -> slice:
        """Sum over the voxels at the surface, and their number."""
        return self._of(channel, 2, 2)

    def beyond(self, channel: int) -> slice:
        """Sum over voxels a little beyond the surface, and their number."""
        return self._of(channel, 4, 2)

    def texture(self, channel: int) -> slice:
        """See `RESPONSES`."""
        return self._of(channel, 6, RESPONSES)

    def histogram(self, channel: int) -> slice:
        """Voxels per bin of intensity."""
        return self._of(channel, 6 + RESPONSES, BINS)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.faces.stop) + self.channels * self.per_channel
