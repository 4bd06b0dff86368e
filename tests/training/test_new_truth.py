"""New strokes and boxes in a running training; what measures the model stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.training import new_truth
from napari_aitrain.training.checkpoints import read_checkpoint
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.cropset import CropSet

TRAIN = Box(start=(0, 0, 0), stop=(1, 96, 64), name="left")
NEW = Box(start=(0, 0, 160), stop=(1, 96, 256), name="right")
VALIDATION = Box(start=(0, 0, 80), stop=(1, 96, 144), role="validation", name="middle")


@pytest.fixture
def source(tmp_path) -> Source:
    """One wide image whose right part is not labelled yet."""
    rng = np.random.default_rng(0)
    labels = np.kron(np.arange(1, 33).reshape(4, 8) * (np.indices((4, 8)).sum(0) % 2), np.ones((24, 32), np.uint16))
    tifffile.imwrite(tmp_path / "i.tif", rng.normal(20 + 90 * (labels > 0), 8).clip(0, 255).astype(np.uint8))
    labels[:, 160:] = 0
    tifffile.imwrite(tmp_path / "l.tif", labels.astype(np.uint16))
    return Source(image=tmp_path / "i.tif", labels=tmp_path / "l.tif", boxes=(TRAIN, VALIDATION))


def config_of(source: Source, task: str = "instances", **settings: object) -> TrainConfig:
    quick = {"steps": 6, "patch_shape": (1, 64, 64), "batch_size": 1, "precision": "float32", "network": "small"}
    return TrainConfig.model_validate({"sources": [source], "task": task, **quick, **settings})


def paint(source: Source, value: int, y: slice, x: slice) -> None:
    labels = tifffile.imread(source.labels)
    labels[y, x] = value
    tifffile.imwrite(source.labels, labels)


def message(source: Source, *boxes: Box) -> dict[str, object]:
    changed = source.model_copy(update={"boxes": boxes})
    return {"kind": "ground-truth", "sources": [changed.model_dump(mode="json")]}


def after_a_step(act):
    """Return a control that acts once the training runs, and sends what that returns."""
    asked = [0]

    def control(run):
        asked[0] += 1
        return [act()] if asked[0] == 3 else []

    return control


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch) -> None:
    monkeypatch.setattr(new_truth, "EVERY", 0.0)
    monkeypatch.setattr(new_truth, "SHARE", 1e9)


def test_strokes_and_boxes_are_learned_from_and_validation_stays(source, run) -> None:
    result = run("job")

    def act():
        paint(source, 40, slice(0, 10), slice(0, 10))
        paint(source, 41, slice(30, 60), slice(170, 200))
        paint(source, 42, slice(0, 90), slice(80, 144))
        return message(source, TRAIN, VALIDATION, NEW)

    result.when = after_a_step(act)
    result(config_of(source))
    told = result.of("ground-truth")[0]
    assert (told["added"], told["changed"], told["removed"], told["left_out"]) == (1, 1, 0, [])
    assert told["boxes"] == 2
    crops = CropSet.load(result.folder)
    assert [crop.name for crop in crops.crops] == ["left", "middle", "right"]
    left, middle, right = crops.crops
    assert (left.labels[0, :10, :10] == 40).all()
    assert (right.labels[0, 30:60, 10:40] == 41).all()
    assert right.objects == 1
    assert not (np.asarray(middle.labels) == 42).any()
    assert left.normalisation == middle.normalisation == right.normalisation
    numbers = {f"{crop.number:03d}" for crop in crops.crops}
    assert {path.name[:3] for path in (result.folder / "crops").glob("*.npy")} == numbers
    assert len({crop.number for crop in crops.crops}) == 3
    assert result.of("done")[0]["steps"] == 6


def test_boxes_over_validation_are_left_out_and_gone_ones_go(source, run) -> None:
    over = Box(start=(0, 0, 100), stop=(1, 96, 200), name="over")
    paint(source, 50, slice(0, 40), slice(160, 200))
    result = run("job")
    result.when = after_a_step(lambda: message(source, over, NEW))
    result(config_of(source))
    told = result.of("ground-truth")[0]
    assert (told["added"], told["removed"], told["left_out"]) == (1, 1, ["over"])
    assert any("over" in event["message"] for event in result.of("warning"))
    assert [(c.name, c.role) for c in CropSet.load(result.folder).crops] == [
        ("middle", "validation"),
        ("right", "train"),
    ]


@pytest.mark.parametrize("trouble", ["nothing left", "no file", "no source", "rubbish"])
def test_trouble_is_told_and_the_training_goes_on_with_what_it_has(trouble, source, run, tmp_path) -> None:
    sent = {
        "nothing left": message(source, VALIDATION),
        "no file": message(source.model_copy(update={"labels": tmp_path / "none.tif"}), TRAIN),
        "no source": {"kind": "ground-truth", "sources": [{"image": 3}]},
        "rubbish": {"kind": "ground-truth", "sources": "all of them"},
    }[trouble]
    result = run("job")
    result.when = after_a_step(lambda: sent)
    result(config_of(source))
    assert len(result.warnings()) == (0 if trouble == "rubbish" else 1)
    assert result.of("done")[0]["steps"] == 6
    assert [crop.name for crop in CropSet.load(result.folder).crops] == ["left", "middle"]


def test_an_unpainted_box_waits_until_something_is_painted(source, run) -> None:
    result = run("job")
    messages = {3: lambda: None, 5: lambda: paint(source, 60, slice(10, 40), slice(170, 200))}
    asked = [0]

    def control(r):
        asked[0] += 1
        if asked[0] in messages:
            messages[asked[0]]()
            return [message(source, TRAIN, VALIDATION, NEW)]
        return []

    result.when = control
    result(config_of(source))
    assert [event["added"] for event in result.of("ground-truth")] == [0, 1]


def test_a_semantic_training_fits_its_forest_again(source, run, monkeypatch) -> None:
    from napari_aitrain.training import teaching

    fitted = []
    teacher = teaching.Teacher
    monkeypatch.setattr(teaching, "Teacher", lambda crops, *rest: fitted.append(len(crops)) or teacher(crops, *rest))
    labels = tifffile.imread(source.labels)
    labels[:] = (labels > 0) + 1
    labels[:, 160:] = 0
    tifffile.imwrite(source.labels, labels)
    sparse = source.model_copy(update={"sparse": True})

    def act():
        paint(source, 2, slice(10, 30), slice(170, 200))
        paint(source, 7, slice(40, 50), slice(170, 200))
        return message(sparse, TRAIN, VALIDATION, NEW)

    result = run("job")
    result.when = after_a_step(act)
    result(config_of(sparse, "semantic"))
    assert fitted == [1, 2]
    assert any("Classes 7" in event["message"] for event in result.of("warning"))
    right = CropSet.load(result.folder).crops[2]
    assert right.class_voxels == {2: 600}
    assert set(np.unique(right.labels)) == {-1, 2}
    assert result.of("preview")[-1]["step"] == 6


def test_a_resume_goes_on_with_the_new_truth_to_the_bit(source, run) -> None:
    def act():
        paint(source, 40, slice(0, 10), slice(0, 10))
        return message(source, TRAIN, VALIDATION)

    config, kept = config_of(source), []
    original = tifffile.imread(source.labels)
    for name, stop_at in (("whole", None), ("broken", 5)):
        tifffile.imwrite(source.labels, original)
        result = run(name)
        asked = [0]

        def control(r, asked=asked, stop_at=stop_at):
            asked[0] += 1
            if asked[0] == 3:
                return [act()]
            return [{"kind": "stop"}] if asked[0] == stop_at else []

        result.when = control
        result(config)
        if stop_at is not None:
            result.when = lambda r: []
            result(config)
        assert result.of("done")[-1]["steps"] == 6
        kept.append(read_checkpoint(result.folder / "checkpoints" / "latest.safetensors")[0])
    assert all(torch.equal(kept[0][key], kept[1][key]) for key in kept[0])
