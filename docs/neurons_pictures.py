"""Make the pictures of docs/neurons.md, by doing what it describes in a real window.

Run ``python docs/neurons_pictures.py DATA MODEL`` on a screen of at least 1366×768, or under Xvfb. DATA is a folder of
``image.tif`` and ``labels.tif``, 150 slices of FIB-25 at 10 nm (Takemura et al. 2015, CC BY 3.0); MODEL is a model of
neurons that was trained on slices 0 to 99. ``--light`` shows the light theme, ``--to`` names another folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import tutorial_pictures
from PIL import Image, ImageDraw
from tutorial_pictures import Person

SEEN = 100
"""Slices before this one are ground truth; the others are predicted."""
SLICE = 20
STEPS = {"more merged": -0.16, "the model's own threshold": 0.0, "more split": 0.5}


def cut(data: Path, folder: Path) -> None:
    """Write the part that is trained on and the part that is predicted as files of their own."""
    image, labels = (tifffile.imread(data / name) for name in ("image.tif", "labels.tif"))
    tifffile.imwrite(folder / "neuropil.tif", image[:SEEN])
    tifffile.imwrite(folder / "labels.tif", labels[:SEEN])
    tifffile.imwrite(folder / "next.tif", image[SEEN:])


def train(person: Person, folder: Path) -> None:
    """Choose the task, and give the voxel size where the dock asks for it."""
    from qtpy.QtWidgets import QDialogButtonBox, QToolButton

    from napari_aitrain.annotation.world import WorldBox
    from napari_aitrain.gui.train.voxel_size import VoxelSizeDialog

    viewer, session = person.viewer, person.session
    viewer.open(str(folder / "neuropil.tif"), plugin="napari")
    truth = session.truths.create("neuropil", "instances")
    truth.data = tifffile.imread(folder / "labels.tif").astype(np.int32)
    for number, (z, y, x) in enumerate(((0, 0, 0), (20, 120, 100), (60, 60, 20))):
        start = [at - 0.5 for at in (z, y, x)]
        stop = [at + extent for at, extent in zip(start, (32, 85, 85), strict=True)]
        role = "validation" if number == 2 else "train"
        session.boxes.add(WorldBox(start=start, stop=stop, image="neuropil", name=f"box {number + 1}", role=role))
    viewer.dims.set_point(0, SLICE)
    view = person.open("Train").view
    view.form.setValue({"task": "neurons", "name": "neurons"})
    person.wait(lambda: any("voxel size" in one.text for one in view.status.value().problems), 120)
    person.pause(1)
    person.picture("neurons-1-voxel-size")
    number = next(n for n, one in enumerate(view.status.value().problems) if "voxel size" in one.text)
    person.click(view.status._problems.itemAt(number).widget().findChild(QToolButton))
    person.wait(lambda: view.findChild(VoxelSizeDialog))
    dialog = view.findChild(VoxelSizeDialog)
    for length in dialog.lengths.values():
        length.setValue(10)
    person.click(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok))
    person.wait(lambda: not view.status.value().checking and view.status.value().ready, 120)
    person.pause(1)
    person.picture("neurons-2-train")


def predict(person: Person, folder: Path, model: Path) -> Any:
    """Predict slices that were not trained on."""
    from napari_aitrain.gui.train.voxel_size import set_voxel_size
    from napari_aitrain.models import import_model

    viewer, session = person.viewer, person.session
    for layer in list(viewer.layers):
        viewer.layers.remove(layer)
    session.boxes.reset(())
    (image,) = viewer.open(str(folder / "next.tif"), plugin="napari")
    set_voxel_size(viewer, session.boxes, image, (10, 10, 10))
    viewer.dims.set_point(0, 10 * SLICE)
    review = person.open("Review")
    model = import_model(model, "neurons").folder
    session.predictions.set_model(model)
    session.predictions.take_own_threshold(model)
    person.wait(lambda: review.view.predict.buttons["volume"].isEnabled())
    person.click(review.view.predict.buttons["volume"])
    person.wait(
        lambda: session.predictions.proof.corrections is not None and not session.predictions.proof.why_not, 900
    )
    viewer.reset_view()
    person.pause(1)
    return review


def thresholds(person: Person, review: Any) -> None:
    """Save the window, and the same slice at three thresholds side by side."""
    own = person.session.predictions.threshold
    person.picture("neurons-3-threshold")
    pictures = []
    for text, step in STEPS.items():
        review.view.threshold.slider.setValue(round(1000 * min(0.99, max(0.01, own + step))))
        person.pause(0.5)
        value = person.session.predictions.threshold
        pictures.append(captioned(person.viewer.screenshot(canvas_only=True, flash=False), f"{text}: {value:.2f}"))
    review.view.threshold.slider.setValue(round(1000 * own))
    beside = Image.new("RGB", (sum(one.width for one in pictures) + 16, pictures[0].height), "white")
    for number, one in enumerate(pictures):
        beside.paste(one, (number * (one.width + 8), 0))
    beside.save(tutorial_pictures.PICTURES / "neurons-three-thresholds.png", optimize=True)


def captioned(picture: Any, text: str) -> Image.Image:
    """Return the square in the middle of a picture with a text below."""
    whole = Image.fromarray(picture[..., :3])
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    square = whole.crop((left, top, left + side, top + side)).resize((400, 400))
    done = Image.new("RGB", (400, 428), "white")
    done.paste(square, (0, 0))
    ImageDraw.Draw(done).text((4, 404), text, fill="black", font_size=18)
    return done


def correct(person: Person, review: Any) -> None:
    """Click two objects to be merged, and save what the window says in between."""
    one = person.session.predictions.current
    segments = one.data.named(np.asarray(one.data.labels[SLICE]))
    ids, counts = np.unique(segments[20:-20, 20:-20], return_counts=True)
    first, second = ids[np.argsort(-counts)][:2]
    places = [middle_of(segments == identity) for identity in (first, second)]
    person.click(review.view.proof.tools["merge"])
    person.drag([10 * v for v in places[0]])
    person.pause(0.5)
    person.picture("neurons-4-merge")
    person.drag([10 * v for v in places[1]])
    person.pause(0.5)
    person.click(review.view.proof.steps["undo"])
    person.session.predictions.tool.take(None)
    person.pause(0.5)


def middle_of(mask: Any) -> tuple[int, int]:
    """Return the place that is deepest inside."""
    from scipy.ndimage import distance_transform_edt

    y, x = np.unravel_index(np.argmax(distance_transform_edt(mask)), mask.shape)
    return int(y), int(x)


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--to", type=Path, default=tutorial_pictures.PICTURES)
    parser.add_argument("--only", choices=("train", "review"))
    chosen = parser.parse_args()
    tutorial_pictures.PICTURES = chosen.to.absolute()
    chosen.to.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["AITRAIN_HOME"] = home
        os.environ["NAPARI_CONFIG"] = ""
        cut(chosen.data, Path(home))
        person = Person()
        person.viewer.theme = "light" if chosen.light else "dark"
        person.session.jobs.keep_running = False
        if chosen.only != "review":
            train(person, Path(home))
        if chosen.only != "train":
            review = predict(person, Path(home), chosen.model.absolute())
            thresholds(person, review)
            correct(person, review)
        person.session.close()
        person.viewer.close()


if __name__ == "__main__":
    main()
