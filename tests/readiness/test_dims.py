"""2-D or 3-D, at every boundary."""

from __future__ import annotations

import pytest

from napari_aitrain.errors import ConfigError
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.dims import Depth, resolve_dims

AUTO = TrainConfig()


@pytest.mark.parametrize(("slices", "dims"), [(1, 2), (7, 2), (8, 3), (100, 3)])
def test_objects_need_eight_slices_for_3d(slices, dims):
    assert resolve_dims(AUTO, [Depth(slices, 0.9)], instances=True).dims == dims


def test_the_box_with_the_fewest_slices_decides():
    assert resolve_dims(AUTO, [Depth(100, 0.9), Depth(1, 0.0)], instances=True).dims == 2


def test_a_stack_of_separate_images_is_2d():
    assert resolve_dims(AUTO, [Depth(100, 0.1)], instances=True).dims == 2


@pytest.mark.parametrize(("slices", "step", "dims"), [(31, 10, 2), (32, 10, 3), (32, 30, 3), (32, 31, 2)])
def test_classes_are_3d_only_where_neighbouring_slices_tell_something(slices, step, dims):
    crop = Depth(slices, 0.9, (float(step), 10.0, 10.0))
    assert resolve_dims(AUTO, [crop], instances=False).dims == dims


def test_a_person_decides_otherwise():
    assert resolve_dims(TrainConfig(dims="2"), [Depth(100, 0.9)], instances=True).dims == 2
    assert resolve_dims(TrainConfig(dims="3"), [Depth(3, 0.9)], instances=False).dims == 3


def test_3d_of_a_single_slice_is_refused():
    with pytest.raises(ConfigError, match="single slice"):
        resolve_dims(TrainConfig(dims="3"), [Depth(100, 0.9), Depth(1, 0.9)], instances=True)
