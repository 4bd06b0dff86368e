"""Make the pictures of docs/models.md in a real window: a store with three versions, two of which are compared.

Run ``python docs/models_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes about a minute.
``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tutorial_pictures import PICTURES, Person, somebody

from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_results import BoxResult, EvaluatedModel, ModelEvaluation
from napari_aitrain.evaluation.side_by_side import side_by_side
from napari_aitrain.models import comment_model, import_model, starter_folder, tag_model
from napari_aitrain.samples import nuclei_2d
from napari_aitrain.tasks.protocol import Objects

SHARES = (0.72, 0.8)
"""Of computed discs that two versions find."""


def evaluation(version: int, share: float) -> ModelEvaluation:
    """Return an evaluation on fields of computed discs, of which a share was found."""
    random = np.random.default_rng(version)
    boxes = []
    for number in range(8):
        disc = np.pad(np.ones((1, 8, 8), np.int32), ((0, 0), (2, 2), (2, 2)))
        truth = np.kron(np.arange(1, 37, dtype=np.int32).reshape(1, 6, 6), disc)
        missed = np.flatnonzero(random.random(37) > share)
        found = Objects(
            np.where(np.isin(truth, missed), 0, truth), np.ones(37, np.float32), np.zeros((0, 0), np.float32)
        )
        boxes.append(
            BoxResult(
                number=number, role="validation", name=f"field {number + 1}", source="plate.tif", labels="labels.tif",
                start=(0, 0, 80 * number), stop=(1, 72, 80 * number + 72), magnification=(1, 1, 1), voxels=truth.size,
                **judge_box(found, truth, 0.0).sums,
            )
        )  # fmt: skip
    model = EvaluatedModel(
        name="nuclei", version=version, folder="", task="instances", instances=True, dims=2, threshold=0.5
    )
    return ModelEvaluation(model=model, boxes=tuple(boxes))


def show(person: Person) -> None:
    """Look at a version, and compare two."""
    folders = [import_model(starter_folder("nuclei-2d"), "nuclei").folder for _ in range(3)]
    tag_model("nuclei/v2", ["paper", "figure 2"])
    comment_model("nuclei/v2", "Trained with the crowded fields of the second plate.")
    person.viewer.add_image(nuclei_2d().image, name="nuclei")
    view = person.open("Models").view
    person.wait(lambda: view.table.rowCount() >= 3)
    view.setValue([folders[1]])
    person.pause(1)
    person.picture("models")
    found = side_by_side(
        [evaluation(n, share) for n, share in enumerate(SHARES, start=1)], None, ["nuclei v1", "nuclei v2"]
    )
    view.setValue(folders[:2])
    person.docks["Models"][1].controller.models.compared.emit(found)
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
