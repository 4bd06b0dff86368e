import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.maps import (
    RING,
    border,
    connected_pieces,
    known_with_ring,
    normalised_distance,
    outline_spacing,
    unique_over_slices,
)

ISOTROPIC = (1.0, 1.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.int32, (5, 7, 9), elements=st.sampled_from([0, 0, 1])),
    st.sampled_from([(1.0, 1.0, 1.0), (4.0, 1.0, 2.0)]),
)
def test_distance_agrees_with_scipy(labels: np.ndarray, spacing: tuple[float, ...]) -> None:
    if not (labels == 0).any():
        return
    pieces, count = ndimage.label(labels, np.ones((3, 3, 3)))
    plain = ndimage.distance_transform_edt(labels, sampling=spacing)
    expected = plain.copy()
    for piece in range(1, count + 1):
        expected[pieces == piece] /= plain[pieces == piece].max()
    np.testing.assert_allclose(normalised_distance(labels, spacing), expected, rtol=1e-5)


def test_every_object_reaches_one_whatever_its_size() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[1:12, 1:12], labels[14:17, 14:17], labels[1:4, 12:15] = 1, 2, 3
    distance = normalised_distance(labels, (1.0, 1.0))
    assert [distance[labels == i].max() for i in (1, 2, 3)] == [1, 1, 1]
    assert distance[labels == 0].max() == 0


def test_pieces_of_one_id_are_objects_of_their_own() -> None:
    labels = np.zeros((12, 30), np.int32)
    labels[1:10, 1:10], labels[1:4, 20:23] = 1, 1
    assert normalised_distance(labels, (1.0, 1.0))[2, 21] == 1


def test_an_object_that_fills_everything_has_a_middle() -> None:
    assert normalised_distance(np.ones((4, 4), np.int32), (1.0, 1.0)).min() == 1


def test_border_is_where_objects_touch_and_end_but_not_where_the_array_ends() -> None:
    labels = np.array([[1, 1, 1, 2, 2, 2, 0]], np.int32)
    assert border(labels).tolist() == [[False, False, True, True, False, True, False]]


def test_spacing_is_relative_to_the_finest_axis() -> None:
    assert outline_spacing((40.0, 4.0, 4.0)) == (10, 1, 1)
    assert outline_spacing((1.0, 4.0, 4.0), 2)[1:] == (1, 1), "the distance between slices does not count within one"
    assert outline_spacing(None) == ISOTROPIC


@pytest.mark.parametrize(("dims", "above"), [(2, False), (3, True)])
def test_ring_surrounds_painted_objects(dims: int, above: bool) -> None:
    labels = np.full((9, 20, 20), -1, np.int32)
    labels[4, 8:12, 8:12] = 5
    known = known_with_ring(labels, labels >= 0, ISOTROPIC, dims)
    assert known[4, 9, 12 : 12 + RING].all()
    assert not known[4, 9, 12 + RING]
    assert known[5, 9, 9] == above
    assert known.sum() < known.size / 2


def test_ring_is_thin_along_an_axis_of_coarse_steps() -> None:
    labels = np.full((9, 20, 20), -1, np.int32)
    labels[4, 8:12, 8:12] = 5
    known = known_with_ring(labels, labels >= 0, (2.0, 1.0, 1.0), 3)
    assert known[5, 9, 9] and not known[6, 9, 9]


def test_painted_background_makes_the_ring_needless() -> None:
    labels = np.full((1, 20, 20), -1, np.int32)
    labels[0, 8:12, 8:12], labels[0, 0, 0] = 5, 0
    known = labels >= 0
    assert known_with_ring(labels, known, ISOTROPIC, 2) is known
    everything = np.ones_like(known)
    assert known_with_ring(np.ones_like(labels), everything, ISOTROPIC, 2) is everything


def test_prepare_gives_no_weight_to_unlabelled_voxels() -> None:
    labels = np.full((1, 20, 20), -1, np.int32)
    labels[0, 8:12, 8:12] = 5
    targets = make_task("instances").prepare(labels, labels >= 0, None, 2)
    assert targets.values.shape == (5, 1, 20, 20)
    assert set(np.unique(targets.weight)) == {0, 1}
    assert targets.weight[0, 0, 0] == 0
    assert targets.weight[0, 8, 12] == 1
    assert targets.values[:3, 0, 8, 12].tolist() == [0, 0, 0]


def test_slices_are_prepared_on_their_own_in_two_dimensions() -> None:
    labels = np.zeros((3, 16, 16), np.int32)
    labels[:, 4:11, 4:11] = 1
    task = make_task("instances")
    known = np.ones(labels.shape, bool)
    alone = task.prepare(labels[:1], known[:1], None, 2).values
    together = task.prepare(labels, known, None, 2).values
    for z in range(3):
        np.testing.assert_array_equal(together[:, z], alone[:, 0])


def test_a_layer_of_thick_sections_and_its_isotropic_twin_agree() -> None:
    labels = np.zeros((5, 21, 21), np.int32)
    labels[1:4, 4:17, 4:17] = 1
    twin = labels.repeat(4, axis=0)
    known = np.ones(labels.shape, bool)
    task = make_task("instances")
    coarse = task.prepare(labels, known, (40.0, 10.0, 10.0), 3).values[1]
    fine = task.prepare(twin, np.ones(twin.shape, bool), (10.0, 10.0, 10.0), 3).values[1]
    assert np.abs(coarse[2] - fine[9]).max() < 0.25


def test_unlisted_classes_are_unlabelled() -> None:
    labels = np.array([[[0, 255, 3, -1]]], np.int32)
    targets = make_task("semantic", {}, (0, 255)).prepare(labels, labels >= 0, None, 2)
    assert targets.values[0, 0, 0, :2].tolist() == [0, 1]
    assert targets.weight[0, 0].tolist() == [1, 1, 0, 0]


def test_ids_become_unique_over_slices() -> None:
    labels = np.array([[[0, 1, 2]], [[-1, 1, 2]]], np.int32)
    assert unique_over_slices(labels).tolist() == [[[0, 1, 2]], [[-1, 3, 4]]]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(12, 13), (9, 31), (4, 6, 7)]),
    corners=st.booleans(),
    kind=st.sampled_from([bool, np.int32]),
)
def test_connected_pieces_are_those_of_scipy(seed: int, shape: tuple[int, ...], corners: bool, kind: type) -> None:
    labels = (np.random.default_rng(seed).uniform(0, 1, shape) < 0.2).astype(kind)
    structure = ndimage.generate_binary_structure(len(shape), len(shape) if corners else 1)
    expected, count = ndimage.label(labels, structure)
    found = connected_pieces(labels, corners)
    assert found.max() == count
    assert len(np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1).T) == count + 1
