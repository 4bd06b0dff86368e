"""Tables as CSV and Parquet, the same numbers in both."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from napari_aitrain.errors import ConfigError, OutputExistsError
from napari_aitrain.inference import tables
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.inference.tables import check_formats, write_table


def table(count: int) -> ObjectTable:
    rng = np.random.default_rng(0)
    score = rng.random(count + 1).astype(np.float32)
    size = rng.integers(0, 3, count + 1)
    start = rng.integers(0, 10**10, (count + 1, 3))
    classes = np.ones(count + 1, np.int32)
    return ObjectTable(score, size, start, start + 5, start + 2.5, np.zeros((count + 1, 2), np.float32), classes)


@pytest.mark.parametrize("rows", [1, 7, 2**17])
def test_both_formats_hold_the_objects_of_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(tables, "ROWS", rows)
    objects = table(50)
    columns = objects.columns(0.3)
    for ending in ("csv", "parquet"):
        write_table(tmp_path / f"ü.{ending}", columns)
    with open(tmp_path / "ü.csv", newline="", encoding="utf-8") as file:
        words = list(csv.DictReader(file))
    assert (tmp_path / "ü.csv").read_text(encoding="utf-8") == objects.csv(0.3)
    read = pyarrow.parquet.read_table(tmp_path / "ü.parquet")
    assert read.column_names == list(words[0]) and read.num_rows == len(words) == len(columns["id"]) > 9
    wanted = [i for i in range(1, 51) if objects.score[i] >= np.float32(0.3) and objects.size[i]]
    assert read["id"].to_pylist() == wanted == [int(row["id"]) for row in words]
    np.testing.assert_array_equal(read["score"].to_numpy(), objects.score[wanted])
    np.testing.assert_array_equal(read["stop_y"].to_numpy(), objects.stop[wanted, 1])
    for name in read.column_names:
        assert [float(row[name]) for row in words] == pytest.approx(read[name].to_pylist(), abs=0.006)


def test_no_object_is_a_table_with_columns(tmp_path: Path) -> None:
    for ending in ("csv", "parquet"):
        write_table(tmp_path / f"a.{ending}", table(0).columns())
    assert (tmp_path / "a.csv").read_text().startswith("id,score,size,centroid_z")
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").num_rows == 0
    with pytest.raises(OutputExistsError):
        write_table(tmp_path / "a.csv", table(0).columns(), overwrite=False)


def test_formats_are_checked_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_formats(["parquet", "csv", "csv"]) == ("csv", "parquet")
    for wrong in (["xlsx"], []):
        with pytest.raises(ConfigError, match="no format of a table"):
            check_formats(wrong)

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert check_formats(["csv"]) == ("csv",)
    with pytest.raises(ConfigError, match="pyarrow") as caught:
        check_formats(["parquet"])
    assert "napari-aitrain[parquet]" in caught.value.remedy
