"""Make the pictures of docs/classify.md, by doing what it describes in a real window.

Run ``python docs/classify_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes a minute. ``--to``
names another folder than ``docs/images``, ``--theme`` another theme of napari.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skimage.measure import regionprops
from tutorial_pictures import PICTURES, Person, somebody

CLICKS = 20


def classify(person: Person) -> None:
    """Click nuclei that are small and large, and let the others be classified."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    viewer = person.viewer
    viewer.open_sample("napari-aitrain", "nuclei")
    dock = person.open("Classify")
    view, controller = dock.view, dock.controller
    viewer.reset_view()
    labels = controller.subject.labels
    for row, name in enumerate(("small", "large")):
        view.table.table.item(row, 1).setText(name)
    found = regionprops(np.asarray(labels.data))
    middle = float(np.median([one.area for one in found]))
    person.click(view.tool)
    canvas = person.window._qt_viewer.canvas.native
    for number in np.random.default_rng(1).permutation(len(found))[:CLICKS]:
        one = found[number]
        QTest.keyClick(canvas, Qt.Key.Key_1 if one.area < middle else Qt.Key.Key_2)
        person.drag(one.coords[len(one.coords) // 2] * labels.scale)
    person.pause(1)
    person.picture("classify-1-click")
    person.click(view.train)
    person.wait(lambda: controller.subject and person.session.classifying.result(controller.subject), 120)
    person.pause(1)
    view.sure.slider.setValue(800)
    person.pause(1)
    person.picture("classify-2-classes")


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        person.viewer.theme = chosen.theme
        classify(person)


if __name__ == "__main__":
    main()
