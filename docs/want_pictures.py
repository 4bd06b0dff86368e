"""Make the pictures of docs/want.md and docs/own-task.md, by doing what they describe in a real window.

Run ``python docs/want_pictures.py`` on a screen of at least 1366×768, or under Xvfb; it takes two minutes.
``--to`` names another folder than ``docs/images``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_pictures import PICTURES, Person, somebody

from napari_aitrain.annotation.policy import POLICY, user_policy
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.frames import LayerFrame
from napari_aitrain.gui.train.policy_dialog import PolicyDialog
from napari_aitrain.gui.train.script_dialog import ScriptDialog
from napari_aitrain.samples import nuclei_2d

SCRIPT = Path(__file__).parent / "snippets" / "rim.py"


def steps(person: Person) -> None:
    """Go through the three steps."""
    viewer, session = person.viewer, person.session
    viewer.open_sample("napari-aitrain", "nuclei")
    viewer.layers.remove("nuclei boxes")
    session.truths.adopt(viewer.layers["nuclei labels"], "nuclei", "instances")
    frame = LayerFrame.of(viewer.layers["nuclei"])
    for number, box in enumerate(nuclei_2d().boxes):
        start, stop = frame.to_world(box.region)
        tag = "plate 1" if number % 2 else "plate 2"
        session.boxes.add(
            WorldBox(
                start=start, stop=stop, image="nuclei", name=box.name, role=box.role, status=box.status, tags=(tag,)
            )
        )
    view = person.open("Train").view
    person.click(view.steps.stepwise)
    view.form.setValue({"tags": ("plate 2",), "name": "nuclei"})
    person.pause(1)
    person.picture("want-1-what")
    person.click(view.steps.next)
    person.click(view.steps.next)
    view.form.setValue({"then_predict": "layer:nuclei"})
    person.wait(lambda: view.status.value().counts and not view.status.value().checking, 120)
    person.pause(1)
    person.picture("want-2-check")


def rules(person: Person) -> None:
    """Look at the rules of a project."""
    person.session.saver.flush()
    folder = person.session.saver.project.folder
    dialog = PolicyDialog({"the project nuclei": folder / POLICY, "me, in every project": user_policy()}, person.window)
    dialog.show()
    person.pause(1)
    person.picture("want-3-rules", dialog)
    dialog.close()


def script(person: Person) -> None:
    """Look at a script."""
    dialog = ScriptDialog(SCRIPT, person.window)
    dialog.show()
    # Where the documentation lies tells readers nothing.
    dialog.where.setText(dialog.where.text().replace(str(SCRIPT), "/data/rim.py"))
    person.pause(1)
    person.picture("own-task-1-ask", dialog)
    dialog.close()


def queue(person: Person) -> None:
    """Queue three trainings, and look at the one that is last."""
    view, jobs = person.open("Train").view, person.session.jobs
    for number, name in enumerate(("nuclei", "nuclei large", "nuclei slow"), start=1):
        view.form.setValue({"name": name, "then_predict": None, "tags": ()})
        person.wait(lambda: view.start.isEnabled(), 120)
        person.click(view.start)
        person.wait(lambda number=number: len(jobs.all()) == number and not jobs.preparing(jobs.all()[0]), 120)
    dock = person.open("Jobs")
    person.wait(lambda: any(jobs.state(job) == "running" for job in jobs.all()), 240)
    last = next(job for job in jobs.all() if job.name.startswith("nuclei slow"))
    dock.view.table.setValue(str(last.path))
    person.wait(lambda: dock.view.buttons["up"].isEnabled(), 120)
    person.pause(2)
    person.picture("want-4-queue")
    for job in jobs.all():
        jobs.stop(job)
    person.wait(lambda: not jobs.running(), 240)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PICTURES)
    with somebody(parser.parse_args().to) as person:
        for part in (steps, rules, script, queue):
            part(person)


if __name__ == "__main__":
    main()
