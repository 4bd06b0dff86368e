"""The estimate: a bounded piece of the training set is measured, and what depends on its size is scaled."""

from __future__ import annotations

import numpy as np
import pytest

from napari_aitrain.errors import NotReadyError
from napari_aitrain.training.crops import freeze_crops
from napari_aitrain.training.cropset import CropSet
from napari_aitrain.training.estimate import estimate
from napari_aitrain.training.measure import measure_steps
from napari_aitrain.training.readiness import check


def test_real_steps_give_real_figures(files, tmp_path):
    config = files.config(device="cpu", precision="float32", network="small", batch_size=1, threads=1)
    found = estimate(config, check(config), measure_steps)
    assert 0 < found.seconds_per_step < found.seconds_to_first_preview
    assert found.peak_memory_bytes > 10_000_000
    assert found.precision == "float32" and found.device
    crops = freeze_crops(config, tmp_path)
    assert found.disk_bytes > sum(crop.image.nbytes + crop.labels.nbytes for crop in crops.crops)


class _Measured:
    seconds_per_step, peak_memory_bytes, parameters, device, precision = 0.1, 5, 1000, "cpu", "float32"


def test_only_a_bounded_piece_is_measured_but_disk_counts_all(files):
    labels = files.objects((900, 900))
    labels[:, :500] = 0
    config = files.config(files.source((900, 900), labels))
    ready = check(config)
    seen: list[CropSet] = []

    def measure(_config, crops, steps):
        assert steps > 0 and len(crops.of_role("train")) == 1
        assert crops.crops[0].labels.any()
        seen.append(crops)
        return _Measured()

    found = estimate(config, ready, measure)
    assert all(max(crop.shape) <= 384 for crop in seen[0].crops)
    assert found.disk_bytes > sum(counts.voxels for counts in ready.roles.values()) * 5


def test_there_is_no_estimate_for_what_cannot_start(files):
    config = files.config(files.source(labels=np.zeros((128, 128), np.uint8)))
    with pytest.raises(NotReadyError):
        estimate(config, check(config), lambda *_: _Measured())
