"""The diameter of objects, told from labels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.tasks.diameters import across, median_diameter


def ball(shape, radius, middle=None, label=1):
    grid = np.indices(shape).astype(float)
    middle = [(n - 1) / 2 for n in shape] if middle is None else middle
    inside = sum((g - m) ** 2 for g, m in zip(grid, middle, strict=True)) <= radius**2
    return np.where(inside, label, 0).astype(np.int32)


@pytest.mark.parametrize("radius", [4, 9.5])
def test_of_a_disk_and_a_ball(radius: float) -> None:
    disk, sphere = ball((1, 41, 41), radius), ball((33, 33, 33), radius)
    assert median_diameter([(disk, None)], 2) == pytest.approx(2 * radius, rel=0.05)
    assert median_diameter([(sphere, None)], 3) == pytest.approx(2 * radius, rel=0.05)


def test_of_anisotropic_voxels_it_is_in_those_of_the_finest_axis() -> None:
    sphere = ball((64, 64, 64), 20)
    assert median_diameter([(sphere[::4], (4.0, 1.0, 1.0))], 3) == pytest.approx(40, rel=0.05)
    disk = ball((1, 60, 60), 20)[:, ::2]
    assert median_diameter([(disk, (9.0, 2.0, 1.0))], 2) == pytest.approx(40, rel=0.05)


def test_cut_and_unlabelled_objects_say_nothing_where_whole_ones_do() -> None:
    labels = sum(ball((1, 80, 80), 5, (0, 20 + 20 * i, 40), i + 1) for i in range(3))
    labels += ball((1, 80, 80), 20, (0, 40, -10), 9)
    labels[labels == 0] = -1
    assert median_diameter([(labels, None)], 2) == pytest.approx(10, rel=0.1)
    cut = ball((1, 80, 80), 20, (0, 40, -10), 9)
    assert median_diameter([(cut, None)], 2) is not None


def test_each_slice_counts_in_2d() -> None:
    stack = np.concatenate([ball((1, 40, 40), 5), ball((1, 40, 40), 5), ball((1, 40, 40), 15)])
    assert median_diameter([(stack, None)], 2) == pytest.approx(10, rel=0.1)


def test_without_objects_there_is_none() -> None:
    assert median_diameter([], 2) is None
    assert median_diameter([(np.full((2, 4, 4), -1, np.int32), None)], 3) is None


def test_objects_from_side_to_side_are_told() -> None:
    labels = ball((3, 60, 40), 5)
    labels[:, 40:44] = 7
    labels[:, :, 3] = 8
    labels[:, 50:, 10:15] = 9
    assert across(labels).tolist() == [7, 8]
    assert across(labels[:, :1, :1]).tolist() == []
    assert across(np.full((2, 4, 4), 3, np.int32)).tolist() == [3]
