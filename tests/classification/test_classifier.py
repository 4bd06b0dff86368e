"""Classifiers: good from 20 clicks, calibrated, kept as plain numbers, and told what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_aitrain.classification.classifier import read_classifier
from napari_aitrain.classification.examples import Marked
from napari_aitrain.classification.fitting import calibration_error, fit_classifier
from napari_aitrain.classification.marks import Mark, MarkSheet, ObjectClass, ids_at, read_marks, read_sheet
from napari_aitrain.classification.sheets import merged
from napari_aitrain.errors import ConfigError, GroundTruthError, ModelError, NotReadyError

ROUND, LONG, DIM = 1, 2, 3


def some(cells, count=20, seed=0):
    """Return the classes of so many objects, chosen by chance."""
    ids = np.random.default_rng(seed).permutation(list(cells.classes))[:count]
    return {int(one): (cells.classes[int(one)],) for one in ids}


@pytest.fixture(scope="module")
def trained(cells):
    sheet = MarkSheet(classes=(ObjectClass(id=ROUND, name="round"), ObjectClass(id=LONG, name="long")))
    return fit_classifier([Marked(cells.table, some(cells))], sheet)


def test_twenty_clicks_are_enough(cells, trained):
    clicked = set(some(cells))
    found = trained.classify(cells.table)
    best, sure = found.best()
    rest = [row for row, one in enumerate(found.ids.tolist()) if one not in clicked]
    right = np.array([best[row] == cells.classes[int(found.ids[row])] for row in rest])
    assert right.mean() >= 0.95
    assert np.allclose(found.probability.sum(axis=1), 1, atol=1e-5)
    assert calibration_error(sure[rest], right) < 0.1
    assert trained.measured.accuracy >= 0.85 and trained.measured.marked.keys() == {"round", "long"}


def test_it_is_plain_numbers_that_give_the_same_again(cells, trained, tmp_path):
    path = tmp_path / "shape.classifier.json"
    trained.save(path)
    again = read_classifier(path)
    assert again == trained
    assert np.array_equal(again.classify(cells.table).probability, trained.classify(cells.table).probability)
    assert path.stat().st_size < 300_000
    json.loads(path.read_text(encoding="utf-8"))


def test_trees_give_what_scikit_learn_gives():
    from sklearn.ensemble import RandomForestClassifier

    from napari_aitrain.classification.forest import Trees

    rng = np.random.default_rng(0)
    inputs, truth = rng.normal(size=(60, 5)), rng.random(60) < 0.5
    forest = RandomForestClassifier(20, random_state=0).fit(inputs, truth)
    other = rng.normal(size=(300, 5))
    assert np.allclose(Trees.of(forest).probability(other), forest.predict_proba(other)[:, 1])
    assert np.allclose(Trees.of(forest).turned().probability(other), forest.predict_proba(other)[:, 0])


def dimmed(cells):
    """Return cells of which every third is dim, a class of its own."""
    image, classes = cells.image.copy(), dict(cells.classes)
    for number, one in enumerate(sorted(classes)):
        if number % 3 == 0:
            image[cells.labels == one] -= 40
            classes[one] = DIM
    return type(cells)(image, cells.labels, classes)


def test_three_classes(cells, sheet):
    three = dimmed(cells)
    sheet = sheet.model_copy(update={"classes": (*sheet.classes, ObjectClass(id=DIM, name="dim"))})
    classifier = fit_classifier([Marked(three.table, some(three, 40))], sheet)
    best, _ = classifier.classify(three.table).best()
    assert np.mean([number == three.classes[one] for one, number in zip(three.classes, best, strict=True)]) >= 0.9


def test_attributes_are_learned_one_by_one(cells):
    three = dimmed(cells)
    sheet = MarkSheet(choice="multi", classes=(ObjectClass(id=LONG, name="long"), ObjectClass(id=DIM, name="dim")))
    truth = {
        one: tuple(n for n, has in ((LONG, cells.classes[one] == LONG), (DIM, three.classes[one] == DIM)) if has)
        for one in cells.classes
    }
    answers = {one: truth[one] for one in some(cells, 30)}
    assert () in answers.values() and (LONG, DIM) in answers.values()
    classifier = fit_classifier([Marked(three.table, answers)], sheet)
    found = classifier.classify(three.table)
    for attribute in (LONG, DIM):
        has, sure = found.best(attribute)
        right = [(number == attribute) == (attribute in truth[one]) for one, number in zip(truth, has, strict=True)]
        assert np.mean(right) >= 0.9 and (sure >= 0.5).all()
    columns = found.columns(0.6)
    assert set(columns) == {"id", "long", "p_long", "dim", "p_dim"}
    assert set(columns["dim"].tolist()) <= {"yes", "no", "unsure"}


def test_what_is_less_sure_than_the_threshold_is_unsure(cells, trained):
    found = trained.classify(cells.table)
    _, sure = found.best()
    words = found.columns(0.9)["class"]
    assert ((words == "unsure") == (sure < 0.9)).all()
    assert found.counts(0.9)["unsure"] == np.count_nonzero(sure < 0.9)
    assert sum(found.counts(0.9).values()) == len(found.ids)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({}, "no object has a class"),
        ({5: (ROUND,), 8: (ROUND,), 11: (ROUND,)}, "nothing to tell apart"),
        ({5: (ROUND,), 8: (LONG,)}, "nothing to tell apart"),
        ({99999: (ROUND,)}, "no object has a class"),
    ],
)
def test_too_little_is_told(cells, sheet, answers, told):
    with pytest.raises(NotReadyError, match=told) as error:
        fit_classifier([Marked(cells.table, answers)], sheet)
    assert error.value.remedy


def test_a_class_of_one_object_is_left_out_and_told(cells, sheet):
    sheet = sheet.model_copy(update={"classes": (*sheet.classes, ObjectClass(id=DIM, name="dim"))})
    answers = some(cells) | {5: (DIM,)}
    classifier = fit_classifier([Marked(cells.table, answers)], sheet)
    assert [one.name for one in classifier.classes] == ["round", "long"]
    assert "dim" in classifier.warnings[0]


def test_two_objects_can_be_classified(cells, trained):
    from napari_aitrain.classification.measuring import labels_volume, measure_objects
    from napari_aitrain.volumes import Volume

    two = np.where(np.isin(cells.labels, (5, 8)), cells.labels, 0)
    table = measure_objects(labels_volume(two), Volume.from_array(cells.image))
    assert trained.classify(table).ids.tolist() == [5, 8]


def test_other_images_are_refused_with_a_remedy(cells, trained):
    from dataclasses import replace

    table = cells.table
    for changed, told in (
        (replace(table, channels=("a", "b")), "2 channels"),
        (replace(table, unit="µm"), "voxel size"),
        (replace(table, dims=3), "3-D"),
        (replace(table, kind="boxes"), "boxes"),
        (replace(table, names=tuple(name + "x" for name in table.names)), "features"),
    ):
        with pytest.raises(ConfigError) as error:
            trained.classify(changed)
        assert told in f"{error.value}" and error.value.remedy


def test_classes_that_were_renamed_keep_their_numbers(trained):
    assert [one.name for one in trained.renamed({LONG: "spindle"}).classes] == ["round", "spindle"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.update(format_version=99), "newer version"),
        (lambda data: data["outputs"][0].update(weights=[1.0]), "damaged"),
        (lambda data: data["outputs"][0]["trees"].update(left=data["outputs"][0]["trees"]["left"][::-1]), "damaged"),
        (lambda data: data["mean"].__setitem__(0, float("nan")), "damaged"),
        (lambda data: data.pop("classes"), "damaged"),
    ],
)
def test_a_damaged_file_is_told(trained, tmp_path, change, told):
    data = json.loads(trained.model_dump_json())
    change(data)
    path = tmp_path / "bad.classifier.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ModelError, match=told):
        read_classifier(path)
    with pytest.raises(ModelError, match="no classifier"):
        read_classifier(tmp_path / "none.json")


def test_marks_are_kept_and_follow_places_rather_than_ids(cells, sheet, tmp_path):
    y, x = np.argwhere(cells.labels == 5)[0].tolist()
    marks = (Mark(id=5, at=(0, y, x), classes=(ROUND,)), Mark(id=8, classes=(LONG,)), Mark(id=7, classes=(LONG,)))
    sheet = sheet.model_copy(update={"marks": marks})
    sheet.save(tmp_path / "marks.json")
    assert read_sheet(tmp_path / "marks.json") == sheet and sheet.counts() == {ROUND: 1, LONG: 2}
    renumbered = np.where(cells.labels == 5, 1000, cells.labels)[None]
    answers, gone = sheet.resolved(ids_at(renumbered))
    assert answers == {1000: (ROUND,), 8: (LONG,)} and [mark.id for mark in gone] == [7]
    erased = np.where(cells.labels == 5, 0, cells.labels)[None]
    assert len(sheet.resolved(ids_at(erased))[1]) == 2


def test_a_csv_of_ids_and_classes(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("\ufeffID, Class\n5,round\n8,long\n", encoding="utf-8")
    sheet = read_marks(path)
    assert [one.name for one in sheet.classes] == ["long", "round"]
    assert {mark.id: sheet.name_of(mark.classes[0]) for mark in sheet.marks} == {5: "round", 8: "long"}
    path.write_text("id,class\n5,a;b\n8,\n5,c\n", encoding="utf-8")
    with pytest.raises(GroundTruthError, match="classes"):
        read_marks(path)
    several = read_marks(path, "multi")
    assert [len(mark.classes) for mark in several.marks] == [3, 0]
    for text, told in (("nr,class\n5,a\n", "columns"), ("id,class\nx,a\n", "line 2"), ("id,class\n0,a\n", "line 2")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=told):
            read_marks(path)


def test_classes_of_several_images_are_one_by_their_names():
    one = MarkSheet(
        classes=(ObjectClass(id=1, name="a"), ObjectClass(id=2, name="b")), marks=(Mark(id=3, classes=(2,)),)
    )
    two = MarkSheet(classes=(ObjectClass(id=1, name="b"),), marks=(Mark(id=4, classes=(1,)),))
    whole, parts = merged([one, two])
    assert [c.name for c in whole.classes] == ["a", "b"]
    assert parts[0].marks[0].classes == parts[1].marks[0].classes == (2,)
    with pytest.raises(ConfigError):
        merged([one, two.model_copy(update={"choice": "multi"})])
