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

__all__ = [
    "matrix",
    "prepared_batches",
    "prepared_files",
    "prepared_names",
    "prepared_tables",
    "read_matrix",
    "read_rows",
]

FloatArray = NDArray[np.float64]

ROWS_AT_ONCE = 1 << 15  # that Arrow decodes
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
    n_rows = 0
    for path in prepared_files(prepared, split):
        with _told(path):
            file = pq.ParquetFile(path)
            _check_names(path, file, columns)
            n_rows += file.metadata.num_rows

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
    names = list(prepared_names(prepared, split) if columns is None else columns)
    size, waiting, n_waiting = block_rows(len(names)), [], 0
    for batch in _record_batches(prepared_files(prepared, split), names):
        waiting.append(batch)
        n_waiting += batch.num_rows
        while n_waiting >= size:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, size)
            waiting = table.slice(size).to_batches()
            n_waiting -= size
    if n_waiting:
        yield pa.Table.from_batches(waiting)


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all rows in the folder ``path`` with their keys and labels, or ``columns`` of them."""
    return pa.concat_tables(prepared_tables(path.parent, path.name, columns))


def _record_batches(paths: Sequence[Path], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with _told(path):
            file = pq.ParquetFile(path)
            _check_names(path, file, names)
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                yield batch.select(names)


def prepared_names(prepared: Path, split: str) -> list[str]:
    """Return the names of the columns: those of the key, of the models, of the label.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path = prepared_files(prepared, split)[0]
    with _told(path):
        return list(pq.ParquetFile(path).schema_arrow.names)


def matrix(table: pa.Table, columns: Sequence[str]) -> FloatArray:
    """Return ``columns`` of ``table`` as a C-ordered array of shape (n_rows, n_columns)."""
    X = np.empty((len(table), len(columns)))
    for j, column in enumerate(columns):
        X[:, j] = table[column].to_numpy()
    return X


def read_matrix(path: Path, columns: Sequence[str]) -> FloatArray:
    """Return ``columns`` of all rows in the folder ``path``, of shape (n_rows, n_columns)."""
    blocks = prepared_batches(path.parent, path.name, columns)
    return np.concatenate([np.empty((0, len(columns))), *blocks.batches()])


def prepared_files(prepared: Path, split: str) -> list[Path]:
    """Return the files with the rows of ``split``, in the order of the batches they come from.

    Raises
    ------
    DataError
        If there is none.
    """
    paths = sorted((prepared / split).glob("*.parquet"))
    if not paths:
        found = "no such file" if (prepared / split).is_dir() else "no such folder"
        raise DataError(
            prepared / split, "must hold Parquet files of prepared rows", found=found, hint=HINT
        )
    return paths


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
