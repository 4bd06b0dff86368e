"""Make the pictures of a prediction that grows on a pyramid, by doing what docs/large-volumes.md describes.

Run ``python docs/streaming_pictures.py`` on a screen of at least 1366×768, or under Xvfb. It trains a model of nuclei
first, unless ``--model`` names one. ``--light`` shows the light theme, ``--to`` names another folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tutorial_pictures
import zarr
from pyramid_pictures import field_of_nuclei, look, mirrored
from tutorial_pictures import Person

SIDE, CHUNK = 8192, 1024
STEPS = (1, 4, 16)
PLACE = (3000, 4500)
PATIENCE = 1800.0


def write_slide(path: Path, field: Any) -> Any:
    """Write a slide of one field of nuclei, mirrored on and on, and return it as a pyramid."""
    import dask.array as da

    tile = mirrored(field).astype(np.uint8)
    slide = zarr.create_array(path, shape=(SIDE, SIDE), chunks=(CHUNK, CHUNK), dtype=np.uint8)
    for y in range(0, SIDE, len(tile)):
        slide[y : y + len(tile)] = np.tile(tile, (1, SIDE // len(tile)))
    finest = da.from_zarr(path)
    return [finest if step == 1 else da.coarsen(np.mean, finest, {0: step, 1: step}) for step in STEPS]


def trained(folder: Path, field: Any, labels: Any) -> Path:
    """Train a model of nuclei."""
    from napari_aitrain.api import train

    result = train(image=field.astype(np.uint8), labels=labels.astype(np.int32), steps=300, out=folder)
    return result.load().folder


def take(person: Person, model: Path, folder: Path, field: Any) -> None:
    """Ask what a whole slide takes, begin, and look at it from afar while it grows."""
    from napari.layers._source import layer_source

    with layer_source(path=str(folder / "slide.zarr")):
        levels = write_slide(folder / "slide.zarr", field)
        person.viewer.add_image(levels, multiscale=True, name="slide", contrast_limits=(0, 255))
    look(person, PLACE, 0.5)
    review, runs = person.open("Review"), person.session.predictions.runs
    person.session.predictions.set_model(model)
    review.controller._on_model(model)
    predict = review.view.predict
    person.click(predict.buttons["volume"])
    person.wait(lambda: runs.asked, PATIENCE)
    below(person, review)
    person.picture("large-1-before")
    person.click(predict.begin)
    person.wait(lambda: (run := runs.running()) and run.shown and run.fraction > 0.1, PATIENCE)
    look(person, (SIDE // 2, SIDE // 2), 0.075)
    person.wait(lambda: runs.running() is None or runs.running().fraction > 0.3, PATIENCE)
    tiles = runs.all()[-1].shown.data.tiles
    person.wait(lambda: len(runs.all()[-1].shown.data.scores) > 100, PATIENCE)
    person.wait(lambda: all(one.idle for one in tiles), PATIENCE)
    person.pause(2)
    below(person, review)
    person.picture("large-2-growing")
    person.click(next(iter(predict.rows.values())).buttons["stop"])
    person.wait(lambda: runs.running() is None, PATIENCE)


def below(person: Person, review: Any) -> None:
    """Scroll the dock to where predictions are."""
    from qtpy.QtWidgets import QScrollArea

    person.pause(0.5)
    review.view.findChild(QScrollArea).ensureWidgetVisible(review.view.predict)
    person.pause(0.5)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--to", type=Path, default=tutorial_pictures.PICTURES)
    arguments = parser.parse_args()
    tutorial_pictures.PICTURES = arguments.to
    os.environ["NAPARI_CONFIG"] = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AITRAIN_HOME"] = name
        field, labels = field_of_nuclei()
        model = arguments.model or trained(folder / "job", field, labels)
        model = Path(shutil.copytree(model, folder / "models" / "nuclei" / "v1"))
        person = Person()
        if arguments.light:
            person.viewer.theme = "light"
        take(person, model, folder, field)
        person.session.jobs.keep_running = False
        person.session.close()
        person.viewer.close()


if __name__ == "__main__":
    main()
