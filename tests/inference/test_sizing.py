"""Images whose objects are larger or smaller than those of the training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from tiny_starter import DIAMETER, balls, make_starter, photographed

from napari_aitrain.errors import ConfigError, ModelError
from napari_aitrain.evaluation import evaluate_files
from napari_aitrain.inference import estimate_scale, make_network, predict, predict_volume
from napari_aitrain.inference.sizing import sized
from napari_aitrain.jobs.predict_config import parse_predict_config
from napari_aitrain.models import load_model
from napari_aitrain.volumes import Volume


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {dims: make_starter(folder / f"tiny-{dims}d", dims) for dims in (2, 3)}


def image_of(diameter: float, dims: int, gap: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    shape = (1, 256, 256) if dims == 2 else (max(12, round(3.2 * diameter)),) * 3
    labels = balls(shape, diameter, gap=gap)
    return photographed(labels), labels


@pytest.mark.parametrize(("dims", "diameter"), [(2, 4), (2, 7), (2, 12), (2, 25), (2, 45), (3, 7), (3, 20)])
def test_the_size_of_objects_is_found(dims: int, diameter: float, models) -> None:
    image, _ = image_of(diameter, dims)
    found = estimate_scale(models[dims], Volume.from_array(image, axes="zyx"), device="cpu", precision="float32")
    assert found.diameter == pytest.approx(diameter, rel=0.2)
    assert found.scale == pytest.approx(DIAMETER / diameter, rel=0.2)
    assert found.objects > 0


def test_an_image_without_objects_is_seen_as_it_is(models) -> None:
    noise = np.random.default_rng(0).normal(100, 40, (1, 128, 128)).astype(np.float32)
    model = models[2].of_scale(1.0)
    found = estimate_scale(model, Volume.from_array(np.full_like(noise, 7), axes="zyx"), device="cpu")
    assert (found.scale, found.diameter, found.objects) == (1.0, None, 0)


def test_predictions_at_the_right_size_are_better_and_a_large_volume_gives_the_same(models, tmp_path) -> None:
    image, labels = image_of(40, 2, gap=1.02)
    tifffile.imwrite(tmp_path / "image.tif", image[0])
    tifffile.imwrite(tmp_path / "labels.tif", labels[0].astype(np.uint16))
    ap = {}
    for diameter in (None, 40, "auto"):
        out = tmp_path / f"{diameter}.tif"
        (one,) = predict(models[2].folder, tmp_path / "image.tif", out, diameter=diameter, device="cpu", threshold=0.1)
        ap[diameter] = evaluate_files(out, tmp_path / "labels.tif").metrics["ap50"]
        assert bool([note for note in one.notes if "scaled by" in note]) == (diameter is not None)
    assert ap[40] > 0.9 and ap["auto"] > 0.9 and ap[None] < ap[40]
    whole, blocks = (
        predict_volume(models[2].of_diameter(40), Volume.from_array(image, axes="zyx"), tmp_path / name, device="cpu",
                       precision="float32", block_shape=shape)
        for name, shape in (("whole", None), ("blocks", (1, 96, 96)))
    )  # fmt: skip
    shown = [stored.labels(threshold=0.1) > 0 for stored in (whole, blocks)]
    assert np.mean(shown[0] != shown[1]) < 0.002


def test_a_size_that_was_found_is_kept_for_another_threshold(models, tmp_path) -> None:
    tifffile.imwrite(tmp_path / "image.tif", image_of(20, 2)[0][0])
    asked = {"diameter": "auto", "device": "cpu"}
    predict(models[2].folder, tmp_path / "image.tif", tmp_path / "out.tif", **asked)
    (again,) = predict(models[2].folder, tmp_path / "image.tif", tmp_path / "out.tif", threshold=0.2, **asked)
    assert not again.network_ran


def test_what_is_no_diameter_is_told(models, tmp_path) -> None:
    image, _ = image_of(12, 2)
    tifffile.imwrite(tmp_path / "image.tif", image[0])
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="diameter"):
            predict(models[2].folder, tmp_path / "image.tif", tmp_path / "o.tif", diameter=wrong)
    with pytest.raises(ConfigError, match="diameter"):
        parse_predict_config({"model": "m", "image": "i", "diameter": "large"})
    card = models[2].folder / "model.json"
    text = card.read_text()
    card.write_text(text.replace(f'"diameter": {DIAMETER}', '"diameter": null'))
    try:
        with pytest.raises(ModelError, match="how large"):
            estimate_scale(load_model(models[2].folder), Volume.from_array(image, axes="zyx"))
    finally:
        card.write_text(text)


def test_a_diameter_is_in_voxels_of_the_image_whatever_the_network_sees(models) -> None:
    card = models[2].card.model_copy(update={"voxel_size": (1.0, 200.0, 200.0)})
    model = replace(models[2], card=card)
    image = Volume.from_array(image_of(48, 2)[0], axes="zyx", voxel_size=(1, 100, 100))
    assert sized(model, image, 48, make_network).card.scale == pytest.approx(0.5)
    assert sized(model, image, "auto", lambda: make_network(model, "cpu")).card.scale == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("diameter", [1, 2000])
def test_extreme_diameters_are_bounded(diameter: float, models, tmp_path) -> None:
    image, _ = image_of(12, 2)
    tifffile.imwrite(tmp_path / "image.tif", image[0])
    (one,) = predict(models[2].folder, tmp_path / "image.tif", tmp_path / "o.tif", diameter=diameter, device="cpu")
    assert tifffile.imread(one.out).shape == image.shape[1:]
