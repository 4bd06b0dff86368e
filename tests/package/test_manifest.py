"""The manifest says nothing that is not so."""

import subprocess
import sys
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import napari_aitrain

npe2 = pytest.importorskip("npe2", reason="npe2 comes with the extra 'test'")
MANIFEST = resources.files(napari_aitrain) / "napari.yaml"


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_file(Path(str(MANIFEST)))


def test_validates():
    command = [sys.executable, "-m", "npe2.cli", "validate", str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_python_name_imports(manifest):
    assert manifest.contributions.commands
    for command in manifest.contributions.commands:
        assert callable(npe2.manifest.utils.import_python_name(command.python_name)), command.python_name


def test_every_contribution_has_its_command(manifest):
    commands = {command.id for command in manifest.contributions.commands}
    in_menus = [item for items in manifest.contributions.menus.values() for item in items]
    used = [*manifest.contributions.sample_data, *manifest.contributions.widgets, *in_menus]
    assert {one.command for one in used} == commands


def test_installed_package_points_to_the_manifest():
    found = [e for e in entry_points(group="napari.manifest") if e.name == "napari-aitrain"]
    assert [e.value for e in found] == ["napari_aitrain:napari.yaml"]


def test_top_level_link_is_the_same_file():
    link = Path(__file__).parents[2] / "napari.yaml"
    if not link.exists():
        pytest.skip("no source tree around the tests")
    # Where git makes no links (Windows without the right to), the file holds the path of its target.
    assert link.read_text() in (MANIFEST.read_text(), "src/napari_aitrain/napari.yaml")
