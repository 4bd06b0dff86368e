"""Where models and jobs of this user live."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the user's folder for models and jobs: ``AITRAIN_HOME`` if set, else the platform's data folder."""
    chosen = os.environ.get("AITRAIN_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("napari-aitrain", appauthor=False)
