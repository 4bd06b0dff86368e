"""Make the pictures of docs/em-instances.md, by doing what it describes in a real window.

Run ``python docs/em_instances_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes about six
minutes. ``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tutorial_pictures import PICTURES, Person, somebody

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.samples import em_volume_3d

MAX_DISTANCE = 800.0
LEARN = 300
"""Seconds from the first prediction until it is looked at."""


def train(person: Person) -> None:
    """Choose the task and its one setting, and start."""
    viewer, session = person.viewer, person.session
    sample = em_volume_3d()
    viewer.open_sample("napari-aitrain", "em_volume")
    image = viewer.layers[sample.name]
    for layer in list(viewer.layers)[2:]:
        viewer.layers.remove(layer)
    session.truths.adopt(viewer.layers[f"{sample.name} labels"], image.name, "instances")
    scale = np.array(image.scale)
    for box in sample.boxes:
        start, stop = ((np.array(corner) - 0.5) * scale for corner in (box.start, box.stop))
        place = {"start": start.tolist(), "stop": stop.tolist(), "image": image.name}
        session.boxes.add(WorldBox(**place, name=box.name, role=box.role))
    viewer.dims.set_point(0, scale[0] * (image.data.shape[0] // 2))
    view = person.open("Train").view
    view.form.setValue({"task": "em-instances", "name": "mitochondria"})
    view.form.setValue({"task_settings": {"max_distance": MAX_DISTANCE}})
    person.wait(lambda: not view.status.value().checking and view.status.value().ready, 120)
    person.pause(1)
    person.wait(lambda: not view.status.value().checking and view.status.value().ready, 120)
    person.picture("em-instances-1-train")
    person.click(view.start)


def look(person: Person) -> None:
    """Watch it learn, and save what is found."""
    viewer, session = person.viewer, person.session
    person.open("Review")
    person.wait(lambda: session.predictions.current is not None, 120)
    for layer in viewer.layers:
        if layer.name.endswith(("labels", "boxes")):
            layer.visible = False
    person.pause(LEARN)
    person.picture("em-instances-2-found")
    dock = person.open("Jobs")
    person.click(dock.view.buttons["stop"])
    person.wait(lambda: not session.jobs.running(), 120)


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        train(person)
        look(person)


if __name__ == "__main__":
    main()
