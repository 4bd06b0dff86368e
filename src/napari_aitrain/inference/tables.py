"""Tables of objects as files: CSV for people and spreadsheets, Parquet for programs; written part by part."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy.typing as npt

from ..errors import ConfigError
from ..volumes.atomic import atomic_file

TableFormat = Literal["csv", "parquet"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
Columns = Mapping[str, npt.NDArray[Any]]
ROWS = 2**17
"""Rows that are put into words at once."""

_DIGITS = {"score": 4}
_USUAL_DIGITS = 2


def check_formats(formats: Sequence[str]) -> tuple[TableFormat, ...]:
    """Return formats of tables, each once.

    Raises
    ------
    ConfigError
        If one is not known, there is none, or Parquet is asked for and its package is missing.
    """
    chosen = tuple(known for known in FORMATS if known in formats)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not chosen:
        raise ConfigError(
            f"{', '.join(unknown) or 'nothing'} is no format of a table", " or ".join(FORMATS), "write for example csv"
        )
    if "parquet" in chosen:
        _pyarrow("pyarrow.parquet")
    return chosen


def write_table(path: Path, columns: Columns, *, overwrite: bool = True, significant: int | None = None) -> None:
    """Write a table in the format of the ending of `path`.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet``.
    columns : mapping
        One array per column, all of one length.
    overwrite : bool
        Whether a file at `path` may be replaced.
    significant : int, optional
        Digits of a number in a CSV, from its first one that is not 0; not given, two behind the point.

    Raises
    ------
    ConfigError
        If the package that writes Parquet is missing.
    OutputExistsError, StorageError
        See `atomic_file`.
    """
    with atomic_file(path, overwrite=overwrite) as file:
        if path.suffix == ".parquet":
            _write_parquet(file, columns)
        else:
            _write_csv(file, columns, significant)


def csv_text(columns: Columns) -> str:
    """Return a table as CSV."""
    return "".join(_csv_parts(columns))


def _write_csv(file: BinaryIO, columns: Columns, significant: int | None) -> None:
    for text in _csv_parts(columns, significant):
        file.write(text.encode("utf-8"))


def _csv_parts(columns: Columns, significant: int | None = None) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for part in _parts(columns):
        writer.writerows(zip(*(_words(name, values, significant) for name, values in part.items()), strict=True))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _words(name: str, values: npt.NDArray[Any], significant: int | None) -> list[Any]:
    if values.dtype.kind != "f":
        return list(values.tolist())
    form = f"%.{_DIGITS.get(name, _USUAL_DIGITS)}f" if significant is None else f"%.{significant}g"
    return [form % value for value in values.tolist()]


def _write_parquet(file: BinaryIO, columns: Columns) -> None:
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    schema = arrow.schema([(name, arrow.from_numpy_dtype(values.dtype)) for name, values in columns.items()])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in _parts(columns):
            writer.write_table(arrow.table(dict(part), schema=schema))


def _parts(columns: Columns) -> Iterator[Columns]:
    length = len(next(iter(columns.values())))
    for start in range(0, length, ROWS):
        yield {name: values[start : start + ROWS] for name, values in columns.items()}


def _pyarrow(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            "a Parquet table needs the package pyarrow, which is not installed",
            "pyarrow, or a table as csv",
            'run `python -m pip install "napari-aitrain[parquet]"`, or leave Parquet out',
        ) from error
