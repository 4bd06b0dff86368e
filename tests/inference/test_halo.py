"""The measured halo is as wide as what the network really looks at, and no wider."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_aitrain.errors import DeviceError
from napari_aitrain.inference.halo import measure_halo
from napari_aitrain.inference.predictor import predict_array


class Blur:
    """A network that averages over a known reach, and claims a wider receptive field."""

    device = torch.device("cpu")
    multiple = (1, 1, 1)
    receptive_field = (0, 40, 40)

    def __init__(self, reach: int) -> None:
        self.reach = reach

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        width = 2 * self.reach + 1
        return functional.avg_pool2d(batch, (1, width), stride=1, padding=(0, self.reach)) * 3


@pytest.mark.parametrize("reach", [0, 3, 11])
def test_halo_is_the_reach(reach: int) -> None:
    sample = np.random.default_rng(0).normal(1, 1, (1, 1, 120, 120)).astype(np.float32)
    assert measure_halo(Blur(reach), torch.sigmoid, sample, 2, tolerance=1e-4) == (0, 0, reach)


def test_too_small_a_sample_gives_the_receptive_field() -> None:
    sample = np.ones((1, 1, 3, 3), np.float32)
    assert measure_halo(Blur(3), torch.sigmoid, sample, 2) == (0, 40, 40)


class Small(Blur):
    """A device with room for few voxels."""

    def __init__(self, room: int) -> None:
        super().__init__(2)
        self.receptive_field = (0, 0, 2)
        self.room = room

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        if batch.numel() > self.room:
            raise torch.cuda.OutOfMemoryError("too much")
        return super().__call__(batch)


def test_too_little_memory_makes_tiles_smaller() -> None:
    image = np.random.default_rng(0).normal(0, 1, (1, 1, 600, 600)).astype(np.float32)
    expected = predict_array(Blur(2), torch.sigmoid, image, 2)
    np.testing.assert_allclose(predict_array(Small(200_000), torch.sigmoid, image, 2), expected, atol=1e-6)
    with pytest.raises(DeviceError, match="too little memory"):
        predict_array(Small(10), torch.sigmoid, image, 2)
