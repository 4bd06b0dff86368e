"""Every snippet of the documentation is run, in a folder as the demo leaves it; only with fewer steps."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from napari_aitrain.annotation.boxes import read_boxes
from napari_aitrain.cli.main import run
from napari_aitrain.demo import write_test
from napari_aitrain.samples import nuclei_2d, write_sample
from napari_aitrain.training.config_file import read_config

ROOT = Path(__file__).parents[2]
SNIPPETS = ROOT / "docs" / "snippets"
IN_ORDER = ["check", "train", "jobs", "predict", "threshold", "evaluate"]
# The two commands that install are run by .ci/run and on a fresh machine.
INSTALLING = {"install": "README.md", "test": ".ci/run"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snippets")
    sample = nuclei_2d(size=384, count=130)
    write_sample(sample, folder / "aitrain-demo" / "data")
    write_test(sample, folder / "aitrain-demo" / "test")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.setenv("AITRAIN_HOME", str(folder / "home"))
    yield folder
    patch.undo()


def commands(name):
    text = (SNIPPETS / f"{name}.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    return [re.sub(r"--minutes \S+", "--steps 3", line) for line in text.splitlines() if line.strip()]


def test_commands_run_in_the_order_of_the_tutorial(place):
    for name in IN_ORDER:
        for command in commands(name):
            program, *arguments = shlex.split(command)
            assert program == "napari-aitrain"
            assert run(arguments) == 0, command
    assert (place / "found.tif").is_file() and len(list((place / "found-test").glob("*.tif"))) == 3


def test_python_runs(place):
    for path in sorted(SNIPPETS.glob("*.py")):
        code = re.sub(r"minutes=\S+,", "steps=3,", path.read_text(encoding="utf-8"))
        exec(compile(code, path.name, "exec"), {"__name__": "__main__"})


def test_configs_are_understood():
    for path in SNIPPETS.glob("*.yaml"):
        assert read_config(path).sources


def test_boxes_are_understood():
    assert {box.role for box in read_boxes(SNIPPETS / "boxes.json")} == {"train", "validation", "test"}


@pytest.mark.parametrize(("name", "where"), INSTALLING.items())
def test_installing_commands_are_those_that_are_run(name, where):
    command = (SNIPPETS / f"{name}.sh").read_text(encoding="utf-8").strip()
    assert command in (ROOT / where).read_text(encoding="utf-8")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_snippet_is_shown_and_every_shown_one_is_tested():
    shown = set()
    for page in (ROOT / "docs").glob("*.md"):
        shown.update(re.findall(r'--8<-- "docs/snippets/(.+?)"', page.read_text(encoding="utf-8")))
    assert shown == {path.name for path in SNIPPETS.iterdir()}
    scripts = {path.stem for path in SNIPPETS.glob("*.sh")}
    assert scripts == {*IN_ORDER, *INSTALLING}


def test_pages_are_in_the_menu():
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {page for entry in menu for page in entry.values()}
    assert pages == {path.name for path in (ROOT / "docs").glob("*.md")}
