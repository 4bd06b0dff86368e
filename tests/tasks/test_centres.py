import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.centres import direction_loss, directions, nearness


def tensors(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    near = nearness(labels.astype(np.int32), spacing or (1.0,) * labels.ndim)
    return torch.from_numpy(labels.astype(np.float32))[None], torch.from_numpy(near)[None]


def disc(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape)
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < radius**2


@pytest.mark.parametrize("shape", [(21, 25), (13, 15, 17)])
def test_directions_in_a_ball_point_to_its_middle(shape: tuple[int, ...]) -> None:
    centre = tuple(n // 2 for n in shape)
    labels = disc(shape, centre, 6.5).astype(np.int32)
    ids, near = tensors(labels)
    found = directions(ids, near, ids >= 0)[0].numpy()
    to_centre = np.stack([c - g for g, c in zip(np.indices(shape), centre, strict=True)]).astype(float)
    inner = disc(shape, centre, 5) & ~disc(shape, centre, 1.5)
    cosine = (found * to_centre).sum(0)[inner] / np.linalg.norm(to_centre, axis=0)[inner]
    assert cosine.min() > 0.97
    assert np.allclose(found[(slice(None), *centre)], 0)
    assert np.all(found[:, labels == 0] == 0)


def test_directions_turn_round_where_two_objects_touch() -> None:
    labels = np.zeros((9, 20), np.int32)
    labels[1:8, 1:10], labels[1:8, 10:19] = 1, 2
    ids, near = tensors(labels)
    along_x = directions(ids, near, ids >= 0)[0, 1].numpy()
    assert along_x[4, 9] < -0.9
    assert along_x[4, 10] > 0.9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from(["flip", "turn"]))
def test_directions_move_with_the_maps_they_are_made_from(seed: int, how: str) -> None:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(random.integers(0, 4, (6, 6)), 4, 0), 4, 1).astype(np.int32)
    ids, near = tensors(labels)
    known = torch.from_numpy(random.random(labels.shape) < 0.8)[None]
    before = directions(ids, near, known)
    if how == "flip":
        after = directions(ids.flip(2), near.flip(2), known.flip(2))
        wanted = before.flip(3) * torch.tensor([1, -1]).view(1, 2, 1, 1)
    else:
        after = directions(*(part.transpose(1, 2) for part in (ids, near, known)))
        wanted = before.transpose(2, 3).flip(1)
    assert torch.allclose(after, wanted, atol=1e-5)


def test_directions_are_all_that_the_loss_asks_for() -> None:
    labels = disc((20, 20), (9, 9), 7).astype(np.int32)
    ids, near = tensors(labels)
    weight = torch.ones_like(ids)
    right = directions(ids, near, weight > 0)
    assert float(direction_loss(right, ids, near, weight)) == 0
    assert float(direction_loss(-right, ids, near, weight)) > 1


def test_the_centre_of_a_bent_object_lies_in_it() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[2:28, 2:6], labels[24:28, 2:28] = 1, 1
    near = nearness(labels, (1.0, 1.0))
    assert np.argwhere((near == 0) & (labels > 0)).shape == (1, 2)


def test_nothing_is_near_in_an_empty_image() -> None:
    assert not nearness(np.zeros((4, 5), np.int32), (1.0, 1.0)).any()


@pytest.mark.parametrize("name", ["instances", "em-instances"])
@pytest.mark.parametrize("dims", [2, 3])
def test_what_is_only_learned_is_left_out_of_the_maps(name: str, dims: int) -> None:
    task = make_task(name)
    output = torch.randn(1, task.heads + task.auxiliary_heads(dims), *(8,) * dims)
    assert task.activate(output).shape[1] == task.heads == 3
    assert task.auxiliary_heads(dims) == dims
