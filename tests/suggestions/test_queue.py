"""The queue on disk, the errors of the earlier model, the verdict and the policy to train again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError
from napari_aitrain.suggestions.judged import error_at
from napari_aitrain.suggestions.queue import FILE, Suggestion, SuggestionQueue
from napari_aitrain.suggestions.retraining import RetrainPolicy, count_annotations, hint
from napari_aitrain.suggestions.verdict import ENOUGH, judge


def suggestion(number: int, kind: str = "uncertain", **fields: object) -> Suggestion:
    start = (0, 40 * number, 0)
    about = {"image": "cells", "start": start, "stop": (1, start[1] + 32, 32), "kind": kind, "score": 0.5} | fields
    return Suggestion.model_validate(about)


def labels(value: int = 0) -> np.ndarray:
    return np.full((1, 32, 32), value, np.int32)


def test_a_queue_survives_a_restart_and_keeps_what_was_begun(tmp_path):
    queue = SuggestionQueue(tmp_path / "queue")
    assert queue.all == () and not queue.folder.exists()
    new = [suggestion(n) for n in range(4)]
    queue.replace_open(new, [labels(n) for n in range(4)])
    queue.update(new[0].id, box="abc")
    queue.update(new[1].id, state="skipped")
    done = queue.finish(new[2].id, labels(0), np.ones((1, 32, 32), bool))
    assert done.error == 1.0
    queue.set(policy=RetrainPolicy(mode="ask", after=50), trained_with=7)

    again = SuggestionQueue(tmp_path / "queue")
    assert again.state == queue.state
    assert [one.id for one in again.open()] == [new[0].id, new[3].id]
    assert again.skipped("cells") == [new[1].region] and again.skipped("other") == []
    assert again.labelled("cells") == [new[0].region, new[2].region]
    assert (again.shown(new[3].id) == 3).all()
    later = suggestion(5)
    again.replace_open([later], [labels()])
    assert [one.id for one in again.all] == [new[0].id, new[1].id, new[2].id, later.id]
    assert again.shown(new[3].id) is None and again.shown(new[0].id) is not None


def test_a_damaged_or_newer_queue_is_named_and_left_alone(tmp_path):
    SuggestionQueue(tmp_path).replace_open([suggestion(0)], [labels()])
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    for spoilt in (text[:40], "[1]", text.replace('"uncertain"', '"guessed"')):
        (tmp_path / FILE).write_text(spoilt, encoding="utf-8")
        with pytest.raises(ConfigError, match="damaged"):
            SuggestionQueue(tmp_path)
        assert (tmp_path / FILE).read_text(encoding="utf-8") == spoilt
    (tmp_path / FILE).write_text(json.dumps(json.loads(text) | {"version": 99}), encoding="utf-8")
    with pytest.raises(ConfigError, match="newer"):
        SuggestionQueue(tmp_path)


def test_what_the_model_showed_may_be_gone_or_of_another_shape(tmp_path):
    queue = SuggestionQueue(tmp_path)
    one, other = suggestion(0), suggestion(1)
    queue.replace_open([one, other], [labels(), labels()])
    (tmp_path / "places" / f"{one.id}.npz").write_bytes(b"no archive")
    assert queue.finish(one.id, labels(), np.ones((1, 32, 32), bool)).error is None
    small = np.zeros((1, 8, 8), np.int32)
    assert queue.finish(other.id, small, np.ones(small.shape, bool)).error is None
    assert queue.verdict().difference is None


def test_errors_of_classes_and_of_objects():
    truth = np.zeros((1, 20, 20), np.int32)
    truth[0, 2:8, 2:8], truth[0, 12:18, 2:8] = 1, 2
    known = np.ones(truth.shape, bool)
    assert error_at(truth, truth, known, instances=True) == error_at(truth, truth, known, instances=False) == 0
    renamed = np.where(truth == 1, 9, truth)
    assert error_at(renamed, truth, known, instances=True) == 0
    assert error_at(renamed, truth, known, instances=False) == 36 / 400
    missed = np.where(truth == 1, 0, truth)
    assert error_at(missed, truth, known, instances=True) == 36 / 400
    merged = (truth > 0).astype(np.int32)
    # Of two merged objects one finds a partner at best.
    assert error_at(merged, truth, known, instances=True) >= 36 / 400
    assert error_at(merged, truth, truth == 1, instances=True) == 0
    assert error_at(merged, truth, np.zeros(truth.shape, bool), instances=True) == 0


def test_the_verdict_needs_both_kinds_and_says_how_sure_it_is():
    assert judge([0.5] * 9, [0.1] * (ENOUGH - 1)).pays is None
    assert f"{ENOUGH - 1} of {ENOUGH} random" in judge([0.5] * 9, [0.1] * (ENOUGH - 1)).sentence
    chance = np.random.default_rng(0)
    worse, better = chance.normal(0.3, 0.05, 12), chance.normal(0.1, 0.05, 12)
    yes, no = judge(worse, better), judge(better, worse)
    assert yes.pays is True and "more errors here" in yes.sentence and yes.sure == pytest.approx(1, abs=1e-3)
    assert no.pays is False and "do not pay" in no.sentence
    same = judge(worse, chance.permutation(worse) + 1e-4)
    assert same.pays is None and "No clear difference" in same.sentence and "probability" in same.sentence
    assert judge(worse, better) == yes


@given(st.lists(st.floats(0, 1), max_size=12), st.lists(st.floats(0, 1), max_size=12))
def test_a_verdict_can_always_be_said(suggested, random):
    found = judge(suggested, random)
    assert found.sentence.endswith(".")
    assert (found.difference is None) == (min(len(suggested), len(random)) < ENOUGH)
    if found.difference is not None:
        assert found.difference[0] <= found.difference[1] and 0 <= found.sure <= 1


def test_training_again_after_so_many_new_annotations():
    policy = RetrainPolicy()
    assert not policy.is_due(10_000, 0)
    for mode in ("ask", "automatic"):
        policy = RetrainPolicy(mode=mode, after=50)
        assert not policy.is_due(149, 100) and policy.is_due(150, 100)
        assert policy.left(149, 100) == 1 and policy.left(170, 100) == 0


def test_annotations_are_objects_or_connected_pieces():
    objects = np.zeros((1, 10, 10), np.int32)
    objects[0, :2, :2], objects[0, 4:6, :2], objects[0, 4:6, 8:] = 5, 7, 7
    assert count_annotations([objects, objects], instances=True, background=[5]) == {1: 2}
    assert count_annotations([objects], instances=False) == {5: 1, 7: 2}
    assert "mitochondria has 2" in hint({7: 2}, {7: "mitochondria"}, instances=False)
    assert hint({1: 39}, {}, instances=True) and not hint({1: 40}, {}, instances=True)
