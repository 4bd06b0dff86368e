"""Comparing neurons in files, edges of affinities, and the curve in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_aitrain.evaluation import evaluate_files
from napari_aitrain.evaluation.neurons import AgreementCurve, NeuronTables, agreement_over_thresholds, edge_accuracy
from napari_aitrain.evaluation.report import write_report
from napari_aitrain.tasks.merge_tree import MergeTree

OFFSETS = ((1, 0, 0), (0, 0, 2))


def test_edges_by_hand() -> None:
    truth = np.array([[[1, 1, 2, 0]], [[1, 1, 1, 0]]], np.int32)
    known = np.ones(truth.shape, bool)
    perfect = np.zeros((2, *truth.shape), np.uint8)
    # Along z: same, same, different, background. Two along x: different, different; same, different.
    perfect[0, 1, 0] = [255, 255, 0, 0]
    perfect[1, 1, 0, 2] = 255
    assert edge_accuracy([(0, perfect)], OFFSETS, truth, known) == {"edge_accuracy": 1, "edge_balanced": 1}
    # All "same": 3 of 8 are right.
    same = np.full_like(perfect, 255)
    assert edge_accuracy([(0, same)], OFFSETS, truth, known) == {"edge_accuracy": 3 / 8, "edge_balanced": 0.5}
    # In two slabs, and where only the first voxel of each row is known.
    slabs = [(0, perfect[:, :1]), (1, perfect[:, 1:])]
    assert edge_accuracy(slabs, OFFSETS, truth, known) == {"edge_accuracy": 1, "edge_balanced": 1}
    known[..., 1:] = False
    assert edge_accuracy([(0, same)], OFFSETS, truth, known) == {"edge_accuracy": 1, "edge_balanced": 1}
    assert edge_accuracy([(0, same)], OFFSETS, truth, np.zeros_like(known)) == {}
    assert edge_accuracy([(0, same[:1])], ((9, 0, 0),), truth, known) == {}


def tables() -> tuple[MergeTree, NeuronTables]:
    fragments = np.array([[[1, 1, 2, 2]], [[3, 3, 4, 4]]], np.int32)
    truth = np.array([[[1, 1, 1, 1]], [[1, 1, 2, 2]]], np.int32)
    tree = MergeTree(np.array([0, 2, 2, 2, 2]), np.array([[1, 2], [3, 4]], np.int32), np.array([0.8, 0.3], np.float32))
    return tree, NeuronTables.count(fragments, truth, truth >= 0, 2, tree)


def test_the_mean_over_slices_at_each_threshold() -> None:
    tree, found = tables()
    assert len(found.tables) == 2 and len(tree) == 4
    curve = agreement_over_thresholds([found], 0.9)
    by_threshold = dict(zip(curve.thresholds, curve.rows, strict=True))
    assert by_threshold[0.5]["voi"] == 0 and by_threshold[0.5]["v_rand"] == 1
    assert by_threshold[0.1]["voi_merge"] == pytest.approx(0.5) and by_threshold[0.9]["voi_split"] == pytest.approx(0.5)
    assert 0.3 < curve.best <= 0.8
    assert curve.extremes()["best_voi"] == 0 and curve.extremes()["best_v_info"] == 1
    assert "best_voi_split" not in curve.extremes()


def test_files_of_neurons(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 5, (3, 16, 16)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "truth.tif", truth, photometric="minisblack")
    tifffile.imwrite(tmp_path / "same.tif", truth + (truth > 0).astype(np.uint16), photometric="minisblack")
    found = evaluate_files(tmp_path / "same.tif", tmp_path / "truth.tif", task="neurons")
    assert found.metrics["voi"] == 0 and found.metrics["v_info"] == 1 and found.metrics["n_truth"] == 4
    tifffile.imwrite(tmp_path / "one.tif", np.ones_like(truth), photometric="minisblack")
    one = evaluate_files(tmp_path / "one.tif", tmp_path / "truth.tif", task="neurons")
    assert one.metrics["voi_split"] == 0 and one.metrics["v_info"] == pytest.approx(0, abs=1e-12)
    nothing = np.zeros_like(truth)
    tifffile.imwrite(tmp_path / "nothing.tif", nothing, photometric="minisblack")
    empty = evaluate_files(tmp_path / "same.tif", tmp_path / "nothing.tif", task="neurons")
    assert all(np.isfinite(v) for v in empty.metrics.values())


def test_the_report_has_the_curve(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(1, 5, (1, 8, 8)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "truth.tif", truth, photometric="minisblack")
    found = evaluate_files(tmp_path / "truth.tif", tmp_path / "truth.tif", task="neurons")
    curve = agreement_over_thresholds([tables()[1]], 0.4)
    assert isinstance(curve, AgreementCurve)
    whole = type(found)(found.task, found.how, {**found.metrics, **curve.extremes()}, agreement=curve)
    write_report(whole, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Over the threshold" in text and "V_rand" in text and "locked: 0.40" in text
    assert '"agreement_curve"' in (tmp_path / "report.json").read_text()
