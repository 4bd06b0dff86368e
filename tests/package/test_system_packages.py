"""The system packages that tests with a window need: asked for, never insisted on."""

import importlib.util
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("system_packages", Path(__file__).parents[1] / "system_packages.py")
system_packages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system_packages)


def test_nothing_is_missing_where_there_is_no_dpkg(monkeypatch):
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: None)
    assert system_packages.missing_packages() == []


def test_no_line_when_nothing_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(system_packages, "missing_packages", list)
    system_packages.main()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("prefix", [None, []], ids=["not allowed", "apt-get fails"])
def test_the_one_line_is_printed_when_it_cannot_install(monkeypatch, capsys, prefix):
    monkeypatch.setattr(system_packages, "missing_packages", lambda: ["xvfb", "libegl1"])
    monkeypatch.setattr(system_packages, "privilege", lambda: prefix)
    monkeypatch.setattr(system_packages, "install", lambda packages, prefix: False)
    system_packages.main()
    assert "\n  sudo apt-get install --no-install-recommends --yes xvfb libegl1\n" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="no such commands on Windows")
def test_a_failing_command_is_no_error():
    assert not system_packages.install(["xvfb"], ["false"])
    assert system_packages.install(["xvfb"], ["true"])
