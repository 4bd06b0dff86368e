"""Where a training begins: the starter model that fits, scaled for it, or what was asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import torch
from tiny_starter import DIAMETER, balls, make_starter, photographed

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import ModelError, NotReadyError
from napari_aitrain.models import find_model, import_model, load_model, starters
from napari_aitrain.nets import build_network, choose_precision, read_network
from napari_aitrain.tasks import make_task
from napari_aitrain.training import fine_tuning
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.config_file import config_to_yaml, parse_config, read_config
from napari_aitrain.training.crops import CropSet, freeze_crops
from napari_aitrain.training.readiness import check
from napari_aitrain.training.setup import prepare
from napari_aitrain.training.trainer import Trainer


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starters")
    return make_starter(folder / "nuclei-2d")


@pytest.fixture(autouse=True)
def here(starter, monkeypatch, tmp_path):
    monkeypatch.setattr(starters, "FOLDER", starter.folder.parent)
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))


@pytest.fixture
def make(tmp_path):
    """Return a factory of configs for two images of objects of a diameter."""

    def made(diameter=DIAMETER, shape=(1, 128, 128), channels=1, sparse=False, change=lambda labels: labels, **more):
        sources = []
        for seed, role in enumerate(("train", "validation")):
            labels = change(balls(shape, diameter, seed, gap=1.6))
            image = np.stack([photographed(labels, seed + n) for n in range(channels)])
            tifffile.imwrite(tmp_path / f"image {seed}.tif", image.clip(0).astype(np.uint16), metadata={"axes": "CZYX"})
            tifffile.imwrite(tmp_path / f"labels {seed}.tif", labels.astype(np.uint16), metadata={"axes": "ZYX"})
            box = Box(start=(0, 0, 0), stop=shape, role=role, sparse=sparse)
            place = {kind: tmp_path / f"{kind} {seed}.tif" for kind in ("image", "labels")}
            sources.append(Source(**place, axes="czyx", boxes=(box,)))
        base = {"steps": 2, "batch_size": 2, "precision": "float32", "dims": "2", "network": "small"}
        return TrainConfig(sources=tuple(sources), **(base | more))

    return made


def notes(config):
    return {finding.code: finding.message for finding in check(config).findings}


def test_auto_starts_from_the_starter_that_fits_and_shows_it_at_once(make, run) -> None:
    result = run("job")(make())
    first = result.of("preview")[0]
    assert (first["by"], first["step"]) == ("network", 0)
    card = load_model(result.folder).card
    assert (card.parent, card.scale) == ("nuclei-2d", 1)
    assert card.diameter == pytest.approx(DIAMETER, rel=0.1)
    assert any("nuclei-2d" in event["message"] for event in result.of("log"))


def test_a_training_that_makes_the_model_worse_gives_the_model_that_it_began_with(make, run) -> None:
    result = run("job")(make(steps=12, learning_rate=2.0))
    assert result.of("metrics")[0]["step"] == 0
    own, new = (load_model(folder).state_dict() for folder in (starters.FOLDER / "nuclei-2d", result.folder))
    assert all(torch.allclose(own[name], new[name], atol=1e-3) for name in own)


def test_auto_takes_the_starter_also_where_a_model_of_the_store_has_its_name(make, starter) -> None:
    import_model(starter.folder, "nuclei-2d")
    own = check(make(start_from="nuclei-2d")).plan.start
    auto = check(make()).plan.start
    assert own.start_from == "nuclei-2d/v1" and find_model(auto.start_from).folder == starter.folder


@pytest.mark.parametrize("more", [{"start_from": "scratch"}, {"task": "semantic"}, {"channels": 2}])
def test_where_none_fits_or_nobody_wants_one_it_starts_from_scratch(more, make, tmp_path) -> None:
    config = make(change=(lambda labels: np.minimum(labels, 1)) if "task" in more else lambda labels: labels, **more)
    assert "start-from" not in notes(config)
    crops = freeze_crops(config, tmp_path)
    assert crops.start_from == "scratch"
    assert prepare(config, crops, tmp_path).parent is None


@pytest.mark.parametrize(("diameter", "scale"), [(6, 2), (11, 1), (24, 0.5), (40, 0.3)])
def test_images_are_scaled_so_that_objects_are_as_large_as_those_of_the_model(diameter, scale, make, tmp_path) -> None:
    config = make(diameter, shape=(1, 192, 192))
    assert f"{diameter}" in notes(config)["start-from"]
    crops = freeze_crops(config, tmp_path)
    assert crops.scale == pytest.approx(scale, rel=0.05)
    setup = prepare(config, crops, tmp_path / "crops")
    crop = crops.of_role("train")[0]
    seen = setup.sampler.prepared(crop)
    assert seen.shape[1] == pytest.approx(192 * scale, rel=0.05)
    assert seen.values.shape[1:] == seen.crop.labels.shape == seen.crop.image.shape[1:] == seen.shape
    assert set(np.unique(seen.crop.labels)) == set(np.unique(crop.labels))
    assert seen.crop.image.dtype == crop.image.dtype
    assert setup.task.settings.scale == pytest.approx(scale, rel=0.05)


def test_a_scaled_training_is_validated_saved_and_gone_on_with_on_the_voxels_of_the_image(make, run) -> None:
    config = make(24, shape=(1, 192, 192), steps=3)
    result = run("job")(config)
    card = load_model(result.folder).card
    assert card.scale == pytest.approx(0.5, rel=0.1)
    assert card.diameter == pytest.approx(DIAMETER, rel=0.1)
    # A tiny model that has learned other sizes alone finds most, since it sees them as it knows them.
    assert card.metrics["validation"]["ap50"] > 0.6
    plain = run("plain")(config.model_copy(update={"start_from": str(result.folder)}))
    again = load_model(plain.folder).card
    assert (again.parent, again.scale) == (str(result.folder), pytest.approx(card.scale, rel=0.02))


def test_a_resume_uses_what_the_training_had(make, run, monkeypatch, tmp_path) -> None:
    first = run("job")
    config = make(24, shape=(1, 192, 192), steps=1)
    first(config)
    before = CropSet.load(first.folder)
    # By now another one would fit, and objects of another size are painted.
    monkeypatch.setattr("napari_aitrain.training.start.fitting_starter", lambda *_: None)
    second = run("job")
    second(config.model_copy(update={"steps": 3}))
    assert (CropSet.load(first.folder).start_from, before.start_from) == ("nuclei-2d", "nuclei-2d")
    assert load_model(first.folder).card.steps == 3


def test_what_a_person_cannot_start_from_is_told(make, tmp_path, starter) -> None:
    (unknown,) = check(make(start_from="nuclie-2d")).errors
    assert "nuclei-2d" in unknown.remedy
    with pytest.raises(ModelError):
        freeze_crops(make(start_from="nuclie-2d"), tmp_path)
    deep = make(start_from="nuclei-2d", shape=(12, 48, 48), dims="3")
    assert "start-dims" in notes(deep)
    with pytest.raises(NotReadyError, match="3-D"):
        freeze_crops(deep, tmp_path)
    semantic = make(task="semantic", start_from="nuclei-2d", change=lambda labels: np.minimum(labels, 1))
    assert "last layer" in notes(semantic)["start-task"]


def test_a_damaged_starter_stops_nobody_who_did_not_ask_for_it(make, starter, tmp_path, monkeypatch) -> None:
    broken = tmp_path / "broken" / "nuclei-2d"
    broken.mkdir(parents=True)
    (broken / "model.json").write_bytes((starter.folder / "model.json").read_bytes())
    (broken / "weights.safetensors").write_bytes(b"half of it")
    monkeypatch.setattr(starters, "FOLDER", broken.parent)
    assert "from scratch" in notes(make())["damaged-starter"]
    assert freeze_crops(make(), tmp_path).start_from == "scratch"
    (asked,) = check(make(start_from="nuclei-2d")).errors
    assert "damaged" in asked.message


def test_sizes_that_are_too_far_off_are_told(make, tmp_path) -> None:
    far = make(70, shape=(1, 256, 256))
    assert "coarser magnification" in {f.code: f.remedy for f in check(far).findings}["start-size"]
    assert freeze_crops(far, tmp_path).scale == 0.25
    tiny = make(1.5, shape=(1, 96, 96))
    (tmp_path / "tiny").mkdir()
    assert freeze_crops(tiny, tmp_path / "tiny").scale == 4


def test_strokes_and_empty_boxes_do_not_tell_a_size(make) -> None:
    strokes = make(24, sparse=True)
    assert "strokes" in notes(strokes)["start-from"]
    empty = check(make(change=lambda labels: labels * 0))
    assert not empty.ready


def test_other_channels_are_looked_at_like_the_ones_that_were_learned(make, starter, tmp_path) -> None:
    config = make(channels=3, start_from="nuclei-2d")
    assert "3" in notes(config)["start-channels"]
    setup = prepare(config, freeze_crops(config, tmp_path), tmp_path / "crops")
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = starter.network()(grey)
        after = setup.trainer.network.eval()(grey.expand(-1, 3, -1, -1))
    assert torch.allclose(before, after, atol=1e-4)


def test_the_head_is_new_for_another_task_and_the_rest_is_not(make, starter, tmp_path) -> None:
    config = make(task="semantic", start_from="nuclei-2d", change=lambda labels: labels % 3)
    own = prepare(config, freeze_crops(config, tmp_path), tmp_path / "crops").trainer.network.state_dict()
    kept = starter.state_dict()
    same = {name for name, tensor in kept.items() if tensor.shape == own[name].shape and torch.equal(tensor, own[name])}
    assert same == {name for name in kept if not name.startswith("head.")}


def trainer_of(starter, head_start):
    network = build_network(read_network(starter.card.network))
    network.load_state_dict(starter.state_dict())
    device = torch.device("cpu")
    task = make_task("instances")
    return Trainer(network, task, device, choose_precision(device, "float32"), 1e-3, head_start=head_start)


def batch():
    rng = torch.Generator().manual_seed(0)
    values = torch.zeros(2, len(make_task("instances").nearest), 64, 64)
    return 5 * torch.rand(2, 1, 64, 64, generator=rng) + 40, values, torch.ones(2, 1, 64, 64)


def test_what_a_model_knows_of_its_inputs_outlives_the_first_batch(starter) -> None:
    name = "down.0.norm1.running_mean"
    before = starter.state_dict()[name]
    moved = {}
    for head_start in (0, fine_tuning.HEAD_START):
        trainer = trainer_of(starter, head_start)
        trainer.step(batch(), 1.0)
        moved[head_start] = [
            float((net.state_dict()[name] - before).norm()) for net in (trainer.network, trainer.average)
        ]
    assert moved[fine_tuning.HEAD_START][0] < 0.25 * moved[0][0]
    assert moved[fine_tuning.HEAD_START][1] < 0.05 * moved[0][1]


def test_a_frozen_encoder_stays_as_it_is_norms_too(make, starter, tmp_path) -> None:
    config = make(start_from="nuclei-2d", freeze="encoder")
    setup = prepare(config, freeze_crops(config, tmp_path), tmp_path / "crops")
    before = {name: tensor.clone() for name, tensor in setup.trainer.network.state_dict().items()}
    for _ in range(2):
        setup.trainer.step(setup.sampler.batch(2, setup.device), 1.0)
    for name, tensor in setup.trainer.network.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith("down."), name
    tensors, plain = setup.trainer.state()
    setup.trainer.restore(tensors, plain)


def test_the_learning_rate_is_that_of_scratch_unless_somebody_gives_one(make, tmp_path) -> None:
    crops = freeze_crops(make(), tmp_path)
    (tmp_path / "scratch").mkdir()
    scratch = freeze_crops(make(start_from="scratch"), tmp_path / "scratch")
    rates = [
        prepare(config, some, tmp_path / "crops").trainer.learning_rate
        for config, some in ((make(), crops), (make(), scratch), (make(learning_rate=0.5), crops))
    ]
    assert rates == [rates[1], rates[1], 0.5]


def test_configs_of_older_versions_say_the_same_in_the_words_of_today(tmp_path) -> None:
    assert parse_config({}).start_from == "auto"
    assert parse_config({"version": 1}).start_from == "scratch"
    assert parse_config({"initial_model": None}).start_from == "scratch"
    (tmp_path / "model").mkdir()
    (tmp_path / "job.yaml").write_text("version: 1\ninitial_model: model\n", encoding="utf-8")
    read = read_config(tmp_path / "job.yaml")
    assert (read.start_from, read.version) == (str(tmp_path / "model"), 2)
    (tmp_path / "job.yaml").write_text(config_to_yaml(read), encoding="utf-8")
    assert read_config(tmp_path / "job.yaml") == read
    (tmp_path / "job.yaml").write_text("start_from: nuclei-2d\n", encoding="utf-8")
    assert read_config(tmp_path / "job.yaml").start_from == "nuclei-2d"


def test_jobs_that_were_frozen_before_there_were_starters_go_on_from_scratch(make, tmp_path) -> None:
    config = make()
    freeze_crops(config, tmp_path)
    index = tmp_path / "crops" / "index.json"
    data = json.loads(index.read_text())
    for new in ("start_from", "scale", "diameter"):
        del data[new]
    index.write_text(json.dumps(data))
    old = parse_config(config.model_dump(mode="json", exclude={"start_from"}) | {"version": 1})
    assert prepare(old, CropSet.load(tmp_path), tmp_path / "crops").parent is None
