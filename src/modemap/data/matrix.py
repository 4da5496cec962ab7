"""The rows that `prepare` made, block by block: arrays that estimators take, or whole tables."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modemap.errors import DataError
from modemap.estimators.blocks import Blocks, block_rows

__all__ = ["matrix", "prepared_batches", "prepared_tables"]

FloatArray = NDArray[np.float64]

ROWS_AT_ONCE = 1 << 10  # that lie in the cache while their columns are written
RULE, HINT = "must be a Parquet file of prepared rows", "run `dvc repro --force prepare`"


def prepared_batches(prepared: Path, split: str, columns: Sequence[str]) -> Blocks:
    """Return ``columns`` of the rows of ``split``, to be read again and again.

    Blocks are C-ordered float64 arrays of shape (n_rows, n_columns), NaN where a value is missing.
    All but the last have :func:`~modemap.estimators.blocks.block_rows` rows, wherever files begin
    and end.

    Raises
    ------
    DataError
        If a file is missing, damaged, or lacks a column; of damage within a file only on the way.
    """
    path = _path(prepared, split)
    with _told(path):
        file = pq.ParquetFile(path)
        _check_names(path, file, columns)
        n_rows = file.metadata.num_rows

    def read() -> Iterator[FloatArray]:
        for table in prepared_tables(prepared, split, columns):
            yield matrix(table, columns)

    return Blocks(n_rows, read)


def prepared_tables(
    prepared: Path, split: str, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of ``split`` with their keys and labels, or ``columns`` of them, by block.

    The order is that of :func:`prepared_batches`, and of as many columns the blocks are the same.

    Raises
    ------
    DataError
        As :func:`prepared_batches`.
    """
    path = _path(prepared, split)
    with _told(path):
        file = pq.ParquetFile(path)
        names = list(file.schema_arrow.names if columns is None else columns)
        _check_names(path, file, names)
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        size, waiting = block_rows(len(names)), schema.empty_table()
        for group in range(file.num_row_groups):  # the reader of all keeps what it has read
            table = file.read_row_group(group, columns=names).select(names)
            waiting = pa.concat_tables([waiting, table])
            while len(waiting) >= size:
                yield waiting.slice(0, size)
                waiting = waiting.slice(size)
        if len(waiting):
            yield waiting


def matrix(table: pa.Table, columns: Sequence[str]) -> FloatArray:
    """Return ``columns`` of ``table`` as a C-ordered array of shape (n_rows, n_columns)."""
    X, arrays = np.empty((len(table), len(columns))), [table[name].to_numpy() for name in columns]
    for start in range(0, len(X), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        for j, array in enumerate(arrays):
            X[rows, j] = array[rows]
    return X


def _path(prepared: Path, split: str) -> Path:
    return prepared / f"{split}.parquet"


def _check_names(path: Path, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    names = set(file.schema_arrow.names)
    absent = [name for name in columns if name not in names]
    if absent:
        raise DataError(path, RULE, found=f"no column {', '.join(absent)}", hint=HINT)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a reader says of a broken file into an error that a person can act on."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        is_absent = isinstance(error, FileNotFoundError)
        found = "no such file" if is_absent else " ".join(str(error).split())
        raise DataError(path, RULE, found=found, hint=HINT) from None
