"""Which channels, magnification and normalisation a model sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError
from napari_aitrain.inference.image import prepare_image
from napari_aitrain.models import Model
from napari_aitrain.nets import choose_network
from napari_aitrain.volumes import Volume, open_volume

MakeModel = Callable[..., Model]


def volume(shape: tuple[int, ...] = (8, 64, 64), **options: Any) -> Volume:
    values = np.random.default_rng(0).integers(0, 1000, shape).astype(np.uint16)
    return Volume.from_array(values, axes="czyx"[-len(shape) :], **options)


@pytest.mark.parametrize(
    ("trained", "here", "magnification", "warned"),
    [
        ((30.0, 8.0, 8.0), (30.0, 8.0, 8.0), (1, 1, 1), False),
        ((30.0, 8.0, 8.0), (30.0, 4.0, 4.0), (1, 2, 2), False),
        ((30.0, 8.0, 8.0), (8.0, 8.0, 8.0), (4, 1, 1), False),
        ((30.0, 8.0, 8.0), (30.0, 15.0, 15.0), (1, 1, 1), False),
        ((30.0, 8.0, 8.0), (30.0, 17.0, 17.0), (1, 1, 1), True),
    ],
)
def test_the_nearest_magnification_is_seen(
    make_model: MakeModel, trained: Any, here: Any, magnification: Any, warned: bool
) -> None:
    prepared = prepare_image(make_model("semantic", 3, voxel_size=trained), volume(voxel_size=here))
    assert prepared.magnification == magnification
    assert bool(prepared.warnings) == warned
    assert any("nm (x, y, z)" in note for note in prepared.notes)
    assert prepared.volume.shape == tuple(-(-n // m) for n, m in zip((8, 64, 64), magnification, strict=True))


def test_slices_are_never_averaged_for_a_2d_model(make_model: MakeModel) -> None:
    prepared = prepare_image(
        make_model("semantic", 2, voxel_size=(50.0, 8.0, 8.0)), volume(voxel_size=(10.0, 4.0, 4.0))
    )
    assert prepared.magnification == (1, 2, 2)


def test_without_a_voxel_size_the_training_magnification_is_seen(make_model: MakeModel) -> None:
    prepared = prepare_image(make_model("semantic", 2, magnification="2-2-1"), volume())
    assert prepared.magnification == (1, 2, 2)
    assert any("not known" in note for note in prepared.notes)


def test_channels_must_fit(make_model: MakeModel) -> None:
    with pytest.raises(ConfigError, match=r"3 channels .* takes 1"):
        prepare_image(make_model("semantic", 2), volume((3, 4, 32, 32)))
    named = volume((3, 4, 32, 32), channels=["dna", "actin", "tubulin"])
    prepared = prepare_image(make_model("semantic", 2, name="n", channels=2, names=("tubulin", "dna")), named)
    assert prepared.volume.channels == ("tubulin", "dna")


def test_a_constant_image_takes_the_scaling_of_the_training(make_model: MakeModel) -> None:
    flat = Volume.from_array(np.full((2, 40, 40), 300, np.uint16), axes="zyx")
    model = make_model("semantic", 2, normalisation={"low": (100.0,), "high": (500.0,)})
    prepared = prepare_image(model, flat)
    assert prepared.warnings
    np.testing.assert_allclose(prepared.read(flat.region), 0.5)


@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 80), st.integers(1, 80)), scale=st.floats(0.01, 1e4))
def test_scaling_intensities_changes_nothing(shape: tuple[int, int, int], scale: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    one, other = (
        prepare_image(_Bare(), Volume.from_array(v, axes="zyx"))  # type: ignore[arg-type]
        for v in (values, (values * scale).astype(np.float32))
    )
    np.testing.assert_allclose(one.read(one.volume.region), other.read(other.volume.region), atol=2e-3)


class _Bare:
    """Of a model only what is looked at here."""

    class card:
        network = choose_network("small", 3, 1, 3).model_dump()
        channels, voxel_size, magnification = ("0",), None, "1"
        normalisation, dims, name, task = {}, 3, "m", "instances"


def test_voxels_that_are_no_numbers_are_told(make_model: MakeModel) -> None:
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    values[3, 5] = np.nan
    prepared = prepare_image(make_model("semantic", 2), Volume.from_array(values, axes="yx"))
    assert any("NaN" in warning for warning in prepared.warnings)
    assert np.isfinite(prepared.read(prepared.volume.region)).all()


def test_chunks_that_are_not_stored_are_told(make_model: MakeModel, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 9, (64, 64)).astype(np.uint8)
    zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(32, 32))
    model = make_model("semantic", 2)
    assert not prepare_image(model, open_volume(tmp_path / "a.zarr")).warnings
    (tmp_path / "a.zarr" / "c" / "1" / "1").unlink()
    (warning,) = prepare_image(model, open_volume(tmp_path / "a.zarr")).warnings
    assert "1 of 4 chunks" in warning
