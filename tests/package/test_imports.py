"""What is imported when, and by whom: a window must open without torch, and a cluster has no Qt."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "napari", "qtpy", "PyQt6", "magicgui")

PROBE = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(",".join(m for m in {heavy!r} if m in sys.modules))
"""


def imported(modules: str) -> str:
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), modules]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


@pytest.mark.parametrize(
    "modules",
    [
        "napari_aitrain",
        "napari_aitrain.training.config_file",
        "napari_aitrain.tasks",
        "napari_aitrain.annotation.boxes",
        "napari_aitrain.annotation.rules",
        "napari_aitrain.jobs.folder",
        "napari_aitrain.inference.store",
        "napari_aitrain.samples",
        "napari_aitrain.gui.samples",
        "napari_aitrain.cli",
    ],
)
def test_imports_neither_torch_nor_a_window(modules):
    assert imported(modules) == ""


def test_listing_tasks_and_their_settings_needs_no_torch():
    code = (
        "import sys\n"
        "from napari_aitrain.tasks import get_task, task_names\n"
        "for name in task_names():\n"
        "    get_task(name).Settings.model_json_schema()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_importing_the_package_is_a_small_part_of_starting_python():
    """No seconds are compared, for machines are busy: only how many modules come in."""
    code = "import sys; before = set(sys.modules); import napari_aitrain; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) < 60
