"""The worker with real trainings: it ends, stops, is killed, goes on, and tells what went wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from napari_aitrain.errors import ConfigError, JobError
from napari_aitrain.jobs import PAUSE, RESUME, STOP, Event, JobFolder, Worker, known_folders, last, stop_job
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.failure import as_error, describe
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.lock import Lock
from napari_aitrain.jobs.worker import main, run_job
from napari_aitrain.models import load_model
from napari_aitrain.training import finish
from napari_aitrain.training.config import TrainConfig

MakeJob = Callable[..., JobFolder]
LONG = {"steps": 1_000_000}


def states(job: JobFolder) -> list[str]:
    return [event.data["state"] for event in job.events() if event.kind == "state"]


def follow_until(job: JobFolder, worker: Worker, kind: str, state: str | None = None, since: int = 0) -> Event:
    for event in job.follow(since, alive=lambda: worker.alive):
        if event.kind == kind and (state is None or event.data.get("state") == state):
            return event
    raise AssertionError(f"no {kind} {state}: {job.log.read_text()} {job.events()}")


def set_option(job: JobFolder, **options: object) -> None:
    path = job.path / "job.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | options), encoding="utf-8")


def test_a_job_runs_to_its_end_in_this_process(make_job: MakeJob) -> None:
    job = make_job()
    assert run_job(job, Inbox(None)) == 0
    assert job.state() == "done"
    assert states(job) == ["queued", "starting", "running"]
    done = last(job.events(), "done")
    assert done is not None
    assert done.data["steps"] == load_model(job.path).card.steps == 3
    assert {"lock.json", ".reserve"}.isdisjoint(p.name for p in job.path.iterdir())


def test_a_message_left_by_another_process_stops_the_job(make_job: MakeJob) -> None:
    job, inbox = make_job(**LONG), Inbox(None)
    inbox.put(STOP)
    assert run_job(job, inbox) == 0
    assert job.state() == "stopped"
    assert load_model(job.path).card.steps == 0


def test_resume_and_stop_at_once_is_a_stop(make_job: MakeJob) -> None:
    job, inbox = make_job(**LONG), Inbox(None)
    for message in (PAUSE, RESUME, STOP):
        inbox.put(message)
    assert run_job(job, inbox) == 0
    assert job.state() == "stopped"


def test_a_setting_that_cannot_be_run_becomes_a_failed_event(make_job: MakeJob) -> None:
    job = make_job()
    set_option(job, device="abacus")
    assert run_job(job, Inbox(None)) == 1
    assert job.state() == "failed"
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "abacus" in failed.data["what"]
    assert failed.data["expected"]
    assert failed.data["remedy"]
    assert "Traceback" in job.log.read_text()
    set_option(job, device="cpu")
    job.enqueue()
    assert run_job(job, Inbox(None)) == 0
    assert job.state() == "done"


def test_a_folder_that_cannot_be_made_fails_in_words(make_job: MakeJob) -> None:
    job = make_job()
    (job.path / "previews").write_text("a file is in the way")
    assert run_job(job, Inbox(None)) == 1
    failed = last(job.events(), "failed")
    assert failed is not None
    assert failed.data["error"] == "StorageError"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB of the test's own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_on_that_disk_and_the_job_goes_on_with_space(
    small_disk: Path, make_config: Callable[..., TrainConfig]
) -> None:
    job = JobFolder.create(make_config(), small_disk / "job")
    (small_disk / "other").write_bytes(bytes(shutil.disk_usage(small_disk).free - 400_000))
    assert run_job(job, Inbox(None)) == 1
    assert job.state() == "failed"
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "the disk is full" in failed.data["what"]
    assert not list(job.path.rglob("*.part"))
    (small_disk / "other").unlink()
    job.enqueue()
    assert run_job(job, Inbox(None)) == 0
    assert load_model(job.path).card.steps == 3


def test_a_damaged_crop_is_told(make_job: MakeJob) -> None:
    job = make_job()
    shutil.rmtree(job.path / "crops")
    (job.path / "crops").mkdir()
    assert run_job(job, Inbox(None)) == 1
    assert job.state() == "failed"


def test_kill_and_resume(make_job: MakeJob) -> None:
    job = make_job(**LONG, checkpoint_interval=1.0)
    worker = Worker(job)
    follow_until(job, worker, "checkpoint")
    at = last(job.events(), "checkpoint")
    worker.process.kill()
    worker.process.wait()
    assert job.state() == "interrupted"
    assert at is not None
    set_option(job, steps=at.data["step"] + 2)
    job.enqueue()
    assert run_job(job, Inbox(None)) == 0
    assert job.state() == "done"
    logs = [event.data["message"] for event in job.events() if event.kind == "log"]
    assert f"Going on from step {at.data['step']}." in logs
    assert load_model(job.path).card.steps == at.data["step"] + 2


def test_pause_resume_and_stop_over_standard_input(make_job: MakeJob) -> None:
    job = make_job(**LONG)
    worker = Worker(job)
    follow_until(job, worker, "state", "running")
    worker.send(PAUSE)
    paused = follow_until(job, worker, "state", "paused")
    assert job.state() == "paused"
    worker.send(RESUME)
    follow_until(job, worker, "state", "running", paused.seq)
    assert worker.stop(grace=60) == "stopped"
    assert worker.process.wait(60) == 0
    assert states(job) == ["queued", "starting", "running", "paused", "running", "stopping"]
    assert load_model(job.path).card.name == "model"
    with pytest.raises(JobError, match="has gone"):
        worker.send(STOP)


def test_what_is_asked_of_a_waiting_job_is_not_forgotten(make_job: MakeJob) -> None:
    running, waiting, inbox = make_job("running"), make_job("waiting"), Inbox(None)
    with Lock(running.path) as held:
        EventLog(running.path).emit("state", state="running")
        inbox.put({"kind": "preview", "view": {"request": 7, "file": "no.npy"}})

        def wait(seconds: float) -> None:
            held.__exit__(None, None, None)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("napari_aitrain.jobs.queue.time.sleep", wait)
            assert run_job(waiting, inbox) == 0
    assert any("no.npy" in event.data["message"] for event in waiting.events() if event.kind == "warning")


def test_a_message_that_comes_too_late_does_not_reach_the_next_job(make_job: MakeJob) -> None:
    job, inbox, run = make_job(), Inbox(None), {"run": "another"}
    with pytest.MonkeyPatch.context() as patch:
        # The last thing a training does is to save its model.
        save = finish.save_model
        patch.setattr(finish, "save_model", lambda *a, **k: [inbox.put(STOP), inbox.put(run), save(*a, **k)][-1])
        assert run_job(job, inbox) == 0
    assert job.state() == "done"
    assert inbox.wait(0) == run
    assert inbox.wait(0) is None


def test_a_worker_that_does_not_answer_is_killed(make_job: MakeJob) -> None:
    job = make_job()
    code = (
        "import sys, threading; from pathlib import Path\n"
        "from napari_aitrain.jobs.lock import Lock; from napari_aitrain.jobs.events import EventLog\n"
        "folder = Path(sys.argv[1])\n"
        "with Lock(folder):\n"
        "    EventLog(folder).emit('state', state='running'); print('ready', flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(job.path)], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline().strip() == b"ready"
        assert stop_job(job, grace=0.2) == "interrupted"
        assert deaf.wait(30) != 0


def test_a_warm_worker_runs_two_jobs_and_ends_with_its_owner(make_job: MakeJob) -> None:
    worker = Worker()
    jobs = [make_job("one"), make_job("two")]
    for job in jobs:
        assert worker.idle
        worker.run(job)
        with pytest.raises(JobError, match="has a job"):
            worker.run(job)
        follow_until(job, worker, "done")
        list(job.follow())
        assert job.state() == "done"
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(60) == 0
    assert sorted(known_folders()) == sorted(job.path for job in jobs)


def test_the_program_of_the_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], [str(tmp_path), "--warm"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    done = subprocess.run(
        [sys.executable, "-m", "napari_aitrain.jobs.worker", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is not the folder of a job" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_survive_the_way_through_an_event() -> None:
    told = json.loads(json.dumps(describe(ConfigError("a", "b", "c"))))
    assert isinstance(as_error(told), ConfigError)
    assert as_error(told).args == ("a", "b", "c")
    for error in (KeyError("x"), MemoryError(), OSError(28, "No space", "file.bin")):
        told = describe(error, Path("worker.log"))
        assert told["what"]
        assert told["remedy"]
    assert describe(OSError(28, "No space", "file.bin"))["error"] == "StorageError"
    assert isinstance(as_error(describe(KeyError("x"))), JobError)
