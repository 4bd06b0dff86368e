"""Sums per box, intervals over boxes, what is wrong, and the file that keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated import MODEL, NO_FEATURES, box_of, scene, scored, write_example
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import OutputExistsError, VolumeError
from napari_aitrain.evaluation.bootstrap import intervals
from napari_aitrain.evaluation.box_judge import judge_box
from napari_aitrain.evaluation.box_results import (
    EVALUATION,
    ModelEvaluation,
    ObjectError,
    read_evaluation,
)
from napari_aitrain.evaluation.compare import Comparison
from napari_aitrain.evaluation.curve import ScoreCounts, curve_from_scores
from napari_aitrain.evaluation.errors_list import Outcomes, find_objects
from napari_aitrain.evaluation.figures import (
    agreement_curve,
    auroc,
    best_threshold,
    class_figures,
    common_boxes,
    figures,
    headline,
    threshold_curve,
    trust,
)
from napari_aitrain.evaluation.model_report import write_model_report
from napari_aitrain.evaluation.outcome import OUTCOMES, outcome_map
from napari_aitrain.tasks.matching import Overlap
from napari_aitrain.tasks.merge_tree import MergeTree
from napari_aitrain.tasks.protocol import Objects
from napari_aitrain.tasks.tally import InstanceTally


def test_each_way_to_be_wrong_is_told_with_place_and_score() -> None:
    found, truth = scene()
    judged = judge_box(scored(found), truth, 0.0)
    assert judged.sums["mistakes"] == {"missed": 1, "false": 1, "merged": 1, "split": 1}
    errors = {error.kind: error for error in judged.errors(3, (0, 10, 20), (1, 2, 2))}
    assert errors["merged"].objects == errors["split"].objects == 2
    assert errors["missed"].score is None
    assert errors["false"].score == pytest.approx(1.0)
    assert errors["missed"].size == errors["missed"].wrong == 16
    assert (errors["missed"].start, errors["missed"].stop) == ((0, 44, 44), (1, 52, 52))
    z, y, x = errors["missed"].centre
    assert z == 0
    assert 44 <= y < 52
    assert 44 <= x < 52
    assert [error.wrong for error in judged.errors(3, (0, 0, 0), (1, 1, 1))] == [30, 24, 18, 16]


def test_a_threshold_takes_objects_away_before_they_are_judged() -> None:
    found, truth = scene()
    objects = scored(found)
    judged = judge_box(objects, truth, 0.95)
    assert judged.sums["objects"].n_prediction == 1
    assert judged.sums["mistakes"] == {"missed": 5, "false": 1, "merged": 0, "split": 0}
    # The curve knows all of them.
    box = box_of(0, "test", judged.sums)
    counts = box.score_counts()
    assert counts is not None
    assert counts.curve().recall[0] == pytest.approx(3 / 5)
    assert set(np.unique(judged.shown)) == {0, 9}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_sums_of_an_overlap_are_those_of_thresholded_labels(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    truth, found = (rng.integers(0, 6, (1, 12, 12)).repeat(2, axis=2).astype(np.int32) for _ in range(2))
    scores = rng.random(6).astype(np.float32)
    kept = np.flatnonzero(scores >= threshold)
    overlap = Overlap.count(found, truth).keeping(kept)
    shown = np.where(np.isin(found, kept), found, 0)
    assert InstanceTally.of(overlap).metrics() == InstanceTally.count(shown, truth).metrics()
    outcomes = Outcomes(overlap)
    explained = outcomes.false | outcomes.merged | outcomes.part_of_split
    right = np.isin(overlap.prediction_ids, overlap.match()[1])
    # Every predicted object is something, and every object of the truth is found, missed, split or in a merged one.
    assert (explained | right | (overlap.prediction_ids == 0)).all()
    assert not (outcomes.missed & outcomes.split).any()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), max_size=40), st.integers(0, 5))
def test_counts_of_scores_add_up_to_the_curve_of_all(rows: list[tuple[float, bool]], more: int) -> None:
    scores = np.array([score for score, _ in rows], np.float32)
    correct = np.array([right for _, right in rows], bool)
    half = len(rows) // 2
    n_truth = int(correct.sum()) + more
    parts = ScoreCounts.of(scores[:half], correct[:half], n_truth) + ScoreCounts.of(scores[half:], correct[half:], 0)
    one, other = parts.curve(), curve_from_scores(scores, correct, n_truth)
    assert np.array_equal(one.f1, other.f1)
    assert one.best == other.best
    kept = scores >= np.float32(one.thresholds[30])
    right = np.count_nonzero(correct & kept)
    assert one.precision[30] == (right / np.count_nonzero(kept) if kept.any() else 1)


def test_intervals_hold_the_figure_and_are_those_of_the_boxes() -> None:
    found, truth = scene()
    good = Comparison(InstanceTally.count(truth, truth))
    bad = Comparison(InstanceTally.count(found, truth))
    assert intervals([good]) == {}
    ends = intervals([good] * 6 + [bad] * 4)
    whole = (good + good + good + good + good + good + bad + bad + bad + bad).metrics()
    for name, (low, high) in ends.items():
        assert low <= whole[name] <= high
    assert ends == intervals([good] * 6 + [bad] * 4)
    low, high = ends["f1_50"]
    narrow = intervals(([good] * 6 + [bad] * 4) * 10)["f1_50"]
    assert narrow[1] - narrow[0] < 0.5 * (high - low)
    same = intervals([bad] * 5)["f1_50"]
    assert same == pytest.approx((bad.metrics()["f1_50"],) * 2)


def test_classes_have_figures_of_their_own_and_strokes_no_objects() -> None:
    truth = np.zeros((1, 8, 8), np.int32)
    truth[0, :4], truth[0, 4:6] = 1, 2
    probability = np.zeros((3, 1, 8, 8), np.float32)
    for identity in range(3):
        probability[identity][truth == identity] = 0.9
    probability[:, 0, 4, :4] = np.array([[0.6], [0.0], [0.4]])
    labels = probability.argmax(axis=0).astype(np.int32)
    objects = Objects(labels, np.zeros(0, np.float32), NO_FEATURES, probability=probability, class_ids=(0, 1, 2))
    judged = judge_box(objects, truth, 0.0)
    boxes = [box_of(n, "test", judged.sums) for n in range(2)]
    by_class = class_figures(boxes)
    assert by_class[1]["iou"].value == 1
    assert by_class[2]["recall"].value == pytest.approx(12 / 16)
    assert by_class[2]["precision"].value == 1
    assert by_class[2]["iou"].interval == pytest.approx((0.75, 0.75))
    assert figures(boxes)["iou"].value == pytest.approx((1 + 0.75) / 2)
    assert judged.sums["mistakes"]["missed"] == 0
    codes = outcome_map(labels, truth, "classes")
    assert OUTCOMES[codes[0, 4, 0] - 1] == "missed"
    strokes = np.where(np.indices(truth.shape)[1] < 5, truth, -1).astype(np.int32)
    sparse = judge_box(objects, strokes, 0.0)
    assert "objects" not in sparse.sums
    assert sparse.wrong == []
    found = figures([box_of(0, "test", sparse.sums)])
    assert "f1_50" not in found
    assert found["iou_1"].value == 1


def test_neurons_are_judged_over_all_thresholds() -> None:
    labels = np.repeat(np.array([1, 2, 3, 4], np.int32), 4)[None, None].repeat(6, axis=1)
    truth = np.repeat(np.array([1, 1, 2, 2], np.int32), 4)[None, None].repeat(6, axis=1)
    pairs, sure = np.array([[1, 2], [3, 4], [2, 3]], np.int32), np.array([0.9, 0.8, 0.2], np.float32)
    merges = MergeTree(np.bincount(labels.ravel()), pairs, sure)
    objects = Objects(labels, np.array([0, 1, 1, 1, 1], np.float32), NO_FEATURES, merges=merges)
    model = MODEL.model_copy(update={"agglomerates": True, "threshold": 0.5})
    judged = judge_box(objects, truth, 0.5)
    evaluation = ModelEvaluation(model=model, boxes=(box_of(0, "validation", judged.sums),))
    assert headline(model) == "voi"
    assert figures(evaluation.boxes)["voi"].value == pytest.approx(0)
    curve = agreement_curve(evaluation, "validation")
    assert curve is not None
    assert curve.rows[-1]["voi_split"] == pytest.approx(1)
    assert 0.2 < best_threshold(evaluation) < 0.8
    assert trust(evaluation, "validation") is None
    wrong = judge_box(objects, truth, 1.0)
    assert {error.kind for error in wrong.wrong} == {"split"}


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    scores, right = rng.integers(0, 8, 60).astype(np.float32), rng.random(60) < 0.6
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[right] for b in scores[~right]]
    assert auroc(scores, right) == pytest.approx(np.mean(pairs))
    assert auroc(scores, np.ones(60, bool)) is None


@pytest.fixture
def evaluation(tmp_path: Path) -> ModelEvaluation:
    """An evaluation with boxes of each role, in its folder."""
    return write_example(tmp_path)


def test_an_evaluation_is_read_as_it_was_written(evaluation: ModelEvaluation, tmp_path: Path) -> None:
    assert evaluation.folder == tmp_path
    assert evaluation.roles == ("train", "validation", "test")
    assert figures(evaluation.of_role("train"))["f1_50"].value == 1
    two = figures(evaluation.of_role("test"))
    assert two["f1_50"].value == figures(evaluation.of_role("validation"))["f1_50"].value
    assert two["n_truth"].value == 10
    curve = threshold_curve(evaluation, "test")
    assert curve is not None
    assert curve.recall[0] == pytest.approx(3 / 5)
    assert [len(part) for part in common_boxes([evaluation, evaluation], "test")] == [2, 2]
    moved = evaluation.model_copy(
        update={"boxes": tuple(box.model_copy(update={"source": "other.tif"}) for box in evaluation.boxes)}
    )
    assert common_boxes([evaluation, moved]) == [[], []]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: {**data, "format_version": 2}, "newer"),
        (lambda data: {**data, "boxes": [{"number": 0}]}, "damaged"),
        (lambda data: [1], "damaged"),
        (lambda data: None, "no evaluation"),
    ],
)
def test_what_is_no_evaluation_is_told(evaluation: ModelEvaluation, tmp_path: Path, change: Any, said: str) -> None:
    file = tmp_path / EVALUATION
    data = change(json.loads(file.read_text()))
    if data is None:
        file.unlink()
    else:
        file.write_text(json.dumps(data))
    with pytest.raises(VolumeError, match=said) as caught:
        read_evaluation(tmp_path)
    assert caught.value.remedy
    file.write_text("half of a fi")
    with pytest.raises(VolumeError, match="cannot be read"):
        read_evaluation(tmp_path)


def test_the_report_holds_pictures_and_tables_and_writes_over_nothing(
    evaluation: ModelEvaluation, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "report.html"
    out.parent.mkdir()
    files = write_model_report(evaluation, out)
    page = out.read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4 + 8
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert {file.name for file in files[1:]} == {
        f"report.{name}.csv" for name in ("figures", "boxes", "objects", "thresholds", "calibration")
    }
    rows = (out.parent / "report.objects.csv").read_text().splitlines()
    assert len(rows) == 1 + 12
    with pytest.raises(OutputExistsError):
        write_model_report(evaluation, out)
    alone = evaluation.model_copy()
    alone._folder = None
    write_model_report(alone, out.with_name("alone.html"))


def test_outcomes_are_colours_of_voxels() -> None:
    found, truth = scene()
    codes = outcome_map(found, truth, "objects")
    names = {OUTCOMES[code - 1] for code in np.unique(codes) if code}
    assert names == set(OUTCOMES)
    assert OUTCOMES[codes[0, 13, 3] - 1] == "missed"
    assert OUTCOMES[codes[0, 13, 21] - 1] == "false"
    unknown = truth.copy()
    unknown[0, 10:] = -1
    assert not outcome_map(found, unknown, "objects")[0, 13, 21]


def test_a_place_in_an_object_lies_in_it_even_if_it_is_bent() -> None:
    labels = np.zeros((1, 30, 30), np.int32)
    labels[0, 2:28, 2:5] = labels[0, 2:5, 2:28] = labels[0, 25:28, 2:28] = 1_000_000
    found = find_objects(labels, [1_000_000, 5])
    assert list(found) == [1_000_000]
    assert labels[found[1_000_000].voxel] == 1_000_000
    assert found[1_000_000].region.shape == (1, 26, 26)


def test_an_error_is_read_back() -> None:
    error = ObjectError(kind="false", box=1, centre=(0, 1.5, 2), start=(0, 0, 0), stop=(1, 3, 4), size=5, wrong=5)
    assert ObjectError.model_validate_json(error.model_dump_json()) == error
    assert Comparison(InstanceTally.nothing()).metrics()["n_truth"] == 0
