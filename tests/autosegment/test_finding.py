"""Objects without a model: what two numbers do, and what may come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import KDTree

from napari_aitrain.autosegment.finding import find_objects
from napari_aitrain.autosegment.settings import CLASSICAL, AutosegmentSettings
from napari_aitrain.autosegment.suggesting import suggest
from napari_aitrain.tasks.maps import neighbours
from napari_aitrain.tasks.tally import InstanceTally


def discs(radius: float, places: list[tuple[float, float]], shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    """Return labels of discs, shape (1, y, x)."""
    grid = np.stack(np.indices(shape), axis=-1)
    labels = np.zeros(shape, np.int32)
    for number, place in enumerate(places):
        labels[((grid - place) ** 2).sum(axis=-1) <= radius**2] = number + 1
    return labels[None]


def scene(labels: np.ndarray, noise: float = 4, seed: int = 0) -> np.ndarray:
    image = 20 + 60.0 * ndimage.gaussian_filter((labels > 0).astype(float), (0, 0.7, 0.7))
    return (image + np.random.default_rng(seed).normal(0, noise, labels.shape)).astype(np.float32)


def lattice(step: float, stop: int = 128) -> list[tuple[float, float]]:
    ticks = np.arange(step / 2, stop - step / 4, step)
    return [(y, x) for y in ticks for x in ticks]


def ap50(found: np.ndarray, truth: np.ndarray) -> float:
    return InstanceTally.count(found, truth).metrics()["ap50"]


@pytest.mark.parametrize("radius", [3, 6, 12, 25])
def test_the_image_suggests_the_size(radius: float) -> None:
    truth = discs(radius, lattice(2.9 * radius, 256), (256, 256))
    image = scene(truth)
    for preset, share in (("single-cells", 0.35), ("nuclei-in-organoids", 0.4)):
        found = suggest(image, preset, dims=2)  # type: ignore[arg-type]
        assert found.sigma / share == pytest.approx(radius, rel=0.45)
    assert ap50(find_objects(image, suggest(image, dims=2), dims=2).labels, truth) > 0.95


def test_touching_discs_are_divided_and_a_larger_sigma_merges_them() -> None:
    truth = discs(10, [(40, 40), (40, 59), (90, 60)])
    image = scene(truth, noise=2)
    own = suggest(image, dims=2)
    assert ap50(find_objects(image, own, dims=2).labels, truth) == 1
    merged = find_objects(image, own.model_copy(update={"sigma": 12.0}), dims=2)
    assert merged.count == 2


@pytest.mark.parametrize("preset", CLASSICAL)
def test_a_larger_sigma_or_size_never_gives_more(preset: str) -> None:
    image = scene(discs(6, [(y, x) for y in (30, 44, 90) for x in (30, 44, 90)]), noise=6)
    counts = [
        find_objects(image, AutosegmentSettings(preset=preset, sigma=s, minimum_size=20), dims=2).count  # type: ignore[arg-type]
        for s in (2, 6, 20)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > 0
    own = suggest(image, preset, dims=2)  # type: ignore[arg-type]
    sizes = [own.model_copy(update={"minimum_size": n}) for n in (1, 60, 5000)]
    fewer = [find_objects(image, one, dims=2) for one in sizes]
    assert [one.count for one in fewer] == sorted([one.count for one in fewer], reverse=True)
    for one, chosen in zip(fewer, sizes, strict=True):
        assert (np.bincount(one.labels.ravel())[1:] >= chosen.minimum_size).all()
    assert fewer[-1].count == 0


def test_what_lies_close_together_is_one_organoid() -> None:
    clusters = [(y + dy, x + dx) for y, x in ((32, 32), (96, 96)) for dy in (-10, 0, 10) for dx in (-10, 0, 10)]
    image = scene(discs(4, clusters))
    assert find_objects(image, AutosegmentSettings(preset="organoids", sigma=5), dims=2).count == 2
    assert find_objects(image, suggest(image, dims=2), dims=2).count == 18


def test_crowded_nuclei_on_an_uneven_background() -> None:
    truth = discs(5, lattice(12))
    image = scene(truth) + 300 * ndimage.gaussian_filter(discs(40, [(64, 64)]).astype(np.float32), (0, 8, 8))
    found = {p: find_objects(image, suggest(image, p, dims=2), dims=2) for p in CLASSICAL}
    assert found["nuclei-in-organoids"].count == truth.max()
    assert ap50(found["nuclei-in-organoids"].labels, truth) > 0.7 > 0.2 > ap50(found["single-cells"].labels, truth)


def test_dim_objects_are_found_beside_bright_ones_and_blur_is_none() -> None:
    bright, dim = discs(8, [(40, 40), (40, 90)]), discs(8, [(90, 40), (90, 90)])
    image = scene(bright, noise=2) + 12 * ndimage.gaussian_filter((dim > 0).astype(np.float32), (0, 0.7, 0.7))
    found = find_objects(image, suggest(image, dims=2), dims=2)
    assert found.count == 4
    assert ap50(found.labels, bright + np.where(dim > 0, dim + 2, 0)) == 1


def test_cells_between_bright_membranes() -> None:
    truth = discs(9, lattice(20))
    random = np.random.default_rng(0)
    membranes = (truth == 0) * random.gamma(4, 20, truth.shape)
    image = 20 + ndimage.gaussian_filter(membranes, (0, 1, 1)) + random.normal(0, 3, truth.shape)
    own = suggest(image, dims=2, dark=True)
    assert ap50(find_objects(image, own, dims=2).labels, truth) > 0.9


def walls(shape: tuple[int, ...], count: int, seed: int, gaps: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of membranes, some of them dim, with gaps, and the cells between them, of many sizes."""
    random = np.random.default_rng(seed)
    middles = random.uniform(0, 1, (count, len(shape))) ** 1.5 * shape
    grid = np.stack(np.indices(shape), axis=-1)
    cells = KDTree(middles).query(grid)[1].astype(np.int32) + 1
    strength = random.uniform(0.3, 1, count + 1)[cells]
    seam = np.zeros(shape, bool)
    for low, high in neighbours(len(shape)):
        seam[low] |= cells[low] != cells[high]
    where = ndimage.gaussian_filter(random.normal(size=shape), 3)
    image = 200 * ndimage.gaussian_filter(seam * strength * (where >= np.quantile(where, gaps)), 1.2)
    return (20 + image + random.normal(0, 3, shape)).astype(np.float32), cells


@pytest.mark.parametrize(("gaps", "least"), [(0.0, 0.85), (0.03, 0.75)])
def test_cells_between_thin_dim_and_broken_membranes(gaps: float, least: float) -> None:
    image, cells = walls((256, 256), 90, seed=1, gaps=gaps)
    found = find_objects(image[None], suggest(image[None], "membranes", dims=2), dims=2)
    assert ap50(found.labels, cells[None]) > least
    dark = find_objects(-image[None], suggest(-image[None], "membranes", dims=2, dark=True), dims=2)
    np.testing.assert_array_equal(dark.labels, found.labels)


def test_cells_between_membranes_in_3d() -> None:
    image, cells = walls((40, 64, 64), 20, seed=3)
    found = find_objects(image, suggest(image, "membranes"))
    assert ap50(found.labels, cells) > 0.7
    long = find_objects(image[::4], suggest(image[::4], "membranes", (40, 10, 10)), (40, 10, 10))
    assert ap50(long.labels, cells[::4]) > 0.4


def test_dark_objects_are_those_of_the_negative() -> None:
    truth = discs(7, lattice(20))
    image = scene(truth)
    bright, dark = suggest(image, dims=2), suggest(-image, dims=2, dark=True)
    assert dark == bright.model_copy(update={"dark": True})
    np.testing.assert_array_equal(find_objects(image, bright, dims=2).labels, find_objects(-image, dark, dims=2).labels)


def test_long_voxels_are_taken_for_what_they_are() -> None:
    grid = np.stack(np.indices((48, 64, 64)), axis=-1)
    truth = np.zeros((48, 64, 64), np.int32)
    for number, place in enumerate([(16, 20, 20), (16, 20, 38), (32, 44, 30)]):
        truth[((grid - place) ** 2).sum(axis=-1) <= 81] = number + 1
    image = scene(truth, noise=2)
    whole = find_objects(image, suggest(image, voxel_size=(10, 10, 10)), (10, 10, 10))
    flat, size = image[::4], (40.0, 10.0, 10.0)
    own = suggest(flat, voxel_size=size)
    assert own.sigma == pytest.approx(suggest(image).sigma, rel=0.35)
    assert whole.count == 3 and ap50(find_objects(flat, own, size).labels, truth[::4]) == 1


def test_slices_are_divided_one_by_one_with_ids_of_their_own() -> None:
    image = scene(np.concatenate([discs(8, [(40, 40), (90, 90)]), discs(8, [(40, 44)])]))
    found = find_objects(image, AutosegmentSettings(), dims=2)
    assert found.count == 3 and not set(np.unique(found.labels[0])) & set(np.unique(found.labels[1])) - {0}


@pytest.mark.parametrize("preset", CLASSICAL)
@pytest.mark.parametrize("kind", ["constant", "noise", "nan", "one voxel", "no signal", "two values"])
def test_images_without_cells(preset: str, kind: str) -> None:
    random = np.random.default_rng(0)
    image = {
        "constant": np.full((1, 64, 64), 7.0),
        "noise": random.normal(100, 10, (1, 200, 200)),
        "nan": np.full((1, 32, 32), np.nan),
        "one voxel": np.ones((1, 1, 1)),
        "no signal": random.poisson(3, (4, 64, 64)).astype(float),
        "two values": np.zeros((1, 8, 8)),
    }[kind]
    for dims in (2, 3):
        own = suggest(image, preset, dims=dims)  # type: ignore[arg-type]
        found = find_objects(image, own, dims=dims)
        assert found.count == 0 and not found.clear


def test_voxels_that_are_no_number_are_background() -> None:
    image = scene(discs(8, [(40, 40), (90, 90)]))
    image[0, :20] = np.nan
    image[0, 0, 0] = np.inf
    assert find_objects(image, suggest(image, dims=2), dims=2).count == 2


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(CLASSICAL), st.floats(0, 60), st.integers(1, 500), st.integers(0, 2**16),
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)), st.sampled_from([2, 3]),
)  # fmt: skip
def test_any_image_gives_ids_without_gaps(preset, sigma, size, seed, shape, dims) -> None:  # type: ignore[no-untyped-def]
    image = np.random.default_rng(seed).gamma(0.3, 50, shape)
    found = find_objects(image, AutosegmentSettings(preset=preset, sigma=sigma, minimum_size=size), dims=dims)
    assert found.labels.shape == shape and found.labels.dtype == np.int32
    assert np.unique(found.labels[found.labels > 0]).tolist() == list(range(1, found.count + 1))
