"""What the task neurons asks of images, and 2-D or 3-D for it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.dims import Depth, resolve_dims
from napari_aitrain.training.readiness import check

AUTO = TrainConfig()


def codes(readiness, level):
    return {finding.code for finding in readiness.findings if finding.level == level}


def stack(files, voxel_size=(10.0, 10.0, 10.0), labels=None, **more):
    shape = (40, 64, 64)
    labels = files.objects(shape) if labels is None else labels
    return files.config(files.source(shape, labels, voxel_size=voxel_size, **more), task="neurons")


def test_a_stack_with_a_voxel_size_is_ready(files):
    found = check(stack(files))
    assert found.ready, found.errors
    assert found.dims == 3


def test_a_single_image_is_refused_and_the_other_task_is_named(files):
    found = check(files.config(files.source((128, 128), voxel_size=(4.0, 4.0, 4.0)), task="neurons"))
    assert "single-slice" in codes(found, "error")
    assert any("Objects" in finding.remedy for finding in found.errors)


def test_a_voxel_size_is_asked_for_with_the_consequence(files):
    found = check(stack(files, voxel_size=None))
    wanted = [finding for finding in found.errors if finding.code == "voxel-size-needed"]
    assert len(wanted) == 1
    assert "wrong" in wanted[0].message and "--voxel-size" in wanted[0].remedy


@pytest.mark.parametrize(("z", "warned"), [(79.0, False), (81.0, True)])
def test_wildly_anisotropic_data_are_warned_of(files, z, warned):
    found = check(stack(files, voxel_size=(z, 4.0, 4.0)))
    assert ("anisotropic" in codes(found, "warning")) == warned


def test_background_alone_is_refused(files):
    found = check(stack(files, labels=np.zeros((40, 64, 64), np.uint16)))
    assert "no-labels" in codes(found, "error")


def test_painted_slices_of_an_isotropic_stack_are_3d(files):
    labels = files.objects((40, 64, 64))
    painted = np.zeros_like(labels)
    painted[4::12] = labels[4::12]
    found = check(stack(files, labels=painted, sparse=True))
    assert found.ready, found.errors
    assert found.dims == 3


@pytest.mark.parametrize(
    ("crop", "dims"),
    [
        (Depth(3, 0.9, None, 1.0), 3),
        (Depth(40, 0.1, None, 1.0), 2),
        (Depth(40, 0.0, (50.0, 4.0, 4.0), 0.0), 2),
        (Depth(40, 0.0, (10.0, 10.0, 10.0), 0.0), 3),
        (Depth(40, 0.3, None, 0.35), 3),
        (Depth(1, 0.0, None, 0.0), 2),
    ],
)
def test_neurons_are_3d_where_labels_can_teach_the_third_axis(crop, dims):
    assert resolve_dims(AUTO, [crop], instances=True, continuous=True).dims == dims
