"""Channels that people choose by name or number."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError


def find_channels(asked: Sequence[str | int], names: Sequence[str], of: str) -> list[int]:
    """Return the places of channels among the names of all.

    Parameters
    ----------
    asked : sequence of str or int
        Names, or numbers from 0.
    names : sequence of str
        Of all channels.
    of : str
        What an error calls the volume.

    Raises
    ------
    ConfigError
        If none is asked for, or there is no such channel; those that exist are listed.
    """
    remedy = "choose from " + ", ".join(f"{i} ({name})" for i, name in enumerate(names))
    if not asked:
        raise ConfigError(f"no channel of {of} is chosen", "at least one channel", remedy)
    return [_find(channel, names, of, remedy) for channel in asked]


def _find(channel: str | int, names: Sequence[str], of: str, remedy: str) -> int:
    if isinstance(channel, str) and names.count(channel) == 1:
        return names.index(channel)
    text = str(channel)
    if text.isdigit() and int(text) < len(names) and text not in names:
        return int(text)
    if isinstance(channel, int) and 0 <= channel < len(names):
        return channel
    raise ConfigError(f"{of} has no channel {channel!r}", "a channel of the image", remedy)
