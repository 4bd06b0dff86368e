"""Trainings whose task is a script: the script runs in the worker alone, whatever it does there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from napari_aitrain.errors import ModelError, ScriptNotTrustedError
from napari_aitrain.jobs import JobFolder, Worker, summarise
from napari_aitrain.jobs.following import use_of
from napari_aitrain.jobs.lock import living_owner
from napari_aitrain.models import load_model
from napari_aitrain.tasks.code import code_allowed
from napari_aitrain.tasks.script_store import forget_script, trust_script
from napari_aitrain.volumes import open_volume

TASK = """
from napari_aitrain.tasks.instances import InstancesTask

print("loaded")

class MyTask(InstancesTask):
    name = "mine"
    title = "Mine"
    description = "Mine."

    def loss(self, output, values, weight):
        print("a step")
        {does}
        return super().loss(output, values, weight)

TASK = MyTask
"""


@pytest.fixture
def make_script(tmp_path: Path) -> Callable[[str], Path]:
    def make(does: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(TASK.replace("{does}", does), encoding="utf-8")
        return path

    return make


def test_a_training_by_a_script_and_its_use_at_once(tmp_path: Path, make_config, make_script, capfd) -> None:
    path = make_script("pass")
    config = make_config(task=str(path), then_predict=tmp_path / "bild ü.tif", then_out=tmp_path / "out.tif")
    with pytest.raises(ScriptNotTrustedError):
        JobFolder.create(config, tmp_path / "jobs" / "a")
    script = trust_script(path)
    job = JobFolder.create(config, tmp_path / "jobs" / "a")
    # What was confirmed is what runs, whatever becomes of the file.
    path.write_text("raise RuntimeError", encoding="utf-8")
    worker = Worker(job)
    assert worker.process.wait() == 0
    assert job.state() == "done"
    assert (job.path / "task.py").read_bytes() == (job.model / "task.py").read_bytes() == script.path.read_bytes()
    printed = job.log.read_text(encoding="utf-8")
    assert printed.count("a step") >= 3 and "loaded" in printed
    assert "loaded" not in capfd.readouterr().out

    use = use_of(job)
    assert use is not None and use.kind == "prediction" and use.state() == "done"
    assert summarise(job)["then"] == str(use.path)
    assert open_volume(tmp_path / "out.tif", kind="labels").shape == (1, 96, 96)

    model = load_model(job.model)
    assert model.card.script is not None
    assert (model.card.script.title, model.card.script.sha256) == ("mine", script.sha256)
    assert model.card.task == script.name
    # On another computer nobody has confirmed it: its copy beside the card is not run unasked.
    forget_script(script.sha256)
    with code_allowed(), pytest.raises(ModelError, match="not confirmed") as caught:
        model.task()
    assert "task.py" in caught.value.remedy
    trust_script(job.model / "task.py")
    assert model.task().settings is not None


@pytest.mark.slow
def test_a_script_that_raises_in_a_step_says_where(make_job, make_script) -> None:
    path = make_script("1 / 0")
    trust_script(path)
    job = make_job(task=str(path))
    assert Worker(job).process.wait() == 1
    failed = summarise(job)["failed"]
    assert failed["error"] == "TaskScriptError"
    assert "mine.py failed in loss at line 13: ZeroDivisionError: division by zero" in failed["what"]
    assert "1 / 0" in job.log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_script_that_raises_in_the_worker_alone_says_where(make_job, make_script) -> None:
    path = make_script("pass")
    text = path.read_text(encoding="utf-8")
    path.write_text("import sys\nassert 'torch' not in sys.modules, 'no torch'\n" + text, encoding="utf-8")
    trust_script(path)
    job = make_job(task=str(path))
    assert Worker(job).process.wait() == 1
    assert "mine.py failed when it was loaded at line 2: AssertionError: no torch" in summarise(job)["failed"]["what"]


@pytest.mark.slow
@pytest.mark.parametrize("does", ["while True: pass", "import time; time.sleep(1e6)"])
def test_a_script_that_never_ends_is_stopped_by_killing_its_worker(make_job, make_script, does: str) -> None:
    path = make_script(does)
    trust_script(path)
    job = make_job(task=str(path))
    worker = Worker(job)
    for event in job.follow(alive=lambda: worker.alive):
        if event.kind == "state" and event.data["state"] == "running":
            break
    assert living_owner(job.path) is not None
    assert worker.stop(grace=1.0) == "interrupted"
    assert worker.process.wait() != 0
    assert living_owner(job.path) is None
