"""Objects with a size in nm: what belongs together, what never does, and that voxels do not matter."""

from __future__ import annotations

import cc3d
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from napari_aitrain.errors import ConfigError
from napari_aitrain.evaluation import instance_metrics
from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.basins import basins_of_peaks
from napari_aitrain.tasks.dividing import middles
from napari_aitrain.tasks.objects import Reach, join_basins
from napari_aitrain.tasks.voxel_list import VoxelList

VOXEL = (40.0, 10.0, 10.0)
ISOTROPIC = (10.0, 10.0, 10.0)


def balls(extent: float, spacing: tuple[float, float, float], seed: int = 0, count: int = 12) -> np.ndarray:
    """Return ids of balls of 100 to 180 nm radius in a cube, which may touch; the nearer middle has the voxel."""
    random = np.random.default_rng(seed)
    middle = random.uniform(0, extent, (count, 3))
    radius = random.uniform(100, 180, count)
    axes = [(np.arange(round(extent / s)) + 0.5) * s for s in spacing]
    at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    share = np.linalg.norm(at[..., None, :] - middle, axis=-1) / radius
    return np.where(share.min(-1) < 1, share.argmin(-1) + 1, 0).astype(np.int32)


def decoded(labels: np.ndarray, voxel_size: tuple[float, float, float], dims: int = 3, **chosen: float) -> np.ndarray:
    task = make_task("em-instances", {"max_distance": 400.0, **chosen})
    maps = task.prepare(labels, np.ones(labels.shape, bool), voxel_size, dims).values[: task.heads]
    return task.decode(maps, voxel_size, dims).labels


@pytest.mark.parametrize("seed", [0, 1])
def test_touching_objects_are_parted_in_anisotropic_volumes(seed: int) -> None:
    truth = balls(960, VOXEL, seed)
    assert instance_metrics(decoded(truth, VOXEL), truth)["ap50"] > 0.8


@pytest.mark.parametrize("seed", [0, 1])
def test_the_isotropic_twin_gives_the_same_objects(seed: int) -> None:
    coarse, fine = balls(960, VOXEL, seed), balls(960, ISOTROPIC, seed)
    one, other = decoded(coarse, VOXEL), decoded(fine, ISOTROPIC)
    # Of the four fine slices in a coarse one, the middle ones are compared.
    figures = instance_metrics(one, other[2::4])
    assert figures["ap50"] > 0.85
    assert figures["dice"] > 0.95


def dumbbell(length: int) -> np.ndarray:
    """Return maps of two discs whose middles are `length` pixels apart, on one broad ridge without a saddle."""
    maps = np.zeros((3, 1, 60, length + 60), np.float32)
    y, x = np.indices(maps.shape[2:])
    ridge = np.exp(-(((y - 30) / 12.0) ** 2)) * ((x > 15) & (x < length + 45))
    bumps = sum(np.exp(-(((y - 30) ** 2 + (x - at) ** 2) / 60.0)) for at in (30, length + 30))
    maps[0, 0] = ridge > 0.4
    maps[1, 0] = np.clip(0.8 * ridge + 0.1 * bumps, 0, 1)
    return maps


def test_parts_farther_apart_than_the_max_distance_are_never_one_object() -> None:
    maps = dumbbell(60)
    size = (40.0, 10.0, 10.0)
    # 60 pixels of 10 nm: one object for a max distance above 600 nm, two below, however shallow the saddle.
    assert make_task("em-instances", {"max_distance": 700, "split": 0.6}).decode(maps, size, 2).labels.max() == 1
    assert make_task("em-instances", {"max_distance": 500, "split": 0.6}).decode(maps, size, 2).labels.max() == 2
    # The same picture with voxels half as long.
    half = (40.0, 5.0, 5.0)
    assert make_task("em-instances", {"max_distance": 500, "split": 0.6}).decode(maps, half, 2).labels.max() == 1


def test_middles_nearer_than_the_seed_distance_are_one_object() -> None:
    maps = np.zeros((3, 1, 40, 60), np.float32)
    y, x = np.indices((40, 60))
    maps[1, 0] = np.maximum(*(np.exp(-(((y - 20) ** 2 + (x - at) ** 2) / 30.0)) for at in (20, 40)))
    maps[0, 0] = maps[1, 0] > 0.05
    for seed_distance, count in ((100, 2), (250, 1)):
        task = make_task("em-instances", {"max_distance": 1000, "seed_distance": seed_distance, "split": 1.0})
        assert task.decode(maps, (40.0, 10.0, 10.0), 2).labels.max() == count


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), most=st.floats(50, 600), near=st.floats(0, 40), ratio=st.floats(0.05, 1))
def test_no_join_reaches_farther_than_the_limit(seed: int, most: float, near: float, ratio: float) -> None:
    random = np.random.default_rng(seed)
    height = random.uniform(0, 1, (6, 14, 14)).astype(np.float32)
    inside = random.uniform(0, 1, height.shape) < 0.8
    voxels = VoxelList.of(inside)
    listed = voxels.take(height)
    basins, top = basins_of_peaks(voxels, listed)
    places = middles(voxels.only(top), basins[top], VOXEL)
    ids = np.arange(1, len(places))
    pairs = np.array([(a, b) for a in ids for b in ids if a < b and np.linalg.norm(places[a] - places[b]) < near])
    peaks = np.zeros(len(places), np.float32)
    peaks[basins[top]] = listed[top]
    contacts = voxels.contacts(basins, listed)
    owner = join_basins(peaks, contacts, ratio, pairs.reshape(-1, 2), Reach(places, most))
    for name in np.unique(owner[1:]):
        of_one = places[1:][owner[1:] == name]
        assert cdist(of_one, of_one).max() <= most * (1 + 1e-6)


@settings(deadline=None, max_examples=15)
@example(seed=40, dims=2, most=100.0)
@given(seed=st.integers(0, 10**6), dims=st.sampled_from([2, 3]), most=st.floats(100, 500))
def test_pieces_of_an_object_lie_within_the_max_distance(seed: int, dims: int, most: float) -> None:
    maps = np.random.default_rng(seed).uniform(0, 1, (3, 5, 24, 24)).astype(np.float32)
    task = make_task("em-instances", {"max_distance": most, "minimum_diameter": 0, "seed_distance": most / 3})
    objects = task.decode(maps, VOXEL, dims)
    count = int(objects.labels.max())
    assert objects.scores.shape == (count + 1,)
    for name in range(1, count + 1):
        at = np.argwhere(objects.labels == name) * VOXEL
        pieces = cc3d.connected_components(objects.labels == name, connectivity=26)[objects.labels == name]
        for one in range(1, int(pieces.max()) + 1):
            for other in range(one + 1, int(pieces.max()) + 1):
                # Lines between objects are drawn anew, at most four voxels away, and may cut off a crumb.
                assert cdist(at[pieces == one], at[pieces == other]).min() <= most + 4 * max(VOXEL[-dims:])


@pytest.mark.parametrize("dims", [2, 3])
def test_one_single_object_and_none(dims: int) -> None:
    labels = np.zeros((8, 40, 40), np.int32)
    assert decoded(labels, VOXEL, dims).max() == 0
    labels[2:6, 10:30, 10:30] = 9
    found = decoded(labels, VOXEL, dims)
    assert found.max() == (1 if dims == 3 else 4)
    np.testing.assert_array_equal(found > 0, labels > 0)


def test_an_object_cut_by_the_edge_is_deepest_there_and_whole_slices_without_labels_are_no_border() -> None:
    labels = np.zeros((9, 40, 40), np.int32)
    labels[:, 10:30, :20] = 1
    task = make_task("em-instances")
    known = np.ones(labels.shape, bool)
    distance = task.prepare(labels, known, ISOTROPIC, 3).values[1]
    assert distance[4, 20, 0] == 1
    known[3:6] = False
    sparse = task.prepare(np.where(known, labels, -1).astype(np.int32), known, ISOTROPIC, 3)
    np.testing.assert_allclose(sparse.values[:, :3], task.prepare(labels[:3], known[:3], ISOTROPIC, 3).values)
    assert sparse.values[2, 2, 20, 10] == 0
    assert not sparse.weight[3:6].any()


def test_small_objects_are_told_by_their_size_in_nm() -> None:
    labels = np.zeros((1, 40, 40), np.int32)
    labels[0, 5:15, 5:15] = 1
    for diameter, count in ((100, 1), (130, 0)):
        assert decoded(labels, VOXEL, 2, minimum_diameter=diameter).max() == count


def test_without_a_voxel_size_rules_in_nm_are_left_out() -> None:
    maps = dumbbell(60)
    assert make_task("em-instances", {"max_distance": 1.0, "split": 0.6}).decode(maps, None, 2).labels.max() == 1


def test_settings_must_fit_each_other() -> None:
    with pytest.raises(ConfigError, match="seed_distance is 900 nm"):
        make_task("em-instances", {"max_distance": 800, "seed_distance": 900})
    with pytest.raises(ConfigError, match="max_distance"):
        make_task("em-instances", {"max_distance": 0})
