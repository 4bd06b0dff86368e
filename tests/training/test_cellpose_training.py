"""Fine-tuning Cellpose's network by our loop: learning, stop and resume, volumes, and where it may begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from small_cellpose import SMALL, cellpose_file, cells

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import AitrainError, ModelError
from napari_aitrain.models import Model, export_cellpose, load_model, save_model
from napari_aitrain.nets import build_network, choose_network, read_network
from napari_aitrain.nets.cellpose_package import cellpose_module
from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.flow_targets import flow_targets
from napari_aitrain.training.checkpoints import read_checkpoint
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.readiness import check

pytest.importorskip("cellpose")


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., TrainConfig]:
    """Return a factory of configs for two images of cells, or two stacks."""

    def make(depth: int = 1, channels: int = 1, side: int = 64, **settings: object) -> TrainConfig:
        sources = []
        for seed, role in enumerate(("train", "validation")):
            labels = np.stack([cells((side + 6, side), seed=seed)] * depth).astype(np.uint16)
            noise = np.random.default_rng(seed).normal(0, 8, (channels, *labels.shape))
            image = (20 + 100 * (labels > 0) + noise).clip(0, 255).astype(np.uint8)
            tifffile.imwrite(tmp_path / f"image {seed}.tif", image, photometric="minisblack", metadata={"axes": "CZYX"})
            tifffile.imwrite(
                tmp_path / f"labels {seed}.tif", labels, photometric="minisblack", metadata={"axes": "ZYX"}
            )
            box = Box(start=(0, 0, 0), stop=labels.shape, role=role)
            sources.append(Source(image=tmp_path / f"image {seed}.tif", labels=tmp_path / f"labels {seed}.tif",
                                  boxes=(box,), axes="czyx", voxel_size=(20.0, 10.0, 10.0)))  # fmt: skip
        start = settings.pop("start_from", None) or str(cellpose_file(tmp_path / "start"))
        base = {"steps": 3, "precision": "float32", "batch_size": 2, "start_from": start, "task": "cellpose"}
        return TrainConfig(sources=tuple(sources), **(base | settings))

    return make


def test_it_learns_and_leaves_a_model_that_cellpose_opens(config, run, tmp_path: Path) -> None:
    result = run("job")(config(steps=25, learning_rate=3e-3, batch_size=4))
    model = load_model(result.folder)
    assert model.card.task == "cellpose" and model.card.steps == 25 and model.card.diameter is not None
    assert read_network(model.card.network) == SMALL.model_copy(update={"in_channels": 1})
    before, after = load_model(tmp_path / "start").state_dict(), model.state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert any("blocks.1" in name for name in moved) and not any(
        "patch_embed" in name or "W2" in name for name in moved
    )
    assert result.of("done")[0]["steps"] == 25 and result.of("preview")
    first, last = (loss_of(load_model(where), 0) for where in (tmp_path / "start", result.folder))
    assert last < 0.9 * first
    export_cellpose(model, tmp_path / "out")
    net = build_network(SMALL).net
    net.load_model(str(tmp_path / "out"), torch.device("cpu"), strict=True)


def loss_of(model: Model, seed: int) -> float:
    """Return the loss on a part of a training image."""
    labels = cells((70, 64), seed=seed)[None, :32, :32]
    image = torch.from_numpy((labels > 0).astype(np.float32))[None]
    task = make_task("cellpose")
    values = torch.from_numpy(task.prepare(labels, labels >= 0, None, 2).values[None, :, 0])
    with torch.no_grad():
        return task.loss(model.network()(image), values, torch.ones(1, 1, 32, 32)).item()


def test_what_is_learned_is_cellposes_loss() -> None:
    labels = cells((64, 64))
    task, output = make_task("cellpose"), torch.randn(2, 4, 64, 64)
    targets = task.prepare(labels[None], np.ones((1, 64, 64), bool), None, 2)
    values = torch.from_numpy(targets.values[:, 0])[None].repeat(2, 1, 1, 1)
    found = task.loss(output, values, torch.ones(2, 1, 64, 64))
    lbl = torch.from_numpy(np.concatenate([(labels > 0)[None], flow_targets(labels)]))[None].repeat(2, 1, 1, 1)
    wanted = cellpose_module("train")._loss_fn_seg(lbl.float(), output[:, 1:], torch.device("cpu"))
    assert torch.isclose(found, wanted, rtol=1e-4)


def test_what_is_not_labelled_teaches_nothing() -> None:
    labels = cells((64, 64))
    known = np.zeros((1, 64, 64), bool)
    known[:, 20:40] = True
    task, output = make_task("cellpose"), torch.randn(1, 4, 64, 64, requires_grad=True)
    targets = task.prepare(np.where(known, labels, -1).astype(np.int32), known, None, 2)
    values, weight = (torch.from_numpy(x) for x in (targets.values[None, :, 0], targets.weight[None]))
    values = torch.where(weight > 0, values, torch.nan)
    values[:, 3:] = torch.from_numpy(targets.values[None, 3:, 0])
    task.loss(output, values.nan_to_num(7.0), weight).backward()
    assert not output.grad[:, :, :20].any() and not output.grad[:, :, 40:].any() and output.grad[:, 1:, 20:40].any()


def test_a_stop_and_a_resume_give_what_an_unbroken_training_gives(config, run) -> None:
    run("whole")(config(steps=4))
    broken, times = run("broken"), []

    def stop(result) -> list[dict[str, object]]:
        times.append(0)
        return [{"kind": "stop"}] if len(times) == 4 else []

    broken.when = stop
    broken(config(steps=4))
    assert broken.of("done")[0]["steps"] == 2
    run("broken")(config(steps=4))
    first, second = (
        read_checkpoint(broken.folder.parent / name / "checkpoints" / "latest.safetensors")[0]
        for name in ("whole", "broken")
    )
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_volumes_are_learned_slice_by_slice_and_judged_whole(config, run, tmp_path: Path) -> None:
    result = run("job")(config(depth=3, side=26, dims="3", steps=2))
    card = load_model(result.folder).card
    network = read_network(card.network)
    assert card.dims == 3 and network.dims == 3 and network.anisotropy == 2
    assert "(z×y×x)" in next(e["message"] for e in result.of("log") if "patches" in e["message"])
    assert "1×32×32" in " ".join(event["message"] for event in result.of("log"))
    assert card.metrics["validation"]["score"] >= 0


def test_only_the_head_can_be_trained(config, run, tmp_path: Path) -> None:
    result = run("job")(config(freeze="encoder", steps=2))
    before, after = load_model(tmp_path / "start").state_dict(), load_model(result.folder).state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"net.out.weight", "net.out.bias"}


def errors(config: TrainConfig) -> list[str]:
    return [f"{finding.message} {finding.remedy}" for finding in check(config).errors]


def test_without_weights_it_says_how_to_get_them(config, tmp_path: Path) -> None:
    (told,) = errors(config(start_from="auto"))
    assert "cpsam_v2" in told and "weights download" in told and str(tmp_path / "cellpose") in told


def test_from_scratch_is_refused(config) -> None:
    (told,) = errors(config(start_from="scratch"))
    assert "cannot be trained from scratch" in told and "instances" in told


def test_a_model_with_another_network_is_refused(config, tmp_path: Path, run) -> None:
    network = choose_network("small", 2, 1, 3)
    card = load_model(config().start_from).card
    card = card.model_copy(update={"task": "instances", "network": network.model_dump(), "channels": ("0",)})
    save_model(tmp_path / "unet", card, build_network(network).state_dict())
    (told,) = errors(config(start_from=str(tmp_path / "unet")))
    assert "another network" in told
    (told,) = errors(config(task="instances"))
    assert "has the network of Cellpose" in told
    with pytest.raises(AitrainError, match="has the network of Cellpose"):
        run("job")(config(task="instances"))


def test_four_channels_are_too_many(config) -> None:
    (told,) = errors(config(channels=4))
    assert "4 channels" in told
    assert errors(config(channels=2)) == []


def test_a_model_of_cellpose_3_cannot_be_the_start(config, tmp_path: Path) -> None:
    torch.save({"downsample.down.x": torch.zeros(1)}, tmp_path / "old")
    with pytest.raises(ModelError, match="Cellpose 3"):
        load_model(tmp_path / "old")
    (told,) = errors(config(start_from=str(tmp_path / "old")))
    assert "Cellpose 3" in told
