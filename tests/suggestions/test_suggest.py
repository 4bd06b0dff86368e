"""From a model and images to suggestions, and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box, read_boxes, write_boxes
from napari_aitrain.cli.main import run
from napari_aitrain.errors import ConfigError, ModelError, VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import predict_volume
from napari_aitrain.models import ModelCard, save_model
from napari_aitrain.suggestions.maps import StoredMap, StoredMargin
from napari_aitrain.suggestions.onto import Onto, labels_at
from napari_aitrain.suggestions.passes import mirrored, other_models, write_disagreement
from napari_aitrain.suggestions.queue import SuggestionQueue
from napari_aitrain.suggestions.run import Asked, suggest
from napari_aitrain.suggestions.settings import SuggestSettings
from napari_aitrain.suggestions.size import useful_size
from napari_aitrain.suggestions.versions import earlier_versions
from napari_aitrain.volumes import Volume


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, (160, 192), np.uint8))
    return path


def card_of(make_model: Callable[..., Any], dims: int, **card: Any) -> ModelCard:
    return make_model(dims, **card).card


def test_boxes_have_the_size_of_a_patch_on_the_grid_and_are_multiples(make_model):
    flat, deep = card_of(make_model, 2), card_of(make_model, 3)
    assert useful_size(flat, (1, 1000, 1000)) == (1, 192, 192)
    assert useful_size(flat, (50, 100, 1000)) == (1, 100, 192)
    assert useful_size(flat, (1, 20, 1000)) == (1, 20, 192)
    z, y, x = useful_size(deep, (200, 500, 500))
    assert min(z, y, x) >= 32 and 100_000 < z * y * x < 220_000
    assert useful_size(deep, (200, 500, 500), (1, 2, 2))[1] % 2 == 0
    drawn = [Region((0, 0, 0), (1, 80, 80)), Region((0, 0, 0), (1, 160, 80)), Region((0, 0, 0), (1, 9, 9))]
    assert useful_size(flat, (1, 1000, 1000), boxes=drawn) == (1, 160, 160)
    assert useful_size(flat, (1, 100, 1000), boxes=drawn) == (1, 80, 160)
    assert useful_size(flat, (1, 1000, 1000), (1, 4, 4), wanted=(1, 50, 300)) == (1, 128, 300)


def test_a_region_of_the_image_finds_its_voxels_of_the_prediction(make_model, tmp_path):
    model = make_model(2, voxel_size=(100.0, 100.0, 100.0))
    pixels = np.random.default_rng(0).integers(0, 255, (1, 90, 110), np.uint8)
    volume = Volume.from_array(pixels, voxel_size=(50.0, 50.0, 50.0), axes="zyx")
    stored = predict_volume(model, volume, tmp_path / "p", region=Region((0, 10, 20), (1, 90, 110)))
    onto = Onto.of(stored.info)
    assert onto.factors == (1, 2, 2) and onto.region == Region((0, 10, 20), (1, 90, 110))
    assert onto.seen(Region((0, 12, 21), (1, 15, 24))) == Region((0, 1, 0), (1, 3, 2))
    seen = labels_at(stored, Region((0, 10, 20), (1, 90, 110)))
    assert seen.shape == (1, 80, 90)
    assert (seen == np.kron(stored.labels()[0], np.ones((2, 2), int))[None]).all()


def test_disagreement_is_written_block_by_block(make_model, tmp_path):
    model, other = make_model(2, 0), make_model(2, 1)
    pixels = np.random.default_rng(0).integers(0, 20, (2, 80, 96))
    pixels[:, 4:12, 6:24] += 200
    volume = Volume.from_array(pixels.astype(np.uint8), axes="zyx")
    stored = predict_volume(model, volume, tmp_path / "p", block_shape=(1, 32, 32))
    told: list[tuple[int, int]] = []
    passes = mirrored(stored, model, volume)
    write_disagreement(stored, passes, tmp_path / "u", progress=lambda done, of, _: told.append((done, of)))
    values = StoredMap(tmp_path / "u").read(stored.region)
    assert values.shape == StoredMap(tmp_path / "u").shape == (2, 80, 96)
    assert 0 < values.mean() < 1 and told[-1] == (18, 18)
    write_disagreement(stored, other_models(stored, [other], volume), tmp_path / "v")
    assert StoredMap(tmp_path / "v").read(stored.region).mean() > 0
    with pytest.raises(ModelError, match="cannot be compared"):
        other_models(stored, [make_model(2, 2, classes=(0, 7))], volume)
    assert StoredMargin(stored).read(Region((0, 0, 0), (1, 8, 8))).shape == (1, 8, 8)


def test_what_is_mirrored_is_mirrored_back(make_model, tmp_path):
    model = make_model(2)
    weights = model.state_dict()
    for name, values in weights.items():
        if name.endswith("weight") and values.ndim == 4:
            weights[name] = sum(values.flip(axes) for axes in ([], [2], [3], [2, 3]))
    first, head = "down.0.conv1.weight", "head.weight"
    weights[first] = weights[first].mean(1, keepdim=True).expand_as(weights[first]).contiguous()
    weights[head] = weights[head].unflatten(0, (-1, 4)).mean(1, keepdim=True).expand(-1, 4, -1, -1, -1).flatten(0, 1)
    weights["head.bias"] = weights["head.bias"].unflatten(0, (-1, 4)).mean(1).repeat_interleave(4)
    same = save_model(tmp_path / "symmetric", model.card, {k: v.contiguous() for k, v in weights.items()})
    pixels = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    volume = Volume.from_array(pixels, axes="zyx")
    for number, (one, most) in enumerate(((same, 0.02), (model, 1.0))):
        stored = predict_volume(one, volume, tmp_path / f"p{number}", precision="float32")
        write_disagreement(stored, mirrored(stored, one, volume, precision="float32"), tmp_path / f"u{number}")
        found = StoredMap(tmp_path / f"u{number}").read(stored.region)
        assert found.max() <= most
        assert stored.maps()[0].std() > 0.02
    assert found.mean() > 0.02


def test_earlier_versions_are_those_that_a_model_was_trained_on_from(make_model):
    first = make_model(2, 0)
    second = make_model(2, 1, parent=str(first.folder))
    third = make_model(2, 2, parent=str(second.folder))
    from napari_aitrain.models import find_model

    assert [one.card.name for one in earlier_versions(third, find_model)] == ["tiny1", "tiny0"]
    assert earlier_versions(first, find_model) == []
    assert earlier_versions(make_model(2, 3, parent="gone"), find_model) == []


def test_a_round_of_suggesting_labelling_and_suggesting_again(make_model, image, tmp_path):
    model, folder = make_model(2), tmp_path / "queue"
    truth = np.zeros((160, 192), np.uint8)
    labels = tmp_path / "labels.tif"
    tifffile.imwrite(labels, truth)
    box = Box(start=(0, 0, 0), stop=(1, 64, 64), role="validation")
    wanted = SuggestSettings(count=8, random_share=0.5)
    asked = [Asked(image, labels, [box])]
    first = suggest(model.folder, asked, folder, wanted, size=(1, 32, 32))
    assert len(first.suggestions) == 8 and first.finished == 0 and first.verdict.pays is None
    assert not any(one.region.overlaps(box.region) for one in first.suggestions)
    assert all(0 <= one.rank <= 1 for one in first.suggestions) and first.suggestions[0].rank > 0.9
    told = read_boxes(first.boxes[str(image)])
    assert [one.region for one in told] == [one.region for one in first.suggestions]
    assert {one.tags[0] for one in told} == {"suggested", "random"} and all(one.sparse for one in told)
    for one in first.suggestions[:3]:
        truth[one.region.slices[1:]] = 1
    tifffile.imwrite(labels, truth)
    completed = Box(start=first.suggestions[3].start, stop=first.suggestions[3].stop, status="done")
    again = suggest(model.folder, [Asked(image, labels, [box, completed])], folder, wanted, size=(1, 32, 32))
    assert again.finished == 4
    queue = SuggestionQueue(folder)
    done = [one for one in queue.all if one.state == "done"]
    assert [one.id for one in done] == [one.id for one in first.suggestions[:4]]
    assert all(one.error is not None for one in done)
    labelled = [one.region for one in done]
    assert not any(one.region.overlaps(other) for one in again.suggestions for other in labelled)
    kinds = [one.kind for one in queue.all]
    assert kinds[:12].count("random") == 6


def test_three_dimensions_and_each_measure(make_model, tmp_path):
    volume = tmp_path / "em.tif"
    tifffile.imwrite(volume, np.random.default_rng(0).integers(0, 255, (40, 72, 72), np.uint8))
    parent = make_model(3, 1)
    model = make_model(3, 0, parent=str(parent.folder))
    for measure in ("augmentation", "ensemble"):
        settings = SuggestSettings(measure=measure, count=2, spread="features")
        found = suggest(model.folder, [Asked(volume)], tmp_path / measure, settings, size=(32, 32, 32))
        assert len(found.suggestions) == 2
        assert all(one.region.shape == (32, 32, 32) for one in found.suggestions)
    with pytest.raises(ConfigError, match="no earlier versions"):
        suggest(parent.folder, [Asked(volume)], tmp_path / "q", SuggestSettings(measure="ensemble"))


def test_labels_of_another_shape_are_refused(make_model, image, tmp_path):
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((20, 20), np.uint8))
    with pytest.raises(VolumeError, match="shape"):
        suggest(make_model(2).folder, [Asked(image, tmp_path / "small.tif")], tmp_path / "q", SuggestSettings())


def test_an_image_without_a_free_place_gets_none(make_model, image, tmp_path):
    whole = Box(start=(0, 0, 0), stop=(1, 160, 192))
    found = suggest(make_model(2).folder, [Asked(image, None, [whole])], tmp_path / "q", SuggestSettings())
    assert found.suggestions == [] and "no place left" in found.notes[0]


def test_an_image_that_is_labelled_everywhere_gets_none(make_model, image, tmp_path):
    tifffile.imwrite(tmp_path / "full.tif", np.ones((160, 192), np.uint8))
    found = suggest(make_model(2).folder, [Asked(image, tmp_path / "full.tif")], tmp_path / "q", SuggestSettings())
    assert found.suggestions == [] and "no place left" in found.notes[0]


def test_on_the_command_line(make_model, image, tmp_path, capfd):
    model = make_model(2)
    command = ["suggest", str(model.folder), str(image), "--queue", str(tmp_path / "q"), "--size", "1,32,32", "-n", "6"]
    assert run(command) == 0
    told = capfd.readouterr()
    assert "chance, to compare" in told.out and "Not known yet" in told.out
    assert run([*command, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert len(found["suggestions"]) == 6 and found["verdict"]["pays"] is None
    write_boxes(tmp_path / "b.json", [])
    assert run([*command, "--boxes", str(tmp_path / "b.json"), "--boxes", str(tmp_path / "b.json")]) == 2
    assert "1 images and 2 of --boxes" in capfd.readouterr().err
