import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from napari_aitrain import tasks
from napari_aitrain.errors import ConfigError, GroundTruthError, TaskScriptError
from napari_aitrain.tasks import get_task, make_task, task_names
from napari_aitrain.tasks.code import code_allowed
from napari_aitrain.tasks.protocol import Task


@pytest.mark.parametrize("name", ["instances", "semantic", "em-instances"])
def test_every_task_keeps_the_protocol(name: str) -> None:
    task = make_task(name)
    assert isinstance(task, Task)
    assert type(task) is get_task(name)
    assert task.name == name
    assert task.title and task.description
    assert task.heads >= 1
    assert all(task.auxiliary_heads(dims) >= 0 for dims in (2, 3))
    assert len(task.nearest) >= 1
    for setting, field in task.Settings.model_fields.items():
        assert field.description, setting


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'semantc' is not known") as caught:
        make_task("semantc")
    assert "'semantic'" in caught.value.remedy


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        make_task("instances", {"minimum": 3})
    assert "'minimum_size'" in caught.value.remedy


def test_a_setting_out_of_range_is_explained() -> None:
    with pytest.raises(ConfigError) as caught:
        make_task("instances", {"foreground": 1.5})
    assert "foreground" in caught.value.what
    assert "probable" in caught.value.expected


def test_one_class_is_too_few() -> None:
    with pytest.raises(GroundTruthError) as caught:
        make_task("semantic", {}, (3,))
    assert "3" in caught.value.what


def test_other_packages_add_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("mine", "napari_aitrain.tasks.semantic:SemanticTask", tasks.ENTRY_POINT_GROUP),
        EntryPoint("broken", "napari_aitrain.no_such_module:Task", tasks.ENTRY_POINT_GROUP),
        EntryPoint("instances", "napari_aitrain.no_such_module:Task", tasks.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(tasks, "entry_points", lambda group: points)
    assert task_names() == ["instances", "semantic", "neurons", "em-instances", "cellpose", "broken", "mine"]
    assert get_task("instances").name == "instances"
    with code_allowed():
        assert get_task("mine") is get_task("semantic")
        with pytest.raises(TaskScriptError, match="no_such_module"):
            get_task("broken")


def test_listing_tasks_does_not_import_torch() -> None:
    code = (
        "import sys; from napari_aitrain.tasks import *;"
        "[make_task(n).Settings.model_json_schema() for n in task_names()];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
