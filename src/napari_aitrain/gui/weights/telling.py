"""What a person is told of weights."""

from __future__ import annotations

from html import escape

from ...models.weights import FOLDER_VARIABLE, KnownWeights
from ...words import rough_time, spoken_size
from .downloads import Standing

_MIB = 2**20
PLACE_TIP = f"Where Cellpose itself looks for it. The environment variable {FOLDER_VARIABLE} names another folder."


def row_text(one: Standing) -> str:
    """Return a line of the list."""
    if one.present:
        state = f"here, {spoken_size(one.known.size)}"
    elif one.busy == "download":
        state = f"{100 * one.here // one.known.size} %"
    elif one.here:
        state = f"{spoken_size(one.here)} of {spoken_size(one.known.size)} are here"
    else:
        state = "not here"
    return f"{one.known.title} ({one.known.name}): {state}"


def progress_text(one: Standing) -> str:
    """Return how far a download is, how quick, and how long it takes."""
    if one.busy == "import":
        return "The file is checked and copied…"
    if one.here >= one.known.size:
        return "All is here; it is checked…"
    parts = [f"{one.here / _MIB:,.0f} of {one.known.size / _MIB:,.0f} MiB"]
    if one.rate > 0:
        parts.append(f"{one.rate / _MIB:,.1f} MiB/s")
        parts.append(f"about {rough_time((one.known.size - one.here) / one.rate)} left")
    return " · ".join(parts)


def licence_text(known: KnownWeights, colour: str) -> str:
    """Return the licence as a link of some colour, and plainly what it forbids."""
    link = f'<a style="color: {colour}" href="{escape(known.licence_url)}">{escape(known.licence)}</a>'
    if "NC" not in known.licence.split("(")[0]:
        return link
    return f"{link}<br><b>Not for commercial use.</b>"


def free_text(one: Standing) -> str:
    """Return how much room there is."""
    if one.free is None:
        return "not known"
    return f"{spoken_size(one.free)}" + ("" if one.fits or one.present else ": that is not enough")


def by_hand(known: KnownWeights, place: str) -> str:
    """Return what to do without a network."""
    return (
        f"No network here? Download <i>{escape(known.url)}</i> on another computer. Choose that file here, or put it "
        f"at <i>{escape(place)}</i>."
    )
