"""Figures and sentences as people say them."""

from __future__ import annotations


def spoken_time(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> spoken_time(5), spoken_time(75), spoken_time(7300)
    ('5 s', '1 min 15 s', '2 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rough_time(seconds: float) -> str:
    """Return a time in one unit, as of something that nobody knows exactly.

    Examples
    --------
    >>> rough_time(5), rough_time(301), rough_time(7300), rough_time(86400 * 3)
    ('5 s', '5 min', '2 h', '72 h')
    """
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * length:
            return f"{round(seconds / length)} {unit}"
    return f"{max(0, round(seconds))} s"


def spoken_size(count: float) -> str:
    """Return a number of bytes as people say it.

    Examples
    --------
    >>> spoken_size(52_428_800), spoken_size(3e9)
    ('50 MiB', '2.8 GiB')
    """
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.0f} MiB"


def sentence(text: str) -> str:
    """Return a text with a capital first letter; errors begin with a small one. Addresses stay as they are.

    Examples
    --------
    >>> sentence("there is nothing to train on"), sentence("https://gpu.lab.org does not answer")
    ('There is nothing to train on', 'https://gpu.lab.org does not answer')
    """
    return text if "://" in text.partition(" ")[0] else text[:1].upper() + text[1:]
