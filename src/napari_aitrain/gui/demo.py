"""The demo with a window: a sample, its boxes and ground truth in place, the docks open, and training under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..annotation.world import WorldBox
from ..samples import Sample, nuclei_2d
from ..training.config import SCRATCH, TrainConfig
from .frames import LayerFrame
from .jobs.use import open_dock
from .notify import reported
from .samples import as_layers
from .session import Session, session_of

if TYPE_CHECKING:
    import napari

DOCKS = ("Annotate", "Train", "Jobs", "Review")


def run_demo_in_window(minutes: float) -> None:
    """Open the demo and return when its window is closed."""
    import napari

    open_demo(minutes)
    napari.run()


def open_demo(minutes: float, sample: Sample | None = None) -> napari.Viewer:
    """Open napari with a sample that is being learned; the caller runs the event loop.

    Parameters
    ----------
    minutes : float
        How long to train.
    sample : Sample, optional
        What to learn from; nuclei if not given.
    """
    import napari

    viewer = napari.Viewer(title="napari-aitrain demo")
    session = session_of(viewer)
    session.jobs.prewarm()
    show_sample(session, sample or nuclei_2d())
    open_docks(session)
    with reported():
        start(session, minutes)
    return viewer


def show_sample(session: Session, sample: Sample) -> None:
    """Add the image, its ground truth inside the boxes, and the boxes."""
    viewer = session.viewer
    data, options, _ = as_layers(sample)[0]
    image = viewer.add_image(data, **options)
    frame = LayerFrame.of(image)
    labels = session.truths.create(image.name, "instances")
    truth = session.truths.current
    first_free = (truth.background_id or 0) if truth is not None else 0
    painted = np.zeros_like(sample.labels)
    for box in sample.boxes:
        inside = sample.labels[box.region.slices]
        painted[box.region.slices] = np.where(inside > 0, inside + first_free, 0)
    labels.data = painted[0] if frame.flat else painted
    boxes = []
    for box in sample.boxes:
        first, last = frame.to_world(box.region)
        own = box.model_dump(exclude={"start", "stop"})
        boxes.append(WorldBox(start=first, stop=last, image=image.name, **own))
    session.boxes.add(*boxes)
    viewer.reset_view()


def open_docks(session: Session) -> None:
    """Open every dock as one stack of tabs, with Review in front."""
    for name in DOCKS:
        open_dock(session, name)


def start(session: Session, minutes: float) -> None:
    """Train on the ground truth that is there."""
    truth = session.truths.current
    if truth is not None:
        sources = tuple(session.saver.sources(truth))
        config = TrainConfig(name="demo", task="instances", sources=sources, minutes=minutes, start_from=SCRATCH)
        session.jobs.start(config)
