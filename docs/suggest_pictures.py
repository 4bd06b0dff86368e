"""Make the pictures of docs/suggest.md, by doing what it describes in a real window.

Run ``python docs/suggest_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes about two minutes.
``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tutorial_pictures import PICTURES, Person, somebody

from napari_aitrain.geometry import Region
from napari_aitrain.gui.annotate.box_actions import BoxActions
from napari_aitrain.models import import_model, starter_folder
from napari_aitrain.samples import nuclei_2d

SIDE = 96
"""Pixels of the first box, of which suggested ones are multiples."""


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        search(person)
        label(person)


def search(person: Person) -> None:
    """Find places with a model that has seen other nuclei."""
    viewer, session = person.viewer, person.session
    import_model(starter_folder("nuclei-2d"), "nuclei")
    viewer.open_sample("napari-aitrain", "nuclei")
    image = viewer.layers[nuclei_2d().name]
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    truth = session.truths.create(image, "instances")
    session.boxes.add(BoxActions(session).make(image, Region((0, 0, 0), (1, SIDE, SIDE))))
    paint(truth, Region((0, 0, 0), (1, SIDE, SIDE)))
    view = person.open("Label next").view
    view.choices.count.setValue(14)
    view.choices.share.setValue(40)
    person.click(view.search)
    person.wait(lambda: not session.suggestions.doing, 300)
    for layer in viewer.layers:
        layer.visible = "prediction" not in layer.name
    person.click(view.steps["next"])
    person.pause(1)
    person.picture("suggest-1-place")


def label(person: Person) -> None:
    """Label all places, and see whether that paid."""
    session, suggestions = person.session, person.session.suggestions
    view = person.open("Label next").view
    truth = session.truths.layer(session.truths.current)
    while suggestions.current is not None:
        one = suggestions.current
        paint(truth, one.region)
        person.click(view.steps["done"])
        person.wait(lambda one=one: suggestions.queue.find(one.id).error is not None, 60)  # type: ignore[misc]
        if view.steps["next"].isEnabled():
            person.click(view.steps["next"])
    person.click(view.map)
    person.viewer.reset_view()
    person.pause(2)
    person.picture("suggest-2-pays")


def paint(truth: object, region: Region) -> None:
    """Label a region as its author knows it."""
    part = nuclei_2d().labels[region.slices][0]
    where = np.nonzero(part)
    indices = tuple(axis + first for axis, first in zip(where, region.start[1:], strict=True))
    truth.data_setitem(indices, part[where] + 1)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
