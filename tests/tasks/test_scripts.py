"""A script that provides a task is code: nothing of it runs unasked, and not in this process."""

import sys
from pathlib import Path

import pytest

from napari_aitrain.errors import ConfigError, ScriptNotTrustedError, TaskScriptError
from napari_aitrain.jobs.failure import describe
from napari_aitrain.tasks import get_task, is_foreign, make_task, settled_name
from napari_aitrain.tasks.code import code_allowed
from napari_aitrain.tasks.describing import describe_code
from napari_aitrain.tasks.script_store import (
    content_of,
    find_script,
    forget_script,
    shown_name,
    trust_script,
    trusted_scripts,
)

GOOD = """
from pathlib import Path
from typing import Annotated, Literal
from pydantic import Field
from napari_aitrain.tasks.instances import InstancesSettings, InstancesTask

(Path(__file__).parent / "it-ran").touch()

class RimSettings(InstancesSettings):
    rim: Annotated[float, Field(ge=1, le=10, title="Rim", description="Its weight.",
                                json_schema_extra={"basic": True})] = 2.0
    kind: Literal["thin", "thick"] = "thin"
    limit: int | None = None
    table: dict[str, int] = {}

class RimTask(InstancesTask):
    name = "rim"
    title = "Heavy rims"
    description = "Objects whose rim counts more."
    Settings = RimSettings
    needs_voxel_size = True

    def decode(self, maps, voxel_size, dims):
        return 1 / 0

TASK = RimTask
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def script(folder: Path, text: str, name: str = "my task.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_script_is_known_by_its_description_and_run_only_where_that_is_allowed(tmp_path: Path, home: Path) -> None:
    path = script(tmp_path, GOOD)
    for name in (str(path), "script:my task@0123456789abcdef"):
        with pytest.raises(ScriptNotTrustedError, match="not confirmed") as caught:
            get_task(name)
        assert "scripts trust" in caught.value.remedy
    assert not list(tmp_path.rglob("it-ran"))

    found = trust_script(path)
    assert (home / "task-scripts" / "it-ran").exists()
    (home / "task-scripts" / "it-ran").unlink()
    assert [one.sha256 for one in trusted_scripts()] == [found.sha256]
    name = settled_name(str(path))
    assert name == found.name == f"script:my task@{found.sha256[:16]}"
    assert shown_name(name) == "my task (script)"
    assert is_foreign(name) and is_foreign(str(path)) and not is_foreign("instances")

    kind = get_task(name)
    assert (kind.title, kind.instances, kind.needs_voxel_size, kind.sliders) == ("Heavy rims", True, True, ())
    assert kind.scaling == get_task("instances").scaling
    fields = kind.Settings.model_fields
    assert fields["rim"].title == "Rim" and fields["rim"].json_schema_extra == {"basic": True, "hidden": False}
    task = make_task(name, {"rim": 3, "kind": "thick", "table": {"a": 1}})
    assert task.settings.model_dump()["rim"] == 3
    for wrong in ({"rim": 11}, {"kind": "huge"}, {"rym": 1}, {"limit": "x"}):
        with pytest.raises(ConfigError, match="my task \\(script\\)"):
            make_task(name, wrong)
    with pytest.raises(TaskScriptError, match="only a worker runs"):
        task.decode(None, None, 2)  # type: ignore[arg-type]
    assert not hasattr(task, "no_such_thing")
    assert not (home / "task-scripts" / "it-ran").exists()
    assert not any(one.startswith("aitrain_task") for one in sys.modules)

    with code_allowed():
        real = make_task(name, {"rim": 3})
        assert real.settings.model_dump()["limit"] is None
        try:
            real.decode(None, None, 2)  # type: ignore[arg-type]
        except ZeroDivisionError as error:
            told = describe(error)
    assert told["error"] == "TaskScriptError"
    assert "my task.py failed in decode at line 24: ZeroDivisionError" in told["what"]
    assert "fault of napari-aitrain" not in told["remedy"]


def test_a_change_of_a_letter_asks_again_and_an_agreement_can_be_taken_back(tmp_path: Path, home: Path) -> None:
    path = script(tmp_path, GOOD)
    found = trust_script(path)
    assert find_script(str(path)) == found
    script(tmp_path, GOOD + "\n# other\n")
    with pytest.raises(ScriptNotTrustedError):
        find_script(str(path))
    # What has the checksum in its name, and other content, is not run either.
    found.path.write_text(GOOD + "\nprint('evil')\n", encoding="utf-8")
    with pytest.raises(ScriptNotTrustedError, match="changed"):
        content_of(found)
    with code_allowed(), pytest.raises(ScriptNotTrustedError, match="changed"):
        get_task(found.name)
    forget_script(found.sha256)
    with pytest.raises(ScriptNotTrustedError):
        get_task(found.name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no such luck')", "line 1: RuntimeError: no such luck"),
        ("x = (", "line 1: SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; print('bye'); os._exit(0)", "ended Python"),
        ("a = 1", "provides no task"),
        ("TASK = 3", "is no class"),
        ("class A:\n    name = 'a'\nTASK = A", "lacks"),
    ],
)
def test_a_bad_script_is_told_and_not_agreed_to(tmp_path: Path, text: str, said: str) -> None:
    path = script(tmp_path, text)
    with pytest.raises(TaskScriptError, match=r"my task\.py") as caught:
        trust_script(path)
    assert said in caught.value.what
    assert list(trusted_scripts()) == []


def test_a_script_that_never_ends_is_ended(tmp_path: Path) -> None:
    path = script(tmp_path, "while True: pass")
    with pytest.raises(TaskScriptError, match="did not end within 2 s"):
        describe_code(str(path), path.name, patience=2)


def test_what_is_no_script_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        trust_script(tmp_path / "none.py")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        trust_script(tmp_path / "bytes.py")
    (tmp_path / "huge.py").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match="more than"):
        trust_script(tmp_path / "huge.py")
    with pytest.raises(ConfigError, match="names no script"):
        get_task("script:nothing")
