"""Make the pictures of docs/autosegment.md, by doing what it describes in a real window.

Run ``python docs/autosegment_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes half a minute.
``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_pictures import PICTURES, Person, somebody


def segment(person: Person) -> None:
    """Let the image suggest the numbers, and take what is found."""
    viewer = person.viewer
    viewer.open_sample("napari-aitrain", "nuclei")
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    view = person.open("Auto-segment").view
    viewer.reset_view()
    person.wait(lambda: "objects" in view.status.text())
    person.pause(1)
    person.picture("autosegment-1-preview")
    person.click(view.take["whole"])
    person.wait(lambda: "written" in view.status.text())
    person.pause(1)
    person.picture("autosegment-2-ground-truth")


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        segment(person)


if __name__ == "__main__":
    main()
