"""Columns of a Parquet file as the array that estimators take."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modemap.errors import DataError

__all__ = ["read_matrix"]


def read_matrix(path: Path, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return ``columns`` of ``path`` as a C-ordered array of shape (n_rows, n_columns).

    A missing value is NaN.

    Raises
    ------
    DataError
        If the file is missing, damaged, or lacks a column.
    """
    table = _read(path, columns)
    arrays = [table[column].to_numpy().astype(np.float64) for column in columns]
    return np.ascontiguousarray(np.column_stack(arrays))


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    rule, hint = "must be a Parquet file of prepared rows", "run `dvc repro --force prepare`"
    try:
        table = pq.ParquetFile(path).read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else _one_line(error)
        raise DataError(path, rule, found=found, hint=hint) from None
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        raise DataError(path, rule, found=f"no column {', '.join(absent)}", hint=hint)
    return table


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
