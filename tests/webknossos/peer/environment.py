"""Make the environment of the official `webknossos` package: ``python environment.py FOLDER``."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEER = "webknossos~=4.3.3"


def python_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if not python_of(place).is_file():
        venv.create(place, with_pip=True)
    subprocess.run([python_of(place), "-m", "pip", "install", "--quiet", PEER], check=True)
