import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.segmentation import watershed

from napari_aitrain.evaluation import instance_metrics
from napari_aitrain.tasks import apply_threshold, make_task
from napari_aitrain.tasks.basins import basins_of_peaks, flood
from napari_aitrain.tasks.holes import fill_holes
from napari_aitrain.tasks.objects import join_basins, relabel_large
from napari_aitrain.tasks.voxel_list import VoxelList


def discs(shape: tuple[int, int, int], count: int, seed: int = 0) -> np.ndarray:
    """Return round objects of different sizes, some of which touch: balls where z is more than 1."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    grid = np.indices(shape)
    for number in range(1, count + 1):
        radius = random.uniform(4, 9)
        middle = [random.uniform(0, n) for n in shape]
        inside = sum((g - m) ** 2 for g, m in zip(grid, middle, strict=True)) < radius**2
        labels[inside & (labels == 0)] = number
    pieces, n = ndimage.label(labels)
    for piece in range(1, n + 1):
        if (pieces == piece).sum() < 40:
            labels[pieces == piece] = 0
    return labels


@pytest.mark.parametrize(("shape", "dims"), [((1, 128, 128), 2), ((32, 48, 48), 3)])
def test_perfect_maps_give_the_objects_back(shape: tuple[int, int, int], dims: int) -> None:
    task = make_task("instances")
    truth = discs(shape, 30)
    known = np.ones(shape, bool)
    maps = task.prepare(truth, known, None, dims).values[: task.heads]
    objects = task.decode(maps, None, dims)
    assert instance_metrics(objects.labels, truth)["ap50"] > 0.85
    assert task.metrics([(objects, truth, known)])["ap50"] == instance_metrics(objects.labels, truth)["ap50"]
    count = int(objects.labels.max())
    assert len(np.unique(objects.labels)) == count + 1
    assert objects.scores.shape == (count + 1,)
    assert objects.features.shape == (count + 1, len(task.feature_names))
    assert objects.scores[0] == 0
    assert objects.scores[1:].min() > 0.3


def test_ids_are_unique_over_slices_and_metrics_go_slice_by_slice() -> None:
    task = make_task("instances")
    plane = discs((1, 96, 96), 12)
    truth = plane.repeat(3, axis=0)
    known = np.ones(truth.shape, bool)
    objects = task.decode(task.prepare(truth, known, None, 2).values[: task.heads], None, 2)
    ids = [set(np.unique(z)) - {0} for z in objects.labels]
    assert not ids[0] & ids[1] and not ids[1] & ids[2]
    alone = task.decode(task.prepare(plane, known[:1], None, 2).values[: task.heads], None, 2)
    assert sum(map(len, ids)) == 3 * int(alone.labels.max())
    assert task.metrics([(objects, truth, known)])["n_truth"] == 3 * (len(np.unique(plane)) - 1)


@pytest.mark.parametrize("dims", [2, 3])
def test_nothing_to_decode(dims: int) -> None:
    task = make_task("instances")
    objects = task.decode(np.zeros((3, 4, 16, 16), np.float32), None, dims)
    assert not objects.labels.any()
    assert objects.scores.tolist() == [0]
    assert objects.features.shape == (1, len(task.feature_names))
    assert apply_threshold(objects, 0.5).shape == (4, 16, 16)


def test_foreground_without_a_clear_middle_is_still_an_object() -> None:
    maps = np.zeros((3, 1, 20, 20), np.float32)
    maps[0, 0, 5:15, 5:15] = 0.9
    objects = make_task("instances").decode(maps, None, 2)
    assert objects.labels.max() == 1


def test_small_objects_are_left_out() -> None:
    truth = np.zeros((1, 30, 30), np.int32)
    truth[0, 2:4, 2:4], truth[0, 10:20, 10:20] = 1, 2
    maps = make_task("instances").prepare(truth, np.ones(truth.shape, bool), None, 2).values[:3]
    assert make_task("instances", {"minimum_size": 5}).decode(maps, None, 2).labels.max() == 1
    assert make_task("instances", {"minimum_size": 0}).decode(maps, None, 2).labels.max() == 2
    assert relabel_large(np.array([[0, 3, 3, 7]], np.int32), 2).tolist() == [[0, 1, 1, 0]]


def test_holes_within_one_object_are_filled() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[1:8, 1:8] = 1
    labels[3:5, 3:5] = 0
    assert (fill_holes(labels)[1:8, 1:8] == 1).all()
    assert fill_holes(labels)[9, 9] == 0


def test_gaps_between_objects_and_at_the_edge_stay_open() -> None:
    labels = np.array([[1, 1, 2, 2], [1, 0, 0, 2], [1, 1, 2, 2]], np.int32)
    np.testing.assert_array_equal(fill_holes(labels), labels)
    edge = np.array([[1, 0, 1], [1, 1, 1]], np.int32)
    np.testing.assert_array_equal(fill_holes(edge), edge)


@pytest.mark.parametrize("shape", [(64, 64), (16, 32, 32)])
def test_watershed_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(3)
    height = ndimage.gaussian_filter(random.random(shape), 2).astype(np.float32)
    foreground = height > np.median(height)
    peaks = (height == ndimage.maximum_filter(height, 5)) & foreground
    seeds = ndimage.label(peaks)[0].astype(np.int32)
    voxels = VoxelList.of(foreground)
    ours = voxels.array(flood(voxels, voxels.take(height), voxels.take(seeds)))
    theirs = watershed(-height, seeds, mask=foreground)
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    assert (ours == theirs)[foreground].mean() > 0.97


def basins_and_merged(height: np.ndarray, foreground: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    voxels = VoxelList.of(foreground)
    listed = voxels.take(height)
    basins, top = basins_of_peaks(voxels, listed)
    peaks = np.zeros(int(basins.max(initial=0)) + 1, np.float32)
    peaks[basins[top]] = listed[top]
    if not len(voxels):
        return foreground.astype(np.int32), foreground.astype(np.int32)
    objects = join_basins(peaks, voxels.contacts(basins, listed), ratio)
    return voxels.array(basins), voxels.array(objects[basins])


@settings(max_examples=40, deadline=None)
@given(arrays(np.float32, (7, 9), elements=st.integers(0, 9).map(float)), arrays(np.bool_, (7, 9)))
def test_basins_cover_the_foreground(height: np.ndarray, foreground: np.ndarray) -> None:
    basins, merged = basins_and_merged(height, foreground, 1e-6)
    np.testing.assert_array_equal(basins > 0, foreground)
    pieces = ndimage.label(foreground)[0]
    for piece in range(1, pieces.max() + 1):
        if height[pieces == piece].min() > 0:
            assert len(np.unique(merged[pieces == piece])) == 1


@settings(max_examples=40, deadline=None)
@given(arrays(np.float32, (3, 6, 7), elements=st.integers(0, 5).map(float)), arrays(np.bool_, (3, 6, 7)), st.data())
def test_seeds_fill_what_they_reach_and_stay_in_one_piece(
    height: np.ndarray, foreground: np.ndarray, data: st.DataObject
) -> None:
    voxels = VoxelList.of(foreground)
    seeds = np.zeros(len(voxels), np.int32)
    places = data.draw(st.lists(st.integers(0, max(0, len(voxels) - 1)), max_size=5, unique=True))
    for number, place in enumerate(places[: len(voxels)], start=1):
        seeds[place] = number
    found = voxels.array(flood(voxels, voxels.take(height), seeds))
    pieces = ndimage.label(foreground)[0]
    reached = np.isin(pieces, pieces[voxels.array(seeds) > 0])
    np.testing.assert_array_equal(found > 0, reached & foreground)
    for number in range(1, len(places) + 1):
        assert ndimage.label(found == number)[1] <= 1
    assert (voxels.take(found)[seeds > 0] == seeds[seeds > 0]).all()


@settings(max_examples=60, deadline=None)
@given(arrays(np.int32, (9, 5, 6), elements=st.sampled_from([0, 1, 1, 1, 2])), st.integers(1, 400))
def test_holes_are_the_same_whatever_is_looked_at_at_once(labels: np.ndarray, slab: int) -> None:
    expected = labels.copy()
    gaps, count = ndimage.label(labels == 0)
    for gap in range(1, count + 1):
        here = gaps == gap
        around = ndimage.binary_dilation(here) & ~here
        at_edge = any(here.take(face, axis=axis).any() for axis in range(3) for face in (0, -1))
        if not at_edge and len(np.unique(labels[around])) == 1:
            expected[here] = labels[around][0]
    np.testing.assert_array_equal(fill_holes(labels, slab), expected)


def test_lines_between_packed_cells_stay_where_they_are() -> None:
    """Smoothing picks the objects; it must not move their borders, of cells some pixels wide."""
    random = np.random.default_rng(0)
    points = random.integers(0, 96, (120, 2))
    truth = ndimage.distance_transform_edt(
        ~np.isin(np.arange(96 * 96), points @ [96, 1]).reshape(96, 96), return_indices=True
    )[1]
    truth = (truth[0] * 96 + truth[1] + 1).astype(np.int32)[None]
    task = make_task("instances")
    maps = task.prepare(truth, np.ones(truth.shape, bool), None, 2).values[: task.heads]
    metrics = instance_metrics(task.decode(maps, None, 2).labels, truth)
    assert metrics["ap75"] > 0.85


def test_basins_join_where_the_saddle_is_high() -> None:
    height = np.array([[1, 5, 4, 6, 2, 10, 1]], np.float32)
    everywhere = np.ones(height.shape, bool)
    assert len(np.unique(basins_and_merged(height, everywhere, 1)[0])) == 3
    for ratio, expected in ((0.9, 3), (0.7, 2), (0.3, 1)):
        assert len(np.unique(basins_and_merged(height, everywhere, ratio)[1])) == expected


@pytest.mark.parametrize("classes", [(0, 255), (1, 2, 7)])
def test_classes_keep_their_ids(classes: tuple[int, ...]) -> None:
    task = make_task("semantic", {}, classes)
    random = np.random.default_rng(0)
    truth = random.choice(classes, (2, 8, 8)).astype(np.int32)
    known = np.ones(truth.shape, bool)
    channel = task.prepare(truth, known, None, 2).values[0]
    maps = np.stack([np.where(channel == c, 0.8, 0.2 / (len(classes) - 1)) for c in range(len(classes))])
    objects = task.decode(maps.astype(np.float32), None, 2)
    np.testing.assert_array_equal(objects.labels, truth)
    assert objects.scores.size == 0
    metrics = task.metrics([(objects, truth, known)])
    assert metrics["score"] == metrics[f"iou_{classes[1]}"] == 1


def test_threshold_of_classes_falls_back_to_the_background() -> None:
    task = make_task("semantic", {}, (5, 9))
    maps = np.array([0.9, 0.4, 0.1], np.float32)
    objects = task.decode(np.stack([maps, 1 - maps])[:, None, None], None, 2)
    assert objects.labels.tolist() == [[[5, 9, 9]]]
    assert apply_threshold(objects, 0.0).tolist() == [[[5, 9, 9]]]
    assert apply_threshold(objects, 0.7).tolist() == [[[5, 5, 9]]]


@pytest.mark.parametrize("name", ["instances", "semantic"])
def test_uncertainty_is_largest_where_the_network_cannot_decide(name: str) -> None:
    task = make_task(name)
    maps = np.zeros((task.heads, 1, 1, 2), np.float32)
    maps[0, ..., 0], maps[0, ..., 1] = 1, 0.5
    maps[1, ..., 1] = 0.5
    unsure = task.uncertainty(maps)
    assert unsure.shape == (1, 1, 2)
    assert unsure[0, 0].tolist() == [0, 1]
