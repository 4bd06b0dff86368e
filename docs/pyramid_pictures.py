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
from skimage import measure
from tutorial_pictures import Person

SIDE = 100_000
STEPS = (1, 4, 16, 64)
PLACES = ((50_500, 60_400), (49_852, 60_420))


class Slide:
    """A level of a slide of 100,000² pixels that is nowhere: one field of nuclei, mirrored on and on."""

    def __init__(self, field: Any, step: int) -> None:
        size = len(field) // step
        small = field[: size * step, : size * step].reshape(size, step, size, step).mean((1, 3))
        self._tile = mirrored(small).astype(np.uint8)
        self.shape, self.ndim, self.dtype = (-(-SIDE // step),) * 2, 2, np.dtype(np.uint8)
        self.size = self.shape[0] ** 2

    def __getitem__(self, key: Any) -> Any:
        rows, columns = (np.arange(n)[part] % len(self._tile) for n, part in zip(self.shape, key, strict=True))
        return self._tile[np.ix_(rows, columns)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self[:, :]


def mirrored(field: Any) -> Any:
    """Return a field with its mirror images, which can be laid side by side."""
    whole = np.concatenate([field, field[::-1]])
    return np.concatenate([whole, whole[:, ::-1]], axis=1)


def field_of_nuclei() -> tuple[Any, Any]:
    """Return 1024² pixels of made-up nuclei as bytes, and which they are."""
    from napari_aitrain.samples import nuclei_2d

    sample = nuclei_2d(size=1024, count=1000)
    image = sample.image[0, 0].astype(float)
    return np.clip(255 * image / np.percentile(image, 99.8), 0, 255), np.asarray(sample.labels[0])


def look(person: Person, place: tuple[int, int], zoom: float) -> None:
    """Move the view with the pixel at a place in its middle."""
    from napari_aitrain.gui.review.viewing import camera_of

    camera = camera_of(person.viewer)
    camera.center, camera.zoom = (0, *place), zoom
    person.pause(1)


def paint_around(person: Person, place: tuple[int, int], labels: Any) -> None:
    """Paint the nuclei around a place, each as an object of its own."""
    annotate = person.open("Annotate")
    layer = person.session.truths.layer(person.session.truths.current)
    tile = mirrored(labels)
    rows, columns = (np.arange(at - half, at + half) % len(tile) for at, half in zip(place, (130, 90), strict=True))
    near = measure.label(tile[np.ix_(rows, columns)])
    for nucleus in measure.regionprops(near):
        y, x = np.add(nucleus.centroid, place) - (130, 90)
        layer.brush_size = max(3, nucleus.axis_minor_length * 0.95)
        reach = max(0.0, nucleus.axis_major_length - nucleus.axis_minor_length) / 2
        along = reach * np.array([np.cos(nucleus.orientation), np.sin(nucleus.orientation)])
        person.drag((y - along[0], x - along[1]), (y, x), (y + along[0], x + along[1]))
        annotate.truths._next_object()


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
    field, labels = field_of_nuclei()
    levels = [Slide(field, step) for step in STEPS]
    person.viewer.add_image(levels, multiscale=True, name="slide", contrast_limits=(0, 255))
    annotate = person.open("Annotate")
    look(person, PLACES[0], 2.8)
    person.click(annotate.truth_view.new)
    paint_around(person, PLACES[0], labels)
    person.session.saver.flush()
    person.pause(1)
    person.picture("pyramid-1-paint")
    look(person, PLACES[1], 2.8)
    person.click(annotate.truth_view.here)
    paint_around(person, PLACES[1], labels)
    person.session.saver.flush()
    person.pause(1)
    person.picture("pyramid-2-elsewhere")
    look(person, tuple(np.mean(PLACES, axis=0).astype(int)), 0.7)
    person.pause(2)
    person.picture("pyramid-3-afar")


if __name__ == "__main__":
    main()
