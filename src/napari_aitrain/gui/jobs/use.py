"""From a job to the other docks: its settings into Train, its model into Review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from npe2 import PluginManager
from qtpy.QtWidgets import QDockWidget

from ...jobs import EvaluateConfig, JobFolder
from ...jobs.predict_config import PredictConfig
from ...training.config import TrainConfig

if TYPE_CHECKING:
    from ..session import Session

PLUGIN = "napari-aitrain"


def open_dock(session: Session, title: str) -> Any:
    """Open a dock of this plugin, or bring it to the front, and return its widget."""
    window, docks = session.viewer.window, session.viewer.window.dock_widgets
    # The menu names docks by the plugin's title, a program by its name: looking for one of both would open a second.
    name = next((name for name in docks if name.startswith(f"{title} (")), "")
    if not name:
        manager = PluginManager.instance()
        name = f"{title} ({manager.get_manifest(PLUGIN).display_name})"
        found = (one for one in manager.iter_widgets() if one.plugin_name == PLUGIN and one.display_name == title)
        make: Any = next(found).get_callable()
        window.add_dock_widget(make(session.viewer), name=name)
    widget = docks[name]
    frame = widget.parent()
    assert isinstance(frame, QDockWidget)
    frame.show()
    frame.raise_()
    return widget


def train_again(session: Session, job: JobFolder) -> None:
    """Open the Train dock with the settings of a job.

    Raises
    ------
    AitrainError
        If they cannot be read.
    """
    settings = job.settings()
    if isinstance(settings, TrainConfig):
        open_dock(session, "Train").fill(settings)


def use_model(session: Session, job: JobFolder) -> None:
    """Have the Review dock show what the model of a job makes of the images, or what was predicted before.

    What an evaluation found is shown by the Evaluate dock.

    Raises
    ------
    AitrainError
        If the job cannot be read.
    """
    settings = job.settings()
    if isinstance(settings, EvaluateConfig):
        open_dock(session, "Evaluate")
        session.evaluations.open(job)
        return
    folder = settings.model if isinstance(settings, PredictConfig) else job.model
    open_dock(session, "Review")
    session.predictions.set_model(folder)
    if isinstance(settings, PredictConfig):
        session.predictions.runs.reopen(job)
