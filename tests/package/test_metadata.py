"""What is promised about the package holds together."""

import ast
import configparser
import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import napari_aitrain

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    rows = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(row.name): row for row in rows}


def requirements(project):
    rows = project["dependencies"] + [row for rows in project["optional-dependencies"].values() for row in rows]
    return [Requirement(row) for row in rows]


def test_only_lower_bounds(project):
    for row in requirements(project):
        assert [s.operator for s in row.specifier] == [">="], f"{row} is not a lower bound"


def test_tested_versions_are_exact_and_complete(project, constraints):
    for row in constraints.values():
        (pin,) = row.specifier
        assert pin.operator == "==" and Version(pin.version).local is None, str(row)
    for row in requirements(project):
        (pin,) = constraints[canonicalize_name(row.name)].specifier
        assert row.specifier.contains(pin.version), f"{row} does not allow the tested {pin.version}"


def test_tools_of_tox_have_tested_versions(constraints):
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    tools = {name for section in tox for name in tox[section].get("deps", "").split()}
    assert tools and not {canonicalize_name(name) for name in tools} - constraints.keys()


def test_version_is_in_the_changelog():
    assert f"## {napari_aitrain.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


WHERE_NEEDED = ("remote", "hdf5", "n5", "cluster", "parquet", "bioimageio", "remote-models", "serve")
"""Extras whose packages are imported where they are needed."""


def imported_packages():
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        if "gui" in path.relative_to(ROOT / "src" / "napari_aitrain").parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    # These are parts of pydantic that its documentation has one import.
    return found - set(sys.stdlib_module_names) - {"napari_aitrain", "pydantic_core", "annotated_types"}


def test_what_is_imported_is_what_is_asked_for(project):
    distributions = importlib.metadata.packages_distributions()
    imported = {canonicalize_name(distributions[name][0]) for name in imported_packages()}
    extras = project["optional-dependencies"]
    needed = {canonicalize_name(Requirement(row).name) for row in project["dependencies"]}
    optional = {canonicalize_name(Requirement(row).name) for extra in WHERE_NEEDED for row in extras[extra]}
    assert imported - optional == needed and not optional & needed
