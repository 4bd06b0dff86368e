"""Make the pictures of docs/models.md in a real window: two short trainings on one sample, stored and compared.

Run ``python docs/models_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes about three minutes.
``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_pictures import PICTURES, Person, somebody

from napari_aitrain.gui.demo import show_sample
from napari_aitrain.jobs import JobFolder
from napari_aitrain.models import comment_model, import_model, tag_model
from napari_aitrain.samples import nuclei_2d
from napari_aitrain.training.config import SCRATCH, TrainConfig

STEPS = (20, 60)
"""Of the two trainings: the second has seen more, and is better."""


def train(person: Person, steps: int) -> Path:
    """Train on the boxes of the window, add the model to the store and evaluate it; return where it is."""
    session = person.session
    truth = session.truths.current
    assert truth is not None
    config = TrainConfig(
        name="nuclei", task="instances", sources=tuple(session.saver.sources(truth)), steps=steps, start_from=SCRATCH
    )
    wait_for(person, job := session.jobs.start(config))
    folder = import_model(job.model, "nuclei").folder
    wait_for(person, session.evaluations.start(folder, "window"))
    return folder


def wait_for(person: Person, job: JobFolder) -> None:
    """Let a job end."""
    person.wait(lambda: person.session.jobs.state(job) == "done", 300)


def show(person: Person) -> None:
    """Look at a version, and compare two."""
    show_sample(person.session, nuclei_2d())
    folders = [train(person, steps) for steps in STEPS]
    tag_model("nuclei/v2", ["paper", "figure 2"])
    comment_model("nuclei/v2", "Trained longer.")
    view = person.open("Models").view
    person.wait(lambda: view.table.rowCount() > len(folders))
    view.setValue(folders[1:])
    person.pause(1)
    person.picture("models")
    view.setValue(folders)
    person.click(view.buttons["compare"])
    person.wait(lambda: view.comparison.value() is not None)
    view.comparison.as_difference.setCurrentIndex(1)
    person.pause(1)
    person.picture("models-compared")


def main() -> None:
    """Go through the page once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PICTURES)
    chosen = parser.parse_args()
    with somebody(chosen.to) as person:
        show(person)


if __name__ == "__main__":
    main()
