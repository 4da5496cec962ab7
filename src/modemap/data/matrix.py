"""The rows that `prepare` made, block by block: arrays that estimators take, or whole tables."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modemap.errors import DataError
from modemap.estimators.blocks import Blocks, block_rows

__all__ = ["matrix", "prepared_batches", "prepared_files", "prepared_tables"]

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
    groups = _row_groups(prepared_files(prepared, split), columns)
    return Blocks(groups[-1].stop if groups else 0, _Reading(groups, tuple(columns)))


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
    return _in_blocks(_tables(prepared_files(prepared, split), columns))


def _in_blocks(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        size = block_rows(table.num_columns)
        while len(waiting) >= size:
            yield waiting.slice(0, size)
            waiting = waiting.slice(size)
    if waiting is not None and len(waiting):
        yield waiting


class _RowGroup(NamedTuple):
    """Some rows of a file, and their numbers among those of all files."""

    path: Path
    number: int  # of the group in its file
    start: int
    stop: int


def _row_groups(paths: Sequence[Path], columns: Sequence[str]) -> list[_RowGroup]:
    groups, start = [], 0
    for path in paths:
        with _told(path):
            file = pq.ParquetFile(path)
            _check_names(path, file, columns)
            for number in range(file.num_row_groups):
                stop = start + file.metadata.row_group(number).num_rows
                groups.append(_RowGroup(path, number, start, stop))
                start = stop
    return groups


class _Reading:
    """Reads rows from one number to another; in another process it finds the same files."""

    def __init__(self, groups: Sequence[_RowGroup], columns: tuple[str, ...]) -> None:
        self._groups, self._columns = groups, columns

    def __call__(self, start: int, stop: int) -> Iterator[FloatArray]:
        """Yield the rows in blocks."""
        for table in _in_blocks(self._between(start, stop)):
            yield matrix(table, self._columns)

    def __reduce__(self) -> tuple[Any, ...]:
        groups = [group._replace(path=group.path.absolute()) for group in self._groups]
        return _Reading, (groups, self._columns)

    def _between(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Yield row groups one by one: the reader of a whole file keeps what it has read."""
        names = list(self._columns)
        wanted = (g for g in self._groups if g.start < min(g.stop, stop) and g.stop > start)
        for path, groups in groupby(wanted, lambda group: group.path):
            with _told(path):
                file = pq.ParquetFile(path)
                _check_names(path, file, names)
                for group in groups:
                    table = file.read_row_group(group.number, columns=names).select(names)
                    skipped = max(start - group.start, 0)
                    yield table.slice(skipped, min(stop, group.stop) - group.start - skipped)


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
        rule = "must hold Parquet files of prepared rows"
        raise DataError(prepared / split, rule, found=found, hint=HINT)
    return paths


def _tables(paths: Sequence[Path], columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """Yield row groups one by one: the reader of a whole file keeps what it has read."""
    for path in paths:
        with _told(path):
            file = pq.ParquetFile(path)
            names = list(file.schema_arrow.names if columns is None else columns)
            _check_names(path, file, names)
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=names).select(names)


def matrix(table: pa.Table, columns: Sequence[str]) -> FloatArray:
    """Return ``columns`` of ``table`` as a C-ordered array of shape (n_rows, n_columns)."""
    X, arrays = np.empty((len(table), len(columns))), [table[name].to_numpy() for name in columns]
    for start in range(0, len(X), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        for j, array in enumerate(arrays):
            X[rows, j] = array[rows]
    return X


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
