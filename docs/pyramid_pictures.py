"""Make the pictures of painting on a pyramid, by doing what docs/large-volumes.md describes in a real window.

Run ``python docs/pyramid_pictures.py`` on a screen of at least 1366×768, or under Xvfb. ``--light`` shows the light
theme, ``--to`` names another folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tutorial_pictures
from tutorial_pictures import Person

SIDE = 100_000
STEPS = (1, 4, 16, 64)
PLACES = ((50_000, 60_000), (50_700, 61_500))


class Slide:
    """A level of a slide of 100,000² pixels that is nowhere: one field of nuclei, mirrored on and on."""

    def __init__(self, field: Any, step: int) -> None:
        size = len(field) // step
        small = field[: size * step, : size * step].reshape(size, step, size, step).mean((1, 3))
        whole = np.concatenate([small, small[::-1]])
        self._tile = np.concatenate([whole, whole[:, ::-1]], axis=1).astype(np.uint8)
        self.shape, self.ndim, self.dtype = (-(-SIDE // step),) * 2, 2, np.dtype(np.uint8)
        self.size = self.shape[0] ** 2

    def __getitem__(self, key: Any) -> Any:
        rows, columns = (np.arange(n)[part] % len(self._tile) for n, part in zip(self.shape, key, strict=True))
        return self._tile[np.ix_(rows, columns)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self[:, :]


def field_of_nuclei() -> Any:
    """Return 1024² pixels of made-up nuclei as bytes."""
    from napari_aitrain.samples import nuclei_2d

    image = nuclei_2d(size=1024, count=1000).image[0, 0].astype(float)
    return np.clip(255 * image / np.percentile(image, 99.8), 0, 255)


def look(person: Person, place: tuple[int, int], zoom: float) -> None:
    """Move the view with the pixel at a place in its middle."""
    from napari_aitrain.gui.review.viewing import camera_of

    camera = camera_of(person.viewer)
    camera.center, camera.zoom = (0, *place), zoom
    person.pause(1)


def paint_around(person: Person, place: tuple[int, int], count: int) -> None:
    """Paint discs here and there, each an object of its own."""
    annotate = person.open("Annotate")
    layer = person.session.truths.layer(person.session.truths.current)
    layer.brush_size = 14
    for number in range(count):
        angle = number * 2.4
        y, x = place[0] + 30 * number**0.5 * np.sin(angle), place[1] + 40 * number**0.5 * np.cos(angle)
        if number:
            annotate.truths._next_object()
        person.drag((y - 4, x - 4), (y + 4, x), (y, x + 6))


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--to", type=Path, default=tutorial_pictures.PICTURES)
    arguments = parser.parse_args()
    tutorial_pictures.PICTURES = arguments.to
    os.environ["NAPARI_CONFIG"] = ""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AITRAIN_HOME"] = folder
        person = Person()
        if arguments.light:
            person.viewer.theme = "light"
        take(person)
        person.session.close()
        person.viewer.close()


def take(person: Person) -> None:
    """Paint in two places of a slide, and look at both from afar."""
    field = field_of_nuclei()
    levels = [Slide(field, step) for step in STEPS]
    person.viewer.add_image(levels, multiscale=True, name="slide", contrast_limits=(0, 255))
    annotate = person.open("Annotate")
    look(person, PLACES[0], 2.5)
    person.click(annotate.truth_view.new)
    paint_around(person, PLACES[0], 24)
    person.session.saver.flush()
    person.pause(1)
    person.picture("pyramid-1-paint")
    look(person, PLACES[1], 2.5)
    person.click(annotate.truth_view.here)
    paint_around(person, PLACES[1], 24)
    person.session.saver.flush()
    person.pause(1)
    person.picture("pyramid-2-elsewhere")
    look(person, tuple(np.mean(PLACES, axis=0).astype(int)), 0.4)
    person.pause(2)
    person.picture("pyramid-3-afar")


if __name__ == "__main__":
    main()
