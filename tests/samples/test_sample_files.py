"""Samples written and read again."""

import numpy as np
import pytest

from napari_aitrain.annotation.boxes import read_boxes
from napari_aitrain.errors import OutputExistsError
from napari_aitrain.samples import em_volume_3d, nuclei_2d, write_sample
from napari_aitrain.volumes import open_volume


@pytest.mark.parametrize(
    "sample",
    [nuclei_2d(size=256, count=80), em_volume_3d(shape=(6, 96, 96), voxel_size=(25.0, 10.0, 10.0))],
    ids=["nuclei", "em"],
)
def test_round_trip(tmp_path, sample):
    files = write_sample(sample, tmp_path)
    image, labels = open_volume(files.image), open_volume(files.labels, kind="labels")
    assert np.array_equal(image.read(image.region), sample.image)
    assert image.voxel_size[1:] == pytest.approx(sample.voxel_size[1:], rel=1e-3)
    assert labels.voxel_size[1:] == pytest.approx(sample.voxel_size[1:], rel=1e-3)
    assert tuple(read_boxes(files.boxes)) == sample.boxes
    inside = np.zeros(sample.labels.shape, bool)
    for box in sample.boxes:
        inside[box.region.slices] = True
    assert np.array_equal(labels.read(labels.region)[0], np.where(inside, sample.labels, 0))


def test_nothing_is_written_over(tmp_path):
    sample = nuclei_2d(size=256, count=80)
    files = write_sample(sample, tmp_path)
    before = files.image.read_bytes()
    with pytest.raises(OutputExistsError):
        write_sample(sample, tmp_path)
    assert files.image.read_bytes() == before
