from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_aitrain.errors import ConfigError
from napari_aitrain.tasks import apply_threshold, make_task
from napari_aitrain.tasks.losses import affinity_loss
from napari_aitrain.tasks.neurons import NeuronsTask
from napari_aitrain.tasks.offsets import pair_of
from napari_aitrain.tasks.tree_scores import best_threshold, sum_agreements

SIZE = (10.0, 10.0, 10.0)


def planned(voxel_size=SIZE, dims=3):
    return make_task("neurons").planned(voxel_size, dims)


def truth(shape=(12, 24, 24)):
    """Return four columns that fill the volume."""
    labels = np.ones(shape, np.int32)
    labels[:, 12:] += 1
    labels[:, :, 11:] += 2
    return labels


def perfect(task: NeuronsTask, labels):
    """Return the affinities of a network that knows the ids."""
    maps = np.ones((task.heads, *labels.shape), np.float32)
    for number, offset in enumerate(task.offsets):
        here, before = pair_of(offset)
        maps[number][here] = (labels[here] == labels[before]) & (labels[here] > 0)
    return maps


def tensors(labels):
    ids = torch.from_numpy(labels.astype(np.float32))[None, None]
    return ids, (ids >= 0).float()


def test_offsets_are_planned_once_and_stay_with_the_settings():
    task = planned((50.0, 4.0, 4.0))
    again = make_task("neurons", task.settings.model_dump(mode="json"))
    assert again.heads == task.heads == len(task.settings.offsets)
    assert again.planned(SIZE, 3).settings == task.settings


def test_without_a_plan_there_are_no_heads():
    with pytest.raises(ConfigError, match="not chosen"):
        make_task("neurons").heads  # noqa: B018


@pytest.mark.parametrize(
    "offsets", [[[1, 1, 0]], [[0, 1, 0]], [[0, 1, 0], [0, 0, 1], [0, 0, 1]], [[0, 1, 0], [0, 0, -1]]]
)
def test_offsets_that_cannot_be_are_refused(offsets):
    with pytest.raises(ConfigError, match="offsets"):
        make_task("neurons", {"offsets": offsets})


@pytest.mark.parametrize("dims", [2, 3])
def test_the_loss_is_least_at_the_affinities_of_the_ids(dims):
    task = planned(dims=dims)
    labels = truth()
    values, weight = tensors(labels)
    right = torch.from_numpy(perfect(task, labels))[None] * 16 - 8
    if dims == 2:
        values, weight, right = values[:, :, 0], weight[:, :, 0], right[:, :, 0]
    assert task.loss(right, values, weight) < 1e-3
    for channel in range(task.heads):
        wrong = right.clone()
        wrong[:, channel] *= -1
        assert task.loss(wrong, values, weight) > 0.5


def test_background_belongs_together_with_nothing():
    ids = torch.zeros(1, 6, 6)
    low, high = (affinity_loss(torch.full((1, 1, 6, 6), v), ids, torch.ones_like(ids), [(0, 1)]) for v in (-9.0, 9.0))
    assert low < 1e-3 < high


def test_pairs_with_an_unlabelled_end_give_exactly_no_gradient():
    task = planned()
    labels = truth()
    labels[:, 8:16] = -1
    values, weight = tensors(labels)
    output = torch.randn(1, task.heads, *labels.shape, requires_grad=True)
    task.loss(output, values, weight).backward()
    for number, offset in enumerate(task.offsets):
        here, before = pair_of(offset)
        counts = np.zeros(labels.shape, bool)
        counts[here] = (labels[here] >= 0) & (labels[before] >= 0)
        gradient = output.grad[0, number].numpy()
        assert not gradient[~counts].any()
        assert gradient[counts].all()


def test_what_is_unlabelled_changes_no_loss():
    task = planned()
    values, weight = tensors(truth())
    weight[..., 5:9] = 0
    output = torch.randn(1, task.heads, *values.shape[2:])
    hidden = torch.where(weight > 0, values, torch.full_like(values, 99))
    assert torch.equal(task.loss(output, values, weight), task.loss(output, hidden, weight))


def test_rare_pairs_count_more():
    ids = torch.ones(1, 4, 100)
    ids[..., 99] = 2
    output = torch.zeros(1, 1, 4, 100, requires_grad=True)
    affinity_loss(output, ids, torch.ones_like(ids), [(0, 1)]).backward()
    across, within = output.grad[..., 99].abs().mean(), output.grad[..., 50].abs().mean()
    assert across > 5 * within


def test_a_patch_smaller_than_an_offset_has_a_finite_loss():
    ids = torch.ones(1, 4, 4)
    output = torch.zeros(1, 1, 4, 4, requires_grad=True)
    loss = affinity_loss(output, ids, torch.ones_like(ids), [(0, 9)])
    loss.backward()
    assert loss.item() == 0 and not output.grad.any()


def test_more_than_2048_ids_stay_apart():
    labels = np.arange(1, 5001, dtype=np.int32).reshape(1, 50, 100) * 7
    targets = planned().prepare(labels, labels >= 0, SIZE, 3)
    assert len(np.unique(targets.values)) == 5000


def test_right_affinities_decode_to_the_truth_and_score_best():
    task, labels = planned(), truth()
    objects = task.decode(perfect(task, labels), SIZE, 3)
    assert objects.merges is not None
    known = labels > 0
    metrics = task.metrics([(objects, labels, known)])
    assert metrics["score"] == pytest.approx(0, abs=0.05)
    threshold = best_threshold([(objects, labels, known)])
    shown = apply_threshold(objects, threshold)
    assert len(np.unique(shown)) == 4
    flat = task.metrics([(replace(objects, labels=shown, merges=None), labels, known)])
    assert flat["voi"] == pytest.approx(metrics["voi"], abs=0.02)


def test_slices_are_compared_slice_by_slice():
    task, labels = planned(dims=2), truth((3, 24, 24))
    objects = task.decode(perfect(task, labels), SIZE, 2)
    assert task.metrics([(objects, labels, labels > 0)])["voi"] == pytest.approx(0, abs=0.05)
    assert best_threshold([]) == 0.5 and sum_agreements([]) == []


def test_a_forest_of_borders_gives_affinities():
    task, labels = planned(), truth()
    inside = task.forest_labels(np.where(labels == 4, -1, labels))
    assert set(np.unique(inside)) == {-1, 0, 1}
    assert (inside[:, 11:13, :10] == 0).all() and (inside[:, :10, :10] == 1).all()
    probability = np.stack([1 - (inside == 1), inside == 1]).astype(np.float32)
    maps = task.forest_maps(probability, SIZE, 3)
    assert maps.shape == (task.heads, *labels.shape)
    assert set(np.unique(maps)) <= {0.0, 1.0}
    assert np.array_equal(task.class_probability(maps).sum(0), np.ones(labels.shape))
    assert task.uncertainty(maps).max() == 0


def test_pieces_that_do_not_touch_within_a_box_are_objects_of_their_own():
    task, labels = planned(), truth()
    cut = np.where(labels == 4, 1, labels)
    cut[:, 11:13, 10:12] = 0
    objects = task.decode(perfect(task, labels), SIZE, 3)
    figures = [task.metrics([(objects, ids, ids > 0)])["voi_split"] for ids in (cut, np.where(cut > 0, labels, 0))]
    assert figures[0] == pytest.approx(figures[1], abs=1e-9)
