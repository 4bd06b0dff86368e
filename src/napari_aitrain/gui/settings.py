"""What a person chose on the Preferences page, read from napari whenever it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLUGIN = "napari-aitrain"


@dataclass(frozen=True)
class Preferences:
    """The preferences; the defaults are those of napari.yaml.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    jobs_folder, projects_folder : Path or None
        Where new jobs and projects go; None means the user's data folder.
    autosave_interval : float
        Seconds of work after which labels and boxes are saved.
    preview_interval : float
        Seconds between predictions while a model is young.
    """

    device: str = "auto"
    jobs_folder: Path | None = None
    projects_folder: Path | None = None
    autosave_interval: float = 3.0
    preview_interval: float = 3.0


def preferences() -> Preferences:
    """Return the preferences as they are now; the defaults where napari does not know the plugin or has no page."""
    chosen = _chosen()
    if chosen is None:
        return Preferences()
    return Preferences(
        device=chosen.training.device,
        jobs_folder=_folder(chosen.folders.jobs),
        projects_folder=_folder(chosen.folders.projects),
        autosave_interval=chosen.intervals.autosave,
        preview_interval=chosen.intervals.preview,
    )


def _chosen() -> Any:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # before napari 0.9
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None


def _folder(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text.strip() else None
