import numpy as np
import pytest


@pytest.fixture(scope="module")
def synthetic(request: pytest.FixtureRequest):
    import importlib.util
    from pathlib import Path

    path = Path(__file__).resolve().parents[2] / "starters" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_slices_hold_nuclei_of_many_sizes_numbered_without_gaps(synthetic) -> None:
    diameters = []
    for seed in range(6):
        image, labels = synthetic.slice_of_nuclei(seed)
        assert image.shape == labels.shape == (256, 256)
        ids = np.unique(labels)
        assert np.array_equal(ids, np.arange(len(ids)))
        diameters.append(np.median(2 * np.sqrt(np.bincount(labels.ravel())[1:] / np.pi)))
    assert max(diameters) > 1.5 * min(diameters)


def test_a_volume_is_the_same_for_the_same_seed(synthetic) -> None:
    shape = (12, 40, 40)
    one, other, another = (synthetic.volume_of_nuclei(seed, shape) for seed in (3, 3, 4))
    assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
    assert not np.array_equal(one[0], another[0])
    inside, outside = one[0][one[1] > 0].mean(), one[0][one[1] == 0].mean()
    assert inside > outside


def test_dark_nuclei_are_the_same_image_the_other_way_round(synthetic) -> None:
    image = np.array([[0, 5], [9, 2]], np.uint8)
    assert synthetic.inverted(image).tolist() == [[9, 4], [0, 7]]
