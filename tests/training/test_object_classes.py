"""A training whose ground truth objects have classes learns both, and its model predicts both."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_aitrain.classification.beside import classes_path, classify_outputs, has_classes
from napari_aitrain.classification.classifier import CLASSIFIER, read_classifier
from napari_aitrain.classification.files import How
from napari_aitrain.classification.marks import Mark, MarkSheet, ObjectClass
from napari_aitrain.errors import AitrainError
from napari_aitrain.inference.run import predict
from napari_aitrain.models import load_model


def with_classes(config, tmp_path, kind="csv"):
    """Give the objects of both images classes by their size."""
    sources = []
    for number, source in enumerate(config.sources):
        labels = tifffile.imread(source.labels)
        size = np.bincount(labels.ravel())
        ids = [int(one) for one in np.unique(labels) if one]
        words = {one: "large" if size[one] > np.median(size[ids]) else "small" for one in ids}
        if kind == "csv":
            path = tmp_path / f"classes {number}.csv"
            path.write_text("id,class\n" + "".join(f"{one},{word}\n" for one, word in words.items()), encoding="utf-8")
        else:
            path = tmp_path / f"classes {number}.json"
            classes = (ObjectClass(id=1, name="small"), ObjectClass(id=2, name="large"))
            places = {one: (0, *np.argwhere(labels == one)[0].tolist()) for one in ids}
            marks = tuple(Mark(id=99, at=places[one], classes=(1 if words[one] == "small" else 2,)) for one in ids)
            MarkSheet(classes=classes, marks=marks).save(path)
        sources.append(source.model_copy(update={"object_classes": path}))
    return config.model_copy(update={"sources": tuple(sources)})


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_both_are_learned_and_predicted(make_config, run, tmp_path, kind):
    config = with_classes(make_config(), tmp_path, kind)
    done = run("job")(config)
    told = [event["message"] for event in done.of("log") if "Classes of objects" in event["message"]]
    assert len(told) == 1 and "validation" in told[0]
    model = load_model(done.folder / "model")
    assert has_classes(model)
    classifier = read_classifier(model.folder)
    assert {one.name for one in classifier.classes} == {"small", "large"} and classifier.dims == 2
    if kind == "csv":
        images = predict(model.folder, config.sources[0].image, tmp_path / "out.tif", device="cpu", threshold=0.0)
        counts = classify_outputs(model, images, How(device="cpu"))
        assert set(counts[classes_path(tmp_path / "out.tif")]) == {"small", "large", "unsure"}


def test_too_few_classes_are_told_and_the_segmentation_is_there(make_config, run, tmp_path):
    config = with_classes(make_config(), tmp_path)
    for source in config.sources:
        source.object_classes.write_text("id,class\n1,small\n", encoding="utf-8")
    done = run("job")(config)
    assert any("could not be learned" in event["message"] for event in done.of("log"))
    assert (done.folder / "model" / "model.json").is_file() and not (done.folder / "model" / CLASSIFIER).exists()


def test_a_file_that_cannot_be_read_stands_against_the_start(make_config, tmp_path):
    from napari_aitrain.training.crops import freeze_crops

    config = with_classes(make_config(), tmp_path)
    (tmp_path / "classes 0.csv").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(AitrainError, match="id and class"):
        freeze_crops(config, tmp_path)
