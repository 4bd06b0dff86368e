import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_aitrain.errors import AitrainError, GroundTruthError, VolumeError
from napari_aitrain.evaluation import evaluate_files, instance_metrics
from napari_aitrain.evaluation.compare import guess_dims, guess_task
from napari_aitrain.evaluation.files import scores_path

KEYS = {"ap50", "ap75", "f1_50", "pq", "dice", "iou", "arand", "voi_split", "voi_merge", "n_truth", "n_prediction"}


def grid(seed: int, side: int = 9, shape: tuple[int, int] = (60, 60)) -> np.ndarray:
    """Return squares on a grid with ids from 1, about a fifth of them missing."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint16)
    for y in range(1, shape[0] - side, 12):
        for x in range(1, shape[1] - side, 12):
            if random.random() < 0.8:
                labels[y : y + side, x : x + side] = labels.max() + 1
    return labels


def write(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, labels)
    return path


def test_a_file_against_a_file(tmp_path: Path) -> None:
    truth, prediction = grid(0), grid(1)
    found = evaluate_files(write(tmp_path / "p.tif", prediction), write(tmp_path / "t.tif", truth))
    data = found.as_dict()
    assert data["task"] == "instances"
    assert "objects" in data["how"]
    assert set(data) >= KEYS
    assert found.metrics == instance_metrics(prediction[None], truth[None])
    assert json.loads(json.dumps(data)) == data


def test_a_folder_against_a_folder_is_pooled(tmp_path: Path) -> None:
    pairs = [(grid(2), grid(3)), (grid(4, shape=(30, 90)), grid(5, shape=(30, 90)))]
    for number, (prediction, truth) in enumerate(pairs):
        write(tmp_path / "predicted" / f"cell {number}.tif", prediction)
        write(tmp_path / "wahr heit" / f"cell {number}.tif", truth)
    found = evaluate_files(tmp_path / "predicted", tmp_path / "wahr heit")
    single = [instance_metrics(p[None], t[None]) for p, t in pairs]
    assert list(found.images.values()) == single
    assert found.mean["ap50"] == pytest.approx(np.mean([s["ap50"] for s in single]))
    hits = [s["f1_50"] * (s["n_truth"] + s["n_prediction"]) / 2 for s in single]
    total = sum(s["n_truth"] + s["n_prediction"] for s in single)
    assert found.metrics["ap50"] == pytest.approx(sum(hits) / (total - sum(hits)))
    assert found.metrics["n_truth"] == sum(s["n_truth"] for s in single)


def test_classes_are_recognised_and_measured_as_voxels_and_pieces(tmp_path: Path) -> None:
    truth, prediction = ((grid(seed) > 0).astype(np.uint8) * 255 for seed in (0, 1))
    found = evaluate_files(write(tmp_path / "p.tif", prediction), write(tmp_path / "t.tif", truth))
    both, either = ((prediction > 0) & (truth > 0)).sum(), ((prediction > 0) | (truth > 0)).sum()
    assert found.task == "semantic"
    assert found.metrics["iou"] == found.metrics["iou_255"] == pytest.approx(both / either)
    assert set(found.as_dict()) >= KEYS
    assert found.metrics["n_truth"] == grid(0).max()


def test_the_guess_can_be_overridden(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, grid(0)) for name in ("p.tif", "t.tif")]
    found = evaluate_files(*paths, task="semantic")
    assert found.task == "semantic"
    assert "asked" in found.how


def test_slices_decoded_one_by_one_are_compared_one_by_one(tmp_path: Path) -> None:
    truth = np.stack([grid(0)] * 6)
    prediction = np.where(truth > 0, truth + 100 * np.arange(6)[:, None, None], 0).astype(np.uint16)
    paths = write(tmp_path / "p.tif", prediction), write(tmp_path / "t.tif", truth)
    found = evaluate_files(*paths)
    assert found.metrics["ap50"] == 1
    assert found.metrics["n_truth"] == 6 * int(truth.max())
    assert "slice" in found.how


def test_scores_beside_the_prediction_give_curve_and_calibration(tmp_path: Path) -> None:
    truth, prediction = grid(0), grid(1)
    path = write(tmp_path / "p.tif", prediction)
    right = [bool((truth[prediction == i] > 0).all()) for i in range(1, int(prediction.max()) + 1)]
    rows = [f"{i},{0.9 if good else 0.3},81" for i, good in enumerate(right, start=1)]
    scores_path(path).write_text("id,score,size\n" + "\n".join(rows), encoding="utf-8")
    found = evaluate_files(path, write(tmp_path / "t.tif", truth))
    data = found.as_dict()
    wrong = right.count(False)
    assert data["ece"] == pytest.approx((0.1 * (len(right) - wrong) + 0.3 * wrong) / len(right), abs=1e-6)
    assert 0.3 < data["best_threshold"] < 0.9
    assert found.curve is not None
    assert found.curve.precision[50] == 1
    assert sum(row["objects"] for row in data["calibration"]) == len(right)


@pytest.mark.parametrize("text", ["number,score\n1,0.5\n", "id,score\n1,high\n", "id,score\n1\n"])
def test_a_damaged_table_of_scores_is_named(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "p.tif", grid(1))
    scores_path(path).write_text(text, encoding="utf-8")
    with pytest.raises(VolumeError, match="scores") as caught:
        evaluate_files(path, write(tmp_path / "t.tif", grid(0)))
    assert "scores.csv" in caught.value.what


def test_sparse_truth_judges_only_what_was_painted(tmp_path: Path) -> None:
    prediction = grid(0)
    truth = np.where(np.isin(prediction, (1, 2)), prediction, 0).astype(np.uint16)
    paths = write(tmp_path / "p.tif", prediction), write(tmp_path / "t.tif", truth)
    assert evaluate_files(*paths, sparse=True).metrics["ap50"] == 1
    assert evaluate_files(*paths).metrics["ap50"] < 0.5
    write(paths[1], np.zeros_like(truth))
    with pytest.raises(GroundTruthError, match="unlabelled"):
        evaluate_files(*paths, sparse=True)


def test_shapes_that_differ_are_explained(tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError) as caught:
        evaluate_files(write(tmp_path / "p.tif", grid(0)), write(tmp_path / "t.tif", grid(0, shape=(60, 72))))
    assert "(1, 60, 60)" in caught.value.what


def test_a_file_against_a_folder_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "t.tif", grid(0))
    with pytest.raises(AitrainError):
        evaluate_files(write(tmp_path / "p.tif", grid(0)), tmp_path / "folder")


def test_guesses() -> None:
    one_object = np.zeros((1, 20, 20), np.int32)
    one_object[0, 5:9, 5:9] = 1
    assert guess_task([one_object])[0] == "instances"
    assert guess_task([one_object * 255])[0] == "semantic"
    assert guess_task([np.zeros_like(one_object)])[0] == "instances"
    assert guess_task([grid(0)[None].astype(np.int32)])[0] == "instances"
    assert guess_dims([grid(0)[None].astype(np.int32)]) == (3, "")
    assert guess_dims([np.ones((3, 4, 4), np.int32)])[0] == 3
