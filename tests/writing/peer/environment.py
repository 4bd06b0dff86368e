"""Make the environments of other people's readers: ``python environment.py FOLDER``."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEERS = {
    "zarr3": ("ome-zarr~=0.18", "ome-zarr-models~=1.7", "napari-ome-zarr~=0.10", "tensorstore~=0.1.86"),
    # Programs that have not moved on read 0.4 with it; it does not live beside zarr 3.
    "zarr2": ("zarr~=2.18.7", "numcodecs<0.16"),
}


def python_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


if __name__ == "__main__":
    for name, packages in PEERS.items():
        place = Path(sys.argv[1]) / name
        if not python_of(place).is_file():
            venv.create(place, with_pip=True)
        subprocess.run([python_of(place), "-m", "pip", "install", "--quiet", *packages], check=True)
