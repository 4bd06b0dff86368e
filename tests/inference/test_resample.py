"""Prediction at the voxel size of the training, and how much decoded blocks overlap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import predict
from napari_aitrain.inference.image import choose_view, prepare_image
from napari_aitrain.inference.info import OnImage
from napari_aitrain.inference.on_image import read_output
from napari_aitrain.inference.overlap import decode_overlap
from napari_aitrain.inference.store import StoredPrediction
from napari_aitrain.inference.volume import predict_volume
from napari_aitrain.models import Model
from napari_aitrain.volumes import Volume, open_volume
from napari_aitrain.volumes.resample import inside_resampled, nearest_voxels, resample, resampled_shape

MakeModel = Callable[..., Model]
FACTORS = st.tuples(*[st.floats(0.3, 2.5)] * 3)


def image(shape: tuple[int, ...], **options: Any) -> Volume:
    values = np.random.default_rng(0).integers(0, 1000, shape).astype(np.uint16)
    return Volume.from_array(values, axes="czyx"[-len(shape) :], **options)


def test_voxels_beyond_the_outermost_middle_are_constant() -> None:
    seen = resample(image((1, 1, 2)), (1.0, 1.0, 0.3125))
    part = Region((0, 0, 0), (1, 1, 2))
    first = image((1, 1, 2)).read(Region((0, 0, 0), (1, 1, 1))).item()
    assert seen.read(part).ravel().tolist() == [first, first]


@settings(deadline=None, max_examples=40)
@given(factors=FACTORS, shape=st.tuples(*[st.integers(1, 12)] * 3), data=st.data())
def test_any_region_is_what_the_whole_has_there(factors: Any, shape: Any, data: st.DataObject) -> None:
    seen = resample(image(shape, voxel_size=(40.0, 10.0, 10.0)), factors)
    assert seen.shape == resampled_shape(shape, factors)
    np.testing.assert_allclose(seen.voxel_size, np.multiply((40.0, 10.0, 10.0), factors))
    whole = seen.read(seen.region)
    assert whole.min() >= 0 and whole.max() <= 1000
    start = [data.draw(st.integers(0, n - 1)) for n in seen.shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, seen.shape, strict=True)]
    region = Region(tuple(start), tuple(stop))
    np.testing.assert_allclose(seen.read(region), whole[(slice(None), *region.slices)], rtol=1e-5)


def test_intensities_are_linear_between_voxels_and_stay_in_place() -> None:
    ramp = np.broadcast_to(np.arange(20.0, dtype=np.float32) + 0.5, (4, 6, 20))
    seen = resample(Volume.from_array(ramp, axes="zyx"), (1.0, 1.0, 0.5))
    inner = seen.read(seen.region)[0, 0, 0, 1:-1]
    np.testing.assert_allclose(inner, (np.arange(40) + 0.5)[1:-1] * 0.5)


@given(factor=st.floats(0.3, 3), extent=st.integers(1, 50))
def test_every_voxel_lies_in_the_nearest(factor: float, extent: int) -> None:
    found = nearest_voxels(0, extent, factor, resampled_shape((extent,) * 3, (factor,) * 3)[0])
    assert (np.diff(found) >= 0).all()
    middle = (found + 0.5) * factor
    assert (np.abs(middle - np.arange(extent) - 0.5) <= factor + 1e-6).all()


def test_a_region_is_shrunk_inwards() -> None:
    assert inside_resampled(Region((0, 3, 4), (4, 9, 9)), (2.0, 1.5, 2.5)) == Region((0, 2, 2), (2, 6, 3))


@pytest.mark.parametrize(
    ("trained", "here", "magnification", "size"),
    [
        ((40.0, 10.0, 10.0), (40.0, 7.0, 7.0), (1, 1, 1), (40.0, 10.0, 10.0)),
        ((40.0, 10.0, 10.0), (40.0, 4.0, 4.0), (1, 2, 2), (40.0, 10.0, 10.0)),
        ((40.0, 10.0, 10.0), (10.0, 10.0, 10.0), (4, 1, 1), (40.0, 10.0, 10.0)),
        ((40.0, 10.0, 10.0), (40.0, 30.0, 30.0), (1, 1, 1), (40.0, 10.0, 10.0)),
    ],
)
def test_the_model_sees_the_voxel_size_of_the_training(
    make_model: MakeModel, trained: Any, here: Any, magnification: Any, size: Any
) -> None:
    view = choose_view(make_model("semantic", 3, voxel_size=trained), image((8, 60, 60), voxel_size=here), True)
    assert view.magnification == magnification
    np.testing.assert_allclose(view.volume.voxel_size, size)
    assert bool(view.warnings) == (here[1] > 2 * trained[1])
    assert any("40" in note and "nm (x, y, z)" in note for note in view.notes)


def test_slices_are_never_mixed_for_a_2d_model(make_model: MakeModel) -> None:
    model = make_model("semantic", 2, voxel_size=(50.0, 10.0, 10.0))
    view = choose_view(model, image((8, 60, 60), voxel_size=(30.0, 7.0, 7.0)), True)
    assert view.volume.shape == (8, 42, 42)


def test_resampling_needs_both_voxel_sizes(make_model: MakeModel) -> None:
    with pytest.raises(ConfigError, match="voxel size of array is not known"):
        choose_view(make_model("semantic", 2, voxel_size=(1.0, 1.0, 1.0)), image((4, 40, 40)), True)
    with pytest.raises(ConfigError, match="voxel size of the model other is not known"):
        choose_view(make_model("semantic", 2, name="other"), image((4, 40, 40), voxel_size=(1.0, 1.0, 1.0)), True)


@pytest.mark.parametrize(("task", "dims"), [("instances", 2), ("semantic", 3)])
def test_labels_are_written_on_the_voxels_of_the_image(
    make_model: MakeModel, tmp_path: Path, task: str, dims: int
) -> None:
    model = make_model(task, dims, voxel_size=(40.0, 10.0, 10.0))
    shape = (9, 67, 50)
    smooth = np.random.default_rng(0).normal(size=(3, 8, 7)).repeat(3, 0).repeat(9, 1).repeat(8, 2)
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, smooth[:9, :67, :50].astype(np.float32), metadata={"axes": "ZYX"})
    (one,) = predict(
        model.folder, path, tmp_path / "out.ome.zarr", voxel_size=(30.0, 7.0, 7.0), resample=True, device="cpu"
    )
    written = open_volume(one.out, kind="labels")
    assert written.shape == shape
    np.testing.assert_allclose(written.voxel_size, (30.0, 7.0, 7.0))
    stored = StoredPrediction.open(one.store)
    assert stored.shape == (7 if dims == 3 else 9, 47, 35)
    whole = read_output(stored.info, lambda region: stored.labels(region), Region.from_shape(shape))
    np.testing.assert_array_equal(written.read(written.region)[0], whole)
    # The prediction without resampling is another one.
    (plain,) = predict(model.folder, path, tmp_path / "plain.tif", voxel_size=(30.0, 7.0, 7.0), device="cpu")
    assert plain.network_ran and plain.store != one.store


def test_a_region_lies_on_its_part_of_the_image(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model("semantic", 2, voxel_size=(10.0, 10.0, 10.0))
    volume = image((4, 60, 60), voxel_size=(10.0, 6.0, 6.0))
    region = Region((1, 10, 20), (3, 50, 60))
    stored = predict_volume(model, volume, tmp_path / "store", region=region, resample=True, device="cpu")
    assert stored.info.resampled == OnImage(
        factors=(1.0, 10 / 6, 10 / 6), start=region.start, shape=region.shape, voxel_size=(10.0, 6.0, 6.0)
    )
    whole = read_output(stored.info, stored.labels, Region.from_shape(region.shape))
    assert whole.shape == region.shape
    # Voxel 35, 40 of the image lies in voxel 21, 24 of the prediction, which begins at 6, 12.
    assert stored.info.start == (1, 6, 12)
    assert whole[0, 25, 20] == stored.labels()[0, 15, 12]


def test_an_unknown_voxel_size_is_that_of_the_training(make_model: MakeModel) -> None:
    model = make_model("em-instances", 2, voxel_size=(40.0, 10.0, 10.0))
    prepared = prepare_image(model, image((2, 40, 40)))
    assert prepared.decode_size == (40.0, 10.0, 10.0)
    assert prepared.volume.voxel_size is None
    assert any("is not known" in text for text in prepared.warnings)


@pytest.mark.parametrize(
    ("dims", "most", "expected"),
    [(2, 800.0, (0, 96, 96)), (3, 800.0, (24, 96, 96)), (3, None, (32, 48, 48)), (2, 300.0, (0, 46, 46))],
)
def test_blocks_overlap_by_the_largest_object(dims: int, most: float | None, expected: Any) -> None:
    overlap, trouble = decode_overlap((100, 900, 900), dims, most, (40.0, 10.0, 10.0), 2**24)
    assert overlap == expected and not trouble


def test_overlap_stays_within_memory_and_says_so() -> None:
    overlap, trouble = decode_overlap((500, 4000, 4000), 3, 20_000.0, (40.0, 10.0, 10.0), 2**23)
    assert np.prod([2 * o for o in overlap]) <= 2**23
    assert "20000 nm" in trouble
    small, _ = decode_overlap((3, 40, 40), 3, 20_000.0, (40.0, 10.0, 10.0), 2**23)
    assert small == (3, 40, 40)


@pytest.mark.parametrize("size", [(0.0, 4.0, 4.0), (50.0, -4.0, 4.0), (50.0, float("nan"), 4.0)])
def test_a_voxel_size_of_zero_is_refused(size: Any) -> None:
    with pytest.raises(ConfigError, match="voxel size"):
        image((4, 40, 40), voxel_size=size)
