"""The commands `classify train|apply|measure` on files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder with an image of squares and bars, its labels, and a CSV that names twelve of them."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels, rows = np.zeros((240, 240), np.uint16), ["id,class"]
    for number in range(64):
        y, x = (30 * n + 5 for n in divmod(number, 8))
        bar = number % 3 == 0
        height, width = (8, 20 + number % 4) if bar else (12 + number % 3, 12 + number % 2)
        labels[y : y + height, x : x + width] = number + 1
        if number < 12:
            rows.append(f"{number + 1},{'bar' if bar else 'square'}")
    tifffile.imwrite(folder / "image.tif", rng.normal(80 + 50 * (labels > 0), 6).clip(0, 255).astype(np.uint8))
    tifffile.imwrite(folder / "labels.tif", labels)
    (folder / "classes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def given(folder: Path) -> list[Any]:
    return ["-i", folder / "image.tif", "-l", folder / "labels.tif", "-c", folder / "classes.csv"]


def test_train_and_apply(cli, shapes, tmp_path):
    file, table, classes = (tmp_path / name for name in ("bars.classifier.json", "table.csv", "classes.tif"))
    trained = cli("classify", "train", *given(shapes), "-o", file, "--json")
    assert trained.code == 0, trained.err
    assert trained.json["classes"] == {"bar": 1, "square": 2} and trained.json["gone"] == 0
    assert trained.json["measured"]["accuracy"] >= 0.8
    applied = cli(
        "classify", "apply", file, shapes / "image.tif", "-l", shapes / "labels.tif", "-o", table,
        "--classes-out", classes, "-t", "0.5",
    )  # fmt: skip
    assert applied.code == 0, applied.err
    assert "64 objects" in applied.out and "bar" in applied.out
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    wrong = sum((int(row["id"]) - 1) % 3 == 0 and row["class"] != "bar" for row in rows)
    assert len(rows) == 64 and wrong <= 2 and {"probability", "p_bar", "area_px2", "roundness"} <= set(rows[0])
    labels, shown = tifffile.imread(shapes / "labels.tif"), tifffile.imread(classes)
    assert ((shown > 0) == (labels > 0)).all() and set(np.unique(shown)) <= {0, 1, 2, 3}
    again = cli("classify", "apply", file, shapes / "image.tif", "-l", shapes / "labels.tif", "-o", table)
    assert again.code == 2 and "exists" in again.err


def test_measure_boxes_and_parquet(cli, shapes, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text('[{"start":[0,0,0],"stop":[1,60,60]},{"start":[0,100,100],"stop":[1,160,160]}]', encoding="utf-8")
    done = cli("classify", "measure", shapes / "image.tif", "-b", boxes, "-o", tmp_path / "boxes.parquet", "--json")
    assert done.code == 0 and done.json["objects"] == 2
    import pyarrow.parquet as parquet

    assert parquet.read_table(tmp_path / "boxes.parquet").num_rows == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "classes.csv").write_text("id,class\n", encoding="utf-8"), "no object has a class"),
        (
            lambda folder: (folder / "classes.csv").write_text("id,class\n1,a\n2,a\n", encoding="utf-8"),
            "nothing to tell apart",
        ),
        (lambda folder: (folder / "classes.csv").unlink(), "does not exist"),
        (lambda folder: tifffile.imwrite(folder / "labels.tif", np.ones((9, 9), np.uint8)), "voxels"),
    ],
)
def test_bad_input_is_told_with_a_remedy(cli, shapes, tmp_path, change, told):
    change(shapes)
    done = cli("classify", "train", *given(shapes), "-o", tmp_path / "x.classifier.json")
    assert done.code == 2 and told in done.err and "What to do" in done.err
    assert not (tmp_path / "x.classifier.json").exists()


def test_ids_that_are_no_objects_are_counted(cli, shapes, tmp_path):
    with (shapes / "classes.csv").open("a", encoding="utf-8") as file:
        file.write("999,bar\n1000,square\n")
    done = cli("classify", "train", *given(shapes), "-o", tmp_path / "x.classifier.json")
    assert done.code == 0 and "2 of the ids" in done.out
