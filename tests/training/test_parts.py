"""Schedule, checkpoints and patches."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.errors import JobError
from napari_aitrain.nets import choose_network
from napari_aitrain.nets.patches import patch_shape
from napari_aitrain.tasks import make_task
from napari_aitrain.training.checkpoints import read_checkpoint, write_checkpoint
from napari_aitrain.training.crops import freeze_crops
from napari_aitrain.training.prepared import PreparedCrop
from napari_aitrain.training.schedule import Budget, learning_rate_factor


def test_a_budget_ends_at_whichever_comes_first() -> None:
    assert Budget(steps=10, seconds=100).spent(5, 20) == 0.5
    assert Budget(steps=10, seconds=100).finished(1, 100)
    assert not Budget().finished(10**6, 10**6)


@given(st.integers(0, 10**5), st.floats(0, 1))
def test_the_learning_rate_stays_between_nothing_and_its_peak(step: int, spent: float) -> None:
    assert 0 < learning_rate_factor(step, spent) <= 1


def test_without_an_end_the_learning_rate_stays_and_then_falls_with_the_root_of_the_steps() -> None:
    factor = [learning_rate_factor(steps, Budget().spent(steps, 1e6)) for steps in (100, 1500, 6000, 600_000)]
    assert factor == [1, 1, 0.5, 0.05]


def test_a_checkpoint_comes_back_as_it_was(tmp_path) -> None:
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5, dtype=torch.uint8)}
    write_checkpoint(tmp_path / "c" / "x.safetensors", tensors, {"step": 3, "nan": float("nan")})
    found, plain = read_checkpoint(tmp_path / "c" / "x.safetensors")
    assert all(torch.equal(tensors[k], found[k]) for k in tensors)
    assert plain["step"] == 3


@pytest.mark.parametrize("keep", [0, 5, 60])
def test_a_damaged_checkpoint_is_an_error_that_says_what_to_do(keep: int, tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, {"a": torch.randn(3, 4)}, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(JobError, match="delete"):
        read_checkpoint(path)


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 130, 64), (1, 300, 300)])
def test_a_patch_larger_than_its_crop_is_mirrored_and_weighs_nothing_outside(shape, make_config, tmp_path) -> None:
    config = make_config()
    (tmp_path / "job").mkdir()
    crop = freeze_crops(config, tmp_path / "job").of_role("train")[0]
    prepared = PreparedCrop(crop, make_task("instances", {}, (0, 1)), 2, tmp_path / "job", 0)
    image, values, weight = prepared.patch(prepared.centre(0), shape)
    assert image.shape == weight.shape == (1, *shape)
    assert values.shape == (5, *shape)
    inside = np.prod([min(a, b) for a, b in zip(shape, crop.shape, strict=True)])
    assert np.count_nonzero(weight) == inside
    assert np.isfinite(image).all()


def test_targets_are_made_once(make_config, tmp_path, monkeypatch) -> None:
    (tmp_path / "job").mkdir()
    crop = freeze_crops(make_config(), tmp_path / "job").of_role("train")[0]
    task = make_task("instances", {}, (0, 1))
    first = PreparedCrop(crop, task, 2, tmp_path / "job", 0)
    monkeypatch.setattr(type(task), "prepare", None)
    second = PreparedCrop(crop, task, 2, tmp_path / "job", 0)
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.centres, second.centres)


@pytest.mark.parametrize("voxel_size", [None, (50.0, 4.0, 4.0), (10.0, 10.0, 10.0)])
@pytest.mark.parametrize("crop", [(8, 64, 64), (64, 64, 64), (100, 1000, 1000), (3, 200, 30)])
def test_a_patch_is_what_the_network_can_take(crop, voxel_size) -> None:
    network = choose_network("medium", 3, 1, 3, voxel_size, crop)
    shape = patch_shape(network, [crop])
    assert all(n % m == 0 and n >= m for n, m in zip(shape, network.multiple, strict=True))
