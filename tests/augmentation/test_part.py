"""A batch that several processes share is varied like one that a single process has."""

import pytest
import torch

from napari_aitrain.training.augmentation import Augmenter
from napari_aitrain.training.part import Part


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(("dims", "voxel_size"), [(2, None), (3, (40.0, 8.0, 8.0))])
def test_the_parts_of_a_batch_together_are_the_batch_to_the_bit(dims, voxel_size, ranks):
    space, out = ((8, 60, 60), (8, 48, 48)) if dims == 3 else ((60, 60), (48, 48))
    chance = torch.Generator().manual_seed(1)
    image, values = (torch.rand(5, channels, *space, generator=chance) for channels in (1, 3))
    weight = (torch.rand(5, 1, *space, generator=chance) > 0.2).float()
    generator = torch.Generator().manual_seed(2)
    vary = Augmenter("full", dims, voxel_size, True, generator)
    for _ in range(3):
        state = generator.get_state()
        whole = vary(image, values, weight, (False,) * 3, out)
        after = generator.get_state()
        parts = []
        for rank in range(ranks):
            generator.set_state(state)
            part = Part.of(rank, ranks, 5)
            own = slice(part.here.start, part.here.stop)
            parts.append(vary(image[own], values[own], weight[own], (False,) * 3, out, part=part))
            assert torch.equal(generator.get_state(), after)
        for expected, found in zip(whole, zip(*parts, strict=True), strict=True):
            assert torch.equal(expected, torch.cat(found))
