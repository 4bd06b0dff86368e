"""What a network sees of objects: blocks give what one pass gives, for each architecture, and boxes as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_cellpose import SMALL, cellpose_file, small_network

from napari_aitrain.classification import embedding
from napari_aitrain.classification.examples import Marked
from napari_aitrain.classification.fitting import fit_classifier
from napari_aitrain.classification.measuring import labels_volume, measure_boxes, measure_objects
from napari_aitrain.errors import ConfigError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import make_network
from napari_aitrain.models import Model, ModelCard, load_model, save_model
from napari_aitrain.nets import InferenceNetwork, NetworkConfig, build_network
from napari_aitrain.volumes import Volume


def model(folder: Path, dims: int, channels: int = 1) -> Model:
    flat = dims == 2
    network = NetworkConfig(
        dims=dims, in_channels=channels, heads=5, stem=(1, 2, 2), widths=(8, 12),
        pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
    )  # fmt: skip
    torch.manual_seed(0)
    card = ModelCard(task="instances", dims=dims, name="tiny", network=network.model_dump(mode="json"))
    return save_model(folder / f"tiny{dims}", card, build_network(network).state_dict())


@pytest.mark.parametrize("dims", [2, 3])
def test_blocks_give_what_one_pass_gives(tmp_path, monkeypatch, dims):
    rng = np.random.default_rng(0)
    shape = (3, 70, 90) if dims == 2 else (20, 40, 50)
    labels = np.zeros(shape, np.int32)
    labels[1:, 5:20, 5:30], labels[:, 30:39, 10:40] = 4, 9
    volume, image = labels_volume(labels), Volume.from_array(rng.normal(size=shape).astype(np.float32), axes="zyx")
    table, made = measure_objects(volume, image), model(tmp_path, dims)
    network = make_network(made, "cpu", "float32")
    whole = embedding.embed_objects(table, volume, image, made, network)
    assert whole.embedding.shape == (2, 20) and np.isfinite(whole.embedding).all() and whole.embedding.std() > 0
    monkeypatch.setattr(embedding, "tile_voxels", lambda _network: 1)
    parts = embedding.embed_objects(table, volume, image, made, network)
    # Padding at the ends of tiles is only seen by what lies farther off than the network looks.
    assert np.allclose(whole.embedding, parts.embedding, atol=2e-3)


def test_boxes_see_the_same_as_objects_that_fill_them(tmp_path):
    image = Volume.from_array(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32))
    labels = np.zeros((64, 64), np.int32)
    labels[8:40, 16:48] = 1
    made = model(tmp_path, 2)
    network = make_network(made, "cpu", "float32")
    objects = embedding.embed_objects(
        measure_objects(labels_volume(labels), image), labels_volume(labels), image, made, network
    )
    where = [Region((0, 8, 16), (1, 40, 48))]
    boxes = embedding.embed_boxes(measure_boxes(image, where), where, image, made, network)
    assert np.allclose(objects.embedding, boxes.embedding, atol=1e-4)


def test_a_classifier_asks_for_the_model_that_it_was_trained_with(cells, sheet, tmp_path):
    made = model(tmp_path, 2)
    network = make_network(made, "cpu", "float32")
    volume, image = labels_volume(cells.labels), Volume.from_array(cells.image)
    table = embedding.embed_objects(cells.table, volume, image, made, network)
    answers = {one: (cells.classes[one],) for one in list(cells.classes)[:24]}
    classifier = fit_classifier([Marked(table, answers)], sheet, model_name="tiny")
    assert classifier.embedding is not None and len(classifier.embedding.axes) <= 16
    best, _ = classifier.classify(table).best()
    assert np.mean([number == cells.classes[one] for one, number in zip(table.ids.tolist(), best, strict=True)]) >= 0.85
    with pytest.raises(ConfigError, match="tiny"):
        classifier.classify(cells.table)
    with pytest.raises(ConfigError, match="tiny"):
        classifier.classify(replace(table, network="another"))


def test_another_number_of_channels_is_told(cells, tmp_path):
    made = model(tmp_path, 2, channels=2)
    with pytest.raises(ConfigError, match="channels"):
        embedding.embed_objects(
            cells.table, labels_volume(cells.labels), Volume.from_array(cells.image), made, make_network(made, "cpu")
        )


def test_the_network_of_cellpose(tmp_path):
    pytest.importorskip("cellpose")
    network = InferenceNetwork(small_network())
    tile = SMALL.tile
    batch = torch.rand(1, 3, 2 * tile, tile + 8)
    found = network.features(batch)
    assert found.shape[2:] == (2 * tile // SMALL.patch, (tile + 8) // SMALL.patch)
    assert torch.allclose(network.features(batch[:, :, :tile, :tile]), found[:, :, : tile // 8, : tile // 8], atol=1e-5)
    assert network.features(batch[:, :, None].expand(-1, -1, 2, -1, -1)).shape[2] == 2
    made = load_model(cellpose_file(tmp_path / "cells.pth"))
    labels = np.zeros((40, 40), np.int32)
    labels[4:20, 4:20] = 1
    image = Volume.from_array(np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32))
    table = measure_objects(labels_volume(labels), image)
    seen = embedding.embed_objects(table, labels_volume(labels), image, made, make_network(made, "cpu"))
    assert seen.embedding.shape[0] == 1 and np.isfinite(seen.embedding).all()
