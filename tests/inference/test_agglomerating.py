"""Neurons block by block: the same segments whatever the blocks, interrupted, corrected, exported, measured."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from blockwise import run_stages
from scipy import ndimage

from napari_aitrain.errors import ConfigError, GroundTruthError, VolumeError
from napari_aitrain.inference import PredictionCancelledError, StoredPrediction, export
from napari_aitrain.inference.agglomerating import AgglomeratingStages
from napari_aitrain.inference.judging import evaluate_stored, stored_neurons
from napari_aitrain.inference.store import MAPS, PredictionInfo, create_array, write_info
from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.agglomeration import decode_affinities
from napari_aitrain.tasks.merge_tree import Correction
from napari_aitrain.tasks.voi import Contingency

OFFSETS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 4, 0), (3, 0, 0))
SHAPE = (24, 64, 64)
Make = Callable[..., StoredPrediction]


def cells(shape: tuple[int, int, int] = SHAPE, count: int = 20, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.uniform(0, shape, (count, 3))
    grid = np.stack(np.indices(shape), axis=-1)[..., None, :]
    return (((grid - centres) ** 2).sum(axis=-1).argmin(axis=-1) + 1).astype(np.int32)


def affinities_of(truth: np.ndarray, offsets: tuple[tuple[int, int, int], ...] = OFFSETS) -> np.ndarray:
    maps = np.full((len(offsets), *truth.shape), 255.0)
    random = np.random.default_rng(1)
    for values, offset in zip(maps, offsets, strict=True):
        here = tuple(slice(s, None) for s in offset)
        before = tuple(slice(None, -s or None) for s in offset)
        values[here] = 255 * ((truth[here] == truth[before]) & (truth[here] > 0))
        values += ndimage.gaussian_filter(random.normal(0, 60, values.shape), 0.6)
    return maps.clip(0, 255).astype(np.uint8)


def prepare(
    store: Path, maps: np.ndarray, block: tuple[int, int, int], dims: int = 3, start: tuple[int, int, int] = (0, 0, 0)
) -> PredictionInfo:
    offsets = OFFSETS if dims == 3 else tuple(o for o in OFFSETS if not o[0])
    overlap = (16, 24, 24) if dims == 3 else (0, 24, 24)
    info = PredictionInfo(
        model_name="perfect", model_fingerprint="", image="", image_fingerprint="", channels=("0",), task="neurons",
        instances=True, agglomerates=True, offsets=offsets, classes=(0, 1), dims=dims, heads=len(maps),
        magnification=(1, 1, 1), start=start, shape=maps.shape[1:], voxel_size=(10, 10, 10), low=(0.0,), high=(1.0,),
        multiple=(1, 1, 1), halo=(0, 0, 0), overlap=overlap, network_block=maps.shape[1:], decode_block=block,
        threshold=0.5, finished=True,
    )  # fmt: skip
    store.mkdir()
    create_array(store / MAPS, maps.shape, (len(maps), 8, 32, 32), np.uint8)[...] = maps
    write_info(store, info)
    return info


def stages_of(store: Path, info: PredictionInfo) -> AgglomeratingStages:
    return AgglomeratingStages(store, info, make_task("neurons", {"offsets": info.offsets}))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def predict(maps: np.ndarray, block: tuple[int, int, int], dims: int = 3, name: str = "s") -> StoredPrediction:
        info = prepare(tmp_path / name, maps, block, dims)
        stages = stages_of(tmp_path / name, info)
        run_stages(stages)
        stages.clean_up()
        return StoredPrediction.open(tmp_path / name)

    return predict


@pytest.fixture
def stored(make: Make) -> StoredPrediction:
    return make(affinities_of(cells()), (16, 40, 40))


@pytest.mark.parametrize("block", [(24, 64, 64), (8, 32, 32), (16, 40, 24), (5, 64, 33), (4, 64, 64)])
def test_blocks_give_nearly_the_segments_of_one_pass(make: Make, block: tuple[int, int, int]) -> None:
    truth = cells()
    maps = affinities_of(truth)
    objects = decode_affinities(maps, OFFSETS, (10, 10, 10), 3)
    assert objects.merges is not None
    whole = objects.merges.segments(0.5)[objects.labels]
    found = make(maps, block)
    segments = found.labels(threshold=0.5)
    between = Contingency.count(segments, whole).agreement().metrics()
    # The stated tolerance: fragments are cut at the faces of blocks, and joined again by the affinities across them.
    assert between["voi"] <= 0.1 and between["arand"] <= 0.02
    assert Contingency.count(segments, truth).agreement().metrics()["voi"] < 0.25
    fragments, tree = found.fragments(), found.tree
    assert tree is not None
    np.testing.assert_array_equal(np.bincount(fragments.ravel(), minlength=len(tree.sizes)), tree.sizes)
    assert (tree.sizes[1:] > 0).all() and fragments.min() > 0


def test_slices_stay_apart(make: Make) -> None:
    plane = cells((1, 64, 64), 9).repeat(4, axis=0)
    maps = affinities_of(plane, OFFSETS[1:4])
    found = make(maps, (3, 40, 40), 2).labels(threshold=0.5)
    ids = [set(np.unique(z)) for z in found]
    assert not any(ids[a] & ids[b] for a in range(4) for b in range(a))
    for z in found:
        assert Contingency.count(z[None], plane[:1]).agreement().metrics()["voi"] < 0.25


@pytest.mark.parametrize("done", [0, 3, 8, 13, 16])
def test_a_cancelled_prediction_goes_on_and_gives_the_same(tmp_path: Path, make: Make, done: int) -> None:
    maps = affinities_of(cells())
    whole = make(maps, (16, 40, 40), name="whole")
    info = prepare(tmp_path / "s", maps, (16, 40, 40))
    asked: list[int] = []
    seen: list[tuple[str, int, int]] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > done

    with pytest.raises(PredictionCancelledError):
        run_stages(stages_of(tmp_path / "s", info), cancelled=cancelled)
    run_stages(stages_of(tmp_path / "s", info), progress=lambda n, total, stage: seen.append((stage, n, total)))
    assert seen[-1] == ("stitching", 8, 8)
    assert sum(1 for _ in (tmp_path / "s" / "blocks.jsonl").open()) == 1 + 8 + 8 + 1 + 8
    again = StoredPrediction.open(tmp_path / "s")
    np.testing.assert_array_equal(again.fragments(), whole.fragments())
    assert again.tree is not None and whole.tree is not None
    np.testing.assert_array_equal(again.tree.scores, whole.tree.scores)
    assert again.table(0.5).csv() == whole.table(0.5).csv()


def test_labels_table_and_exports_agree(stored: StoredPrediction, tmp_path: Path) -> None:
    for out in (tmp_path / "a.tif", tmp_path / "b.ome.zarr"):
        table = export(stored, out, 0.6)
        expected = stored.labels(threshold=0.6)
        read = tifffile.imread(out) if out.suffix == ".tif" else np.asarray(zarr.open_group(out, mode="r")["0"])
        np.testing.assert_array_equal(read.reshape(expected.shape), expected)
        rows = list(csv.DictReader(table.open()))
        ids, sizes = np.unique(expected[expected > 0], return_counts=True)
        assert [int(r["id"]) for r in rows] == ids.tolist() and len(rows) == stored.count(0.6)
        assert [int(r["size"]) for r in rows] == sizes.tolist()
        for row in rows[:5]:
            places = np.nonzero(expected == int(row["id"]))
            for axis, where in zip("zyx", places, strict=True):
                assert int(row[f"start_{axis}"]) == where.min() and int(row[f"stop_{axis}"]) == where.max() + 1
                assert float(row[f"centroid_{axis}"]) == pytest.approx(where.mean(), abs=0.01)
            assert 0.6 <= float(row["score"]) <= 1


def test_corrections_are_kept_beside_the_tree(stored: StoredPrediction, tmp_path: Path) -> None:
    before = stored.labels(threshold=0.5)
    one, other = int(before[2, 5, 5]), int(before[20, 60, 60])
    assert one != other
    export(stored, tmp_path / "a.tif", 0.5)
    assert stored.written_at(tmp_path / "a.tif") == 0.5
    merge, split = Correction("merge", one, other), Correction("split", one, other)
    stored.correct([merge])
    again = StoredPrediction.open(stored.folder)
    for prediction in (stored, again):
        table = prediction.lookup(1.0)
        assert table[one] == table[other] and prediction.corrections == (merge,)
        # What was exported is not what it would be now.
        assert prediction.written_at(tmp_path / "a.tif") is None
    again.correct([merge, split])
    assert again.lookup(0.0)[one] != again.lookup(0.0)[other]
    again.correct([])
    np.testing.assert_array_equal(StoredPrediction.open(stored.folder).labels(threshold=0.5), before)
    with pytest.raises(ConfigError, match="fragment 0"):
        again.correct([Correction("merge", 0, 1)])
    assert StoredPrediction.open(stored.folder).corrections == ()


@pytest.mark.parametrize("text", ["[", '[{"kind": "join", "first": 1, "second": 2}]', "7"])
def test_damaged_corrections_are_named(stored: StoredPrediction, text: str) -> None:
    (stored.folder / "corrections.json").write_text(text)
    with pytest.raises(VolumeError, match=r"corrections\.json"):
        stored.labels(threshold=0.5)


def test_corrections_need_fragments(stored: StoredPrediction) -> None:
    plain = StoredPrediction(stored.folder, stored.info.model_copy(update={"agglomerates": False}))
    with pytest.raises(ConfigError, match="merged or split"):
        plain.correct([Correction("merge", 1, 2)])


def test_a_stored_prediction_is_measured_over_all_thresholds(stored: StoredPrediction, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "truth.tif", cells().astype(np.uint16))
    assert stored_neurons(stored.folder) is not None
    found = evaluate_stored(stored, tmp_path / "truth.tif")
    figures = found.as_dict()
    assert figures["task"] == "neurons" and 0 < figures["voi"] < 0.25
    assert figures["best_voi"] <= figures["voi"] and figures["best_arand"] <= figures["arand"]
    assert figures["v_rand"] > 0.95 and figures["edge_accuracy"] > 0.97 and figures["edge_balanced"] > 0.97
    curve = figures["agreement_curve"]
    assert len(curve["voi"]) == 101 and curve["voi"][50] == pytest.approx(figures["voi"], abs=1e-5)
    assert curve["voi_merge"][0] > 1 and curve["voi_split"][-1] > curve["voi_split"][50]
    json.dumps(figures)
    # A merge of two neurons makes it worse.
    labels = stored.labels(threshold=0.5)
    stored.correct([Correction("merge", int(labels[2, 5, 5]), int(labels[20, 60, 60]))])
    assert evaluate_stored(stored, tmp_path / "truth.tif").metrics["voi_merge"] > figures["voi_merge"]


def test_truth_of_the_whole_image_is_cut_to_what_was_predicted(tmp_path: Path) -> None:
    truth = cells((30, 70, 70))
    inner = truth[4:28, 3:67, 2:66]
    info = prepare(tmp_path / "s", affinities_of(inner), (24, 64, 64), start=(4, 3, 2))
    run_stages(stages_of(tmp_path / "s", info))
    tifffile.imwrite(tmp_path / "truth.tif", truth.astype(np.uint16))
    tifffile.imwrite(tmp_path / "small.tif", truth[:5].astype(np.uint16))
    found = evaluate_stored(StoredPrediction.open(tmp_path / "s"), tmp_path / "truth.tif")
    assert found.metrics["voi"] < 0.35
    with pytest.raises(GroundTruthError, match="shape"):
        evaluate_stored(StoredPrediction.open(tmp_path / "s"), tmp_path / "small.tif")


def test_slices_with_one_id_inside_are_measured_one_by_one(make: Make, tmp_path: Path) -> None:
    plane = cells((1, 64, 64), 9).repeat(3, axis=0)
    inside = np.ones(plane.shape, bool)
    inside[:, 1:] &= plane[:, 1:] == plane[:, :-1]
    inside[..., 1:] &= plane[..., 1:] == plane[..., :-1]
    prediction = make(affinities_of(plane, OFFSETS[1:4]), (3, 64, 64), 2)
    tifffile.imwrite(tmp_path / "truth.tif", inside.astype(np.uint8) * 255, photometric="minisblack")
    found = evaluate_stored(prediction, tmp_path / "truth.tif")
    assert "connected pieces" in found.how and "Slices" in found.how
    assert found.metrics["v_rand"] > 0.9 and found.metrics["n_truth"] >= 3 * 9
