"""Make the pictures of docs/autosegment.md and docs/from-zero-labels.md, by doing what they describe in a real window.

Run ``python docs/autosegment_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes two minutes.
``--to`` names another folder than ``docs/images``. Pictures with a starter model are left out where none is installed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from tutorial_pictures import PICTURES, Person, paint_like, somebody

from napari_aitrain.autosegment.starter import starters_of_objects
from napari_aitrain.samples import nuclei_2d

CORNER, EXTENT = (80, 80), 330
"""Where the box of the pictures begins, and its extent, in pixels of the sample."""
LEARN = 30
"""Seconds that the training of the pictures learns."""


def open_image(person: Person) -> None:
    """Open the sample, of which the labels are not known here."""
    viewer = person.viewer
    viewer.open_sample("napari-aitrain", "nuclei")
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)


def segment(person: Person) -> None:
    """Let the image suggest the numbers, and take what is found."""
    open_image(person)
    view = person.open("Auto-segment").view
    person.viewer.reset_view()
    person.wait(lambda: "objects" in view.status.text())
    person.pause(1)
    person.picture("autosegment-1-preview")
    person.click(view.take["whole"])
    person.wait(lambda: "written" in view.status.text())
    person.pause(1)
    person.picture("autosegment-2-ground-truth")


def segment_folder(person: Person) -> None:
    """Segment a folder in which a file is broken."""
    dock = person.open("Auto-segment")
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / "plate 3"
        images.mkdir()
        for seed in range(4):
            tifffile.imwrite(images / f"well {seed + 1}.tif", nuclei_2d(seed=seed).image[0, 0])
        whole = (images / "well 4.tif").read_bytes()
        (images / "well 5.tif").write_bytes(whole[: len(whole) // 2])
        person.click(dock.view.folder)
        dialog = dock.controller.folder._dialog
        dialog.images.setValue(images)
        dialog.own.setChecked(True)
        person.click(dialog.start)
        person.wait(lambda: "segmented" in dialog.status.text(), 120)
        person.pause(1)
        # The temporary folder tells readers nothing.
        dialog.images.line.setText("/data/plate 3")
        dialog.labels.line.setText("/data/plate 3 labels")
        person.picture("autosegment-3-folder", dialog)
        dialog.close()


def from_zero(person: Person) -> None:
    """Begin with a starter model, correct, train from it, and look at what it has learned."""
    open_image(person)
    viewer, dock = person.viewer, person.open("Auto-segment")
    view, numbers = dock.view, dock.view.numbers
    viewer.reset_view()
    numbers.preset.setCurrentIndex(numbers.preset.findData("starter"))
    numbers.preset.activated.emit(numbers.preset.currentIndex())
    person.wait(lambda: "Diameter" in view.status.text(), 120)
    person.pause(1)
    person.picture("from-zero-1-starter")
    person.click(view.take["whole"])
    person.wait(lambda: "written" in view.status.text(), 120)
    correct(person)
    train(person)


def correct(person: Person) -> None:
    """Draw a box, and paint the nucleus in it that was found worst."""
    viewer, annotate = person.viewer, person.open("Annotate")
    truth = person.session.truths.all()[0]
    layer = person.session.truths.layer(truth)
    scale = float(viewer.layers[truth.image].scale[-1])
    person.click(annotate.box_view.draw)
    person.drag(*([(c + part * EXTENT) * scale for c in CORNER] for part in (0, 0.5, 1)))
    inside = tuple(slice(c, c + EXTENT) for c in CORNER)
    true, found = nuclei_2d().labels[0][inside], np.asarray(layer.data)[inside]
    worst = min(np.unique(true[true > 0]), key=lambda n: share_found(true == n, found))
    layer.mode = "paint"
    person.click(annotate.class_view.next)
    paint_like(person, layer, true == worst, scale, CORNER)
    person.pause(1)
    person.picture("from-zero-2-correct")
    layer.mode = "pan_zoom"


def share_found(nucleus: np.ndarray, found: np.ndarray) -> float:
    """Return the best intersection over union that an object has with a nucleus that is not cut off."""
    if nucleus[[0, -1]].any() or nucleus[:, [0, -1]].any():
        return 1.0
    objects = np.unique(found[nucleus])
    return max((nucleus & (found == n)).sum() / (nucleus | (found == n)).sum() if n else 0.0 for n in objects)


def train(person: Person) -> None:
    """Train from the starter model, and look at the prediction."""
    dock, jobs = person.open("Train"), person.session.jobs
    dock.view.form.setValue({"name": "my nuclei"})
    person.wait(lambda: dock.view.start.isEnabled(), 120)
    person.pause(6)
    person.picture("from-zero-3-train")
    person.open("Review")
    person.click(dock.view.start)
    person.wait(lambda: person.session.predictions.current is not None, 120)
    end = time.time() + LEARN
    person.wait(lambda: person.session.predictions.current.time > end, LEARN + 60)
    person.session.truths.layer(person.session.truths.all()[0]).visible = False
    person.pause(1)
    person.picture("from-zero-4-predict")
    for job in jobs.running():
        jobs.stop(job)
    person.wait(lambda: not jobs.running(), 120)


def main() -> None:
    """Go through both pages once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        segment(person)
        segment_folder(person)
    if not starters_of_objects():
        print("No starter model is installed: pictures of docs/from-zero-labels.md are left out.")
        return
    with somebody(chosen.to) as person:
        person.session.jobs.prewarm()
        from_zero(person)


if __name__ == "__main__":
    main()
