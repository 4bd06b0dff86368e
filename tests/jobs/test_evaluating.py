"""Evaluation jobs: boxes with roles, stop and resume, what makes figures flatter, from the command line and Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_aitrain
from napari_aitrain.annotation.boxes import Box
from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError, ModelError
from napari_aitrain.evaluation.box_records import read_box
from napari_aitrain.evaluation.box_results import ModelEvaluation, read_evaluation
from napari_aitrain.evaluation.figures import figures
from napari_aitrain.jobs import STOP, EvaluateConfig, JobFolder, last, summarise
from napari_aitrain.jobs.evaluate_config import read_evaluate_config, read_sources
from napari_aitrain.jobs.evaluate_given import job_sources, own_sources
from napari_aitrain.jobs.events import read_events
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.worker import run_job
from napari_aitrain.models import load_model, read_card, save_model, save_threshold
from napari_aitrain.models.seen_test import SEEN_TEST, looks_at
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.config_file import parse_config

MakeJob = Callable[..., JobFolder]
QUICK = {"steps": 3, "batch_size": 1, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small",
         "start_from": "scratch"}  # fmt: skip
PLACES: list[tuple[str, tuple[int, int, int], tuple[int, int, int]]] = [
    ("train", (0, 0, 0), (1, 96, 96)),
    ("validation", (0, 0, 128), (1, 96, 224)),
    ("test", (0, 128, 0), (1, 224, 96)),
    ("test", (0, 128, 128), (1, 224, 224)),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A job with a model that has hardly learned, of an image with boxes of each role."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AITRAIN_HOME", str(folder / "home"))
        rng = np.random.default_rng(0)
        labels = np.kron(np.arange(1, 65).reshape(8, 8), np.pad(np.ones((22, 22)), 3))
        image = rng.normal(50 + 120 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
        tifffile.imwrite(folder / "bild ü.tif", image)
        tifffile.imwrite(folder / "labels.tif", labels.astype(np.uint8))
        boxes = [Box(start=a, stop=b, role=role, name=f"{role} {n}") for n, (role, a, b) in enumerate(PLACES)]
        source = {"image": folder / "bild ü.tif", "labels": folder / "labels.tif",
                  "boxes": [box.model_dump() for box in boxes]}  # fmt: skip
        job = JobFolder.create(parse_config({"sources": [source], **QUICK}), folder / "job")
        assert run_job(job, Inbox(None)) == 0
    # Shown whatever the scores of so young a model are.
    save_threshold(job.path, 0.0)
    return job


@pytest.fixture
def model(trained: JobFolder, tmp_path: Path) -> Path:
    """A copy of the model, so that looks at test figures are this test's own."""
    opened = load_model(trained.path)
    return save_model(tmp_path / "model", opened.card, opened.state_dict()).folder


def evaluate(model: Path, out: Path, sources: Any = None, inbox: Inbox | None = None, **changes: Any) -> JobFolder:
    chosen = own_sources(read_card(model)) if sources is None else sources
    config = EvaluateConfig(model=model, sources=chosen, precision="float32", **changes)
    job = JobFolder.create_evaluation(config, out)
    assert run_job(job, inbox or Inbox(None), wait=False) == 0, job.log.read_text()
    return job


def codes(evaluation: ModelEvaluation) -> list[str]:
    return [caution.code for caution in evaluation.warnings]


def test_boxes_of_the_training_are_evaluated_with_their_roles(model: Path, tmp_path: Path) -> None:
    job = evaluate(model, tmp_path / "evaluation")
    assert (job.kind, job.state()) == ("evaluation", "done")
    assert isinstance(job.settings(), EvaluateConfig)
    assert summarise(job)["evaluation"] == str(job.evaluation)
    found = read_evaluation(job.path)
    assert [box.role for box in found.boxes] == [role for role, _, _ in PLACES]
    assert [(box.start, box.stop) for box in found.boxes] == [(a, b) for _, a, b in PLACES]
    use = found.training
    assert use is not None
    assert (use.images, use.included, use.boxes["test"]) == (1, 1, 2)
    assert use.objects_per_image == use.objects["train"] > 0
    for box in found.boxes:
        arrays = read_box(job.path, box.number)
        truth = tifffile.imread(box.labels)[None][box.region.slices]
        assert np.array_equal(arrays.truth, truth)
        assert arrays.image.shape == (1, *truth.shape)
        metrics = figures([box], with_intervals=False)
        assert metrics["n_truth"].value == len(np.unique(truth)) - 1
        assert metrics["n_prediction"].value == len(np.unique(arrays.labels)) - 1
    assert "few-test-boxes" in codes(found)
    assert not {"test-overlaps-training", "test-near-training", "no-test"} & set(codes(found))
    told = [event.data for event in job.events() if event.kind == "progress"]
    assert [data["done"] for data in told] == [0, 1, 2, 3, 4]
    assert len(looks_at(model)[0].boxes) == 2
    job.remove()
    assert not job.path.exists()


class AfterABox(Inbox):
    """Stops the job after its first box."""

    def __init__(self, folder: Path) -> None:
        super().__init__(None)
        self._folder, self._told = folder, False

    def messages(self) -> list[dict[str, Any]]:
        if not self._told and any(event.kind == "box" for event in read_events(self._folder)):
            self._told = True
            self.put(STOP)
        return super().messages()


def test_a_stopped_evaluation_goes_on_where_it_was(model: Path, tmp_path: Path) -> None:
    whole = read_evaluation(evaluate(model, tmp_path / "whole").path)
    job = evaluate(model, tmp_path / "broken", inbox=AfterABox(tmp_path / "broken"))
    assert job.state() == "stopped"
    assert not job.evaluation.exists()
    written = (job.path / "boxes" / "000.json").stat().st_mtime_ns
    job.enqueue()
    assert run_job(job, Inbox(None), wait=False) == 0
    assert job.state() == "done"
    assert (job.path / "boxes" / "000.json").stat().st_mtime_ns == written
    other = read_evaluation(job.path)
    same = [box.model_copy(update={"seconds": 0}) for box in other.boxes]
    assert same == [box.model_copy(update={"seconds": 0}) for box in whole.boxes]
    assert other.errors == whole.errors


def test_test_boxes_in_training_or_near_it_are_told(model: Path, tmp_path: Path) -> None:
    source = own_sources(read_card(model))[0]
    inside = Box(start=(0, 40, 40), stop=(1, 120, 120), role="test", name="inside")
    near = Box(start=(0, 100, 0), stop=(1, 180, 80), role="test", name="near")
    far = Box(start=(0, 140, 140), stop=(1, 220, 220), role="test", name="far")
    found = read_evaluation(
        evaluate(model, tmp_path / "a", [source.model_copy(update={"boxes": (inside, near, far)})]).path
    )
    told = {(caution.where, caution.code): caution.message for caution in found.warnings}
    assert "3,136 voxels" in told["inside", "test-overlaps-training"]
    assert ("near", "test-near-training") in told
    assert not any(where == "far" for where, _ in told)
    # The same image by another name.
    copy = tmp_path / "copy.tif"
    copy.hardlink_to(source.image)  # type: ignore[arg-type]
    moved = source.model_copy(update={"boxes": (inside,), "image": copy})
    found = read_evaluation(evaluate(model, tmp_path / "b", [moved]).path)
    assert {"one-test-box", "test-overlaps-training"} <= set(codes(found))


def test_no_test_box_and_what_cannot_be_used_are_told(model: Path, tmp_path: Path) -> None:
    source = own_sources(read_card(model))[0]
    train = source.model_copy(update={"boxes": source.boxes[:1]})
    gone = source.model_copy(update={"image": tmp_path / "gone.tif"})
    found = read_evaluation(evaluate(model, tmp_path / "a", [train, gone]).path)
    assert codes(found)[:2] == ["left-out", "no-test"]
    assert not (model / SEEN_TEST).exists()
    whole = source.model_copy(update={"boxes": ()})
    found = read_evaluation(evaluate(model, tmp_path / "b", [whole]).path)
    assert [(box.role, box.stop) for box in found.boxes] == [("test", (1, 224, 224))]
    empty = tmp_path / "empty.tif"
    tifffile.imwrite(empty, np.zeros((224, 224), np.uint8))
    unlabelled = source.model_copy(update={"labels": empty, "sparse": True, "boxes": (Box(
        start=(0, 0, 0), stop=(1, 50, 50), name="bare", role="test"),)})  # fmt: skip
    found = read_evaluation(evaluate(model, tmp_path / "c", [train, unlabelled]).path)
    assert [caution.where for caution in found.warnings if caution.code == "left-out"] == ["bare"]


def test_a_box_that_is_too_large_for_memory_is_predicted_by_blocks(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_evaluation(evaluate(model, tmp_path / "a", roles=("test",)).path)
    monkeypatch.setattr("napari_aitrain.inference.in_box.DECODE_VOXELS", 1000)
    job = evaluate(model, tmp_path / "b", roles=("test",))
    blocks = read_evaluation(job.path)
    assert [box.n_truth for box in blocks.boxes] == [box.n_truth for box in whole.boxes]
    assert [len(box.scores) > 0 for box in blocks.boxes] == [len(box.scores) > 0 for box in whole.boxes]
    assert {path.suffix for path in (job.path / "boxes").iterdir()} == {".json", ".npy"}
    monkeypatch.setattr("napari_aitrain.inference.in_box.MOST_VOXELS", 1000)
    job = JobFolder.create_evaluation(
        EvaluateConfig(model=model, sources=own_sources(read_card(model))), tmp_path / "c"
    )
    assert run_job(job, Inbox(None), wait=False) == 1
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "too large" in failed.data["what"]


def test_choosing_by_test_boxes_is_told(model: Path, tmp_path: Path) -> None:
    first = read_evaluation(evaluate(model, tmp_path / "a").path)
    assert "threshold-chosen-on-test" not in codes(first)
    again = read_evaluation(evaluate(model, tmp_path / "b").path)
    assert "threshold-chosen-on-test" not in codes(again)
    assert len(looks_at(model)) == 2
    save_threshold(model, 0.777)
    later = read_evaluation(evaluate(model, tmp_path / "c").path)
    assert "threshold-chosen-on-test" in codes(later)
    opened = load_model(model)
    versions = [save_model(tmp_path / "store" / f"v{n}", opened.card, opened.state_dict()).folder for n in (1, 2)]
    evaluate(versions[0], tmp_path / "d")
    found = read_evaluation(evaluate(versions[1], tmp_path / "e").path)
    told = next(caution for caution in found.warnings if caution.code == "model-chosen-on-test")
    assert "store/v1" in told.message
    (versions[0] / SEEN_TEST).write_text("{", encoding="utf-8")
    assert looks_at(versions[0]) == ()


def test_classes_that_were_renamed_or_never_learned_are_told(model: Path, tmp_path: Path) -> None:
    opened = load_model(model)
    names = {0: "background", 1: "nucleus", 2: "bud"}
    classes = tuple(range(int(opened.card.network["heads"])))
    card = opened.card.model_copy(update={"task": "semantic", "task_settings": {}, "classes": classes,
                                          "class_names": names, "calibration": None})  # fmt: skip
    semantic = save_model(tmp_path / "semantic", card, opened.state_dict()).folder
    source = own_sources(card)[0]
    labels = tmp_path / "classes.tif"
    truth = tifffile.imread(source.labels)
    tifffile.imwrite(labels, np.where(truth > 40, 7, truth > 0).astype(np.uint8))
    changed = source.model_copy(update={"labels": labels})
    job = evaluate(semantic, tmp_path / "a", [changed], class_names={1: "nucleus", 2: "debris"})
    found = read_evaluation(job.path)
    told = {caution.code: caution.message for caution in found.warnings}
    assert "2 is 'debris' in the ground truth and 'bud' in the model" in told["classes-renamed"]
    assert ": 7" in told["classes-not-learned"]
    box = found.boxes[0]
    assert box.classes is not None
    assert sum(map(sum, box.classes.table)) <= box.voxels
    assert "iou_1" in figures(found.of_role("train"))


def test_what_cannot_be_evaluated_is_told(model: Path, tmp_path: Path, trained: JobFolder) -> None:
    source = own_sources(read_card(model))[0]
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        JobFolder.create_evaluation(EvaluateConfig(model=model, sources=()), tmp_path / "a")
    with pytest.raises(ModelError):
        JobFolder.create_evaluation(EvaluateConfig(model=tmp_path / "nothing", sources=(source,)), tmp_path / "a")
    config = EvaluateConfig(model=model, sources=(source.model_copy(update={"boxes": source.boxes[:1]}),),
                            roles=("test",))  # fmt: skip
    job = JobFolder.create_evaluation(config, tmp_path / "b")
    assert read_evaluate_config(job.path / "job.yaml") == job.settings()
    assert run_job(job, Inbox(None), wait=False) == 1
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "none has the role test" in failed.data["what"]
    with pytest.raises(ConfigError, match="no training"):
        job_sources(job)
    assert [len(one.boxes) for one in job_sources(trained)] == [4]
    bare = read_card(model).model_copy(update={"data": type(read_card(model).data)()})
    with pytest.raises(ModelError, match="does not say which boxes"):
        own_sources(bare)
    (tmp_path / "none.yaml").write_text("task: instances", encoding="utf-8")
    with pytest.raises(ConfigError, match="names no sources"):
        read_sources(tmp_path / "none.yaml")


def test_options_that_do_not_go_together_are_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(model), "--job", "x", "--image", "y"]) == 2
    assert run(["evaluate", "a.tif", "b.tif", "--job", "x"]) == 2
    assert run(["evaluate", str(model), "--roles", "tset"]) == 2
    said = capsys.readouterr().err
    assert "both --job and --image" in said
    assert "TRUTH" in said
    assert "tset" in said
    with pytest.raises(ConfigError, match="one of them"):
        napari_aitrain.evaluate_model(model, image="a.tif", sources=[])


@pytest.mark.slow
def test_from_the_command_line_and_python(
    model: Path, tmp_path: Path, trained: JobFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["evaluate", str(model), "--sources", str(trained.path / "job.yaml"), "--roles", "test,train", "--json"]
    assert run([*asked, "--out", "job", "--report", "report.html"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["roles"]) == {"train", "test"}
    assert told["roles"]["test"]["f1_50"]["interval"]
    assert Path(told["report"][0]).read_text(encoding="utf-8").startswith("<!doctype html>")
    events: list[str] = []
    image, labels = (tifffile.imread(getattr(own_sources(read_card(model))[0], name)) for name in ("image", "labels"))
    found = napari_aitrain.evaluate_model(
        model, image=image[:96, :96], labels=labels[:96, :96], out=tmp_path / "again",
        on_event=lambda event: events.append(event.kind),
    )  # fmt: skip
    assert [box.role for box in found.boxes] == ["test"]
    assert "box" in events


def test_listing_and_reading_evaluations_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, napari_aitrain.jobs, napari_aitrain.jobs.evaluate_given, napari_aitrain.evaluation.figures, "
        "napari_aitrain.evaluation.model_report; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_card_names_boxes_as_they_were_used(trained: JobFolder) -> None:
    source = read_card(trained.path).data.sources[0]
    assert [(box.role, box.start, box.stop) for box in source.boxes] == PLACES
    assert source.image_fingerprint
    assert isinstance(trained.settings(), TrainConfig)
    assert isinstance(own_sources(read_card(trained.path))[0], Source)
