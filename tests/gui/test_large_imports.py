"""What the window must not import before it is needed: it would take seconds to open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import napari_aitrain.gui

CODE = """
import importlib, os, sys
import napari

large = {"torch", "sklearn", "matplotlib", "pyqtgraph", "onnxruntime", "bioimageio.core", "bioimageio.spec", "httpx",
         "keyring"}
viewer = napari.Viewer(show=False)
for name in sys.argv[1:]:
    module = importlib.import_module(f"napari_aitrain.gui.{name}")
    if name.endswith(".dock"):
        docks = [one for key, one in vars(module).items() if key.endswith("Dock") and one.__module__ == module.__name__]
        assert docks, name
        viewer.window.add_dock_widget(docks[0](viewer))
    if found := large & set(sys.modules):
        print(name, "imports", *found, file=sys.stderr, flush=True)
        os._exit(1)
os._exit(0)
"""


def test_opening_docks_and_dialogs_imports_nothing_large(viewer: object) -> None:
    folder = Path(napari_aitrain.gui.__file__).parent
    names = [f"{file.parent.name}.{file.stem}" for file in sorted(folder.glob("*/*.py"))
             if file.stem == "dock" or file.stem.endswith("dialog")]  # fmt: skip
    assert len(names) > 12
    done = subprocess.run([sys.executable, "-c", CODE, *names], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
