import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.centres import directions
from napari_aitrain.tasks.losses import soft_dice
from napari_aitrain.tasks.object_maps import IDS, NEARNESS
from napari_aitrain.tasks.protocol import Task

CASES = [("instances", (0, 1)), ("semantic", (0, 255)), ("semantic", (1, 2, 7))]


def whole_loss(task: Task, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return task.loss(output, values, weight) + task.auxiliary_loss(output, values, weight)


def batch(task: Task, space: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return random output, targets and a weight that is 0 in about half of the voxels."""
    random = torch.Generator().manual_seed(seed)
    output = torch.randn((2, task.heads + task.auxiliary_heads(len(space)), *space), generator=random) * 3
    values = torch.rand((2, len(task.nearest), *space), generator=random)
    for channel, numbers in enumerate(task.nearest):
        if numbers:
            values[:, channel] = (values[:, channel] * task.heads).floor()
    weight = (torch.rand((2, 1, *space), generator=random) < 0.5).float()
    return output.requires_grad_(), values, weight


@pytest.mark.parametrize(("name", "classes"), CASES)
@pytest.mark.parametrize("space", [(8, 8), (4, 6, 6)])
def test_unlabelled_voxels_have_exactly_no_gradient(
    name: str, classes: tuple[int, ...], space: tuple[int, ...]
) -> None:
    task = make_task(name, {}, classes)
    output, values, weight = batch(task, space)
    whole_loss(task, output, values, weight).backward()
    gradient = output.grad
    assert gradient is not None
    unlabelled = (weight == 0).expand_as(gradient)
    assert torch.all(gradient[unlabelled] == 0)
    assert torch.all(gradient[~unlabelled].abs() > 0)


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_what_is_unlabelled_changes_no_loss(name: str, classes: tuple[int, ...]) -> None:
    task = make_task(name, {}, classes)
    output, values, weight = batch(task, (8, 8))
    hidden = torch.where(weight > 0, values, torch.zeros_like(values))
    assert torch.equal(whole_loss(task, output, values, weight), whole_loss(task, output, hidden, weight))


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_nothing_labelled_gives_a_finite_loss_without_gradient(name: str, classes: tuple[int, ...]) -> None:
    task = make_task(name, {}, classes)
    output, values, weight = batch(task, (8, 8))
    loss = whole_loss(task, output, values, torch.zeros_like(weight))
    loss.backward()
    assert torch.isfinite(loss)
    assert output.grad is not None
    assert torch.all(output.grad == 0)


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_the_loss_falls_towards_the_targets(name: str, classes: tuple[int, ...]) -> None:
    task = make_task(name, {}, classes)
    output, values, weight = batch(task, (8, 8))
    if task.instances:
        to_centre = directions(values[:, IDS], values[:, NEARNESS], weight[:, 0] > 0)
        right = torch.cat([torch.logit(values[:, : task.heads], eps=1e-3), to_centre], 1)
    else:
        right = 10 * torch.nn.functional.one_hot(values[:, 0].long(), task.heads).movedim(-1, 1).float()
    assert whole_loss(task, right, values, weight) < 0.9 * whole_loss(task, output, values, weight)
    assert whole_loss(task, right, values, weight) < whole_loss(task, 0.3 * right, values, weight)


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_half_precision_output_is_taken(name: str, classes: tuple[int, ...]) -> None:
    task = make_task(name, {}, classes)
    output, values, weight = batch(task, (8, 8))
    low = whole_loss(task, output.bfloat16(), values, weight)
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(whole_loss(task, output, values, weight).item(), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16))
def test_dice_is_between_perfect_and_disjoint(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    target = (torch.rand(50, generator=random) < 0.4).float()
    probability, weight = torch.rand(50, generator=random), torch.ones(50)
    assert soft_dice(target, target, weight) == pytest.approx(0, abs=1e-6)
    assert 0 <= soft_dice(probability, target, weight) <= 1
