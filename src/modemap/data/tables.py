"""The rows of one Parquet, Arrow or CSV file with plain types, in pieces, or the reason why not.

What a database answers to the query in a .sql file is read as such a file.
"""

import errno
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modemap.data.arrow_files import SUFFIXES as ARROW
from modemap.data.arrow_files import arrow_pieces, arrow_schema
from modemap.data.delimited import check_form, read_delimited
from modemap.data.queries import SUFFIX as QUERY
from modemap.data.queries import query_pieces
from modemap.errors import DataError
from modemap.refusals import NO_ROOM

__all__ = ["SUFFIXES", "plain_table", "read_tables", "rows_at_once"]

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
SUFFIXES = PARQUET + CSV + ARROW

MAX_COLUMNS = 10_000  # of a table; a header with more is no table's
HEADER_BYTES = 1 << 20  # within which the first line is looked for
ROWS_AT_ONCE, CELLS_AT_ONCE = 1 << 17, 1 << 24

_NOT_LET = (errno.EACCES, errno.EPERM)
_DELIMITED = (".tsv", ".tab", ".txt", ".dat")  # by something else than commas, mostly
_TEXT = (pa.types.is_large_string, pa.types.is_string_view)


def read_tables(path: Path, csv_types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    """Yield the rows of ``path`` in pieces, in the file's order, with plain types.

    A CSV file's columns get the types in ``csv_types`` if the file has all of these columns, and
    inferred types otherwise. In unquoted cells, nothing and the usual spellings of a missing value
    (NA, NaN, null, None) are missing.

    Raises
    ------
    DataError
        If the file is missing, a directory, empty, truncated, of another type, without rows, or has
        two columns of one name; of what is damaged when it is reached.
    """
    with _told(path):
        _check_is_file(path)
    match _kind(path):
        case ".csv":
            pieces = _csv_pieces(path, csv_types)
        case ".parquet":
            pieces = _parquet_pieces(path)
        case ".arrow":
            pieces = _arrow_pieces(path)
        case _:
            pieces = _query_pieces(path)
    while True:
        with _told(path):
            piece = next(pieces, None)
        if piece is None:
            return
        yield plain_table(piece)


def rows_at_once(n_columns: int) -> int:
    """Return how many rows of a table with ``n_columns`` are read, or stand in a row group."""
    return max(min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(n_columns, 1)), 1)


def _parquet_pieces(path: Path) -> Iterator[pa.Table]:
    file = pq.ParquetFile(path, pre_buffer=False)
    names = file.schema_arrow.names
    _check_names(path, names)
    _check_rows(path, file.metadata.num_rows, names)
    for batch in file.iter_batches(rows_at_once(len(names))):
        yield pa.Table.from_batches([batch])


def _arrow_pieces(path: Path) -> Iterator[pa.Table]:
    names, n_rows = arrow_schema(path).names, 0
    _check_names(path, names)
    for piece in arrow_pieces(path, rows_at_once(len(names))):
        n_rows += len(piece)
        yield piece
    _check_rows(path, n_rows, names)


def _csv_pieces(path: Path, types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    _check_header(path)
    n_rows, names = 0, []
    for table in read_delimited(path, types, lambda names: _check_names(path, names)):
        n_rows, names = n_rows + table.num_rows, table.column_names
        for start in range(0, table.num_rows, rows_at_once(len(names))):
            yield table.slice(start, rows_at_once(len(names)))
    _check_rows(path, n_rows, names)


def _query_pieces(path: Path) -> Iterator[pa.Table]:
    n_rows, names = 0, []
    for table in query_pieces(path, lambda names: _check_names(path, names)):
        n_rows, names = n_rows + table.num_rows, table.column_names
        yield table
    _check_rows(path, n_rows, names)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a reader says of a broken file into an error that a person can act on."""
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise  # of a temporary file: nothing is wrong with this one
        is_let = not (isinstance(error, OSError) and error.errno in _NOT_LET)
        hint = "export the file again; it may be truncated or of another type"
        if "UTF" in str(error).upper():
            hint = "write it as UTF-8, or as Parquet; it may be Latin-1"
        raise DataError(
            path,
            "must be readable",
            found=" ".join(str(error).split()),
            hint=hint if is_let else "let this user read it",
        ) from None


def _kind(path: Path) -> str:
    """Return the first of the suffixes that mean the same as that of ``path``."""
    name = path.name.lower()
    for suffixes in (PARQUET, CSV, ARROW, (QUERY,)):
        if name.endswith(suffixes):
            return suffixes[0]
    hint = "write it with commas as .csv, or as .parquet"
    raise DataError(
        path,
        "must be a Parquet, CSV or Arrow file",
        found=f"a name that ends in `{path.suffix}`",
        hint=hint if path.suffix.lower() in _DELIMITED else f"use one of {', '.join(SUFFIXES)}",
    )


def plain_table(table: pa.Table) -> pa.Table:
    """Return the same rows with nullable columns of plain types, no metadata, one chunk each.

    Dictionaries become their values, the variants of text become one, and NaN is missing like any
    other missing value, so that equal content has one form whichever program wrote it.
    """
    fields = [pa.field(field.name, _plain_type(field.type)) for field in table.schema]
    table = table.replace_schema_metadata(None).cast(pa.schema(fields))
    for i, field in enumerate(fields):
        if pa.types.is_floating(field.type):
            values = table.column(i)
            table = table.set_column(i, field, pc.if_else(pc.is_nan(values), None, values))
    return table.combine_chunks()


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return pa.string() if any(is_text(kind) for is_text in _TEXT) else kind


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(
            path,
            "must be a file",
            found="a directory",
            hint=f"name the files in it: {path}/*.parquet",
        )
    if not path.exists():
        raise DataError(
            path, "must exist", found="no such file", hint="check the path in ingest.source"
        )
    if not path.is_file():
        raise DataError(
            path,
            "must be a file",
            found="a pipe or a device",
            hint="write it to a file first; tables are read more than once",
        )
    if path.stat().st_size == 0:
        raise DataError(path, "must hold rows", found="an empty file", hint="export the file again")


def _check_header(path: Path) -> None:
    """Refuse a first line that is no header of ours, before anything is made of its cells."""
    with pa.input_stream(str(path), compression="detect") as file:
        start = bytes(file.read(HEADER_BYTES))
    _check_width(path, start.partition(b"\n")[0].count(b",") + 1)
    check_form(path, start)


def _check_width(path: Path, n_columns: int) -> None:
    if n_columns > MAX_COLUMNS:
        raise DataError(
            path,
            f"must have at most {MAX_COLUMNS:,} columns",
            found=f"{n_columns:,} or more",
            hint="export the columns that matter; a table of cells needs a row for each",
        )


def _check_names(path: Path, names: Sequence[str]) -> None:
    _check_width(path, len(names))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            path,
            "each column must have a name of its own",
            found=f"{', '.join(map(repr, repeated))} more than once",
            hint="rename or remove the repeated columns",
        )


def _check_rows(path: Path, n_rows: int, names: Sequence[str]) -> None:
    if n_rows == 0:
        raise DataError(
            path,
            "must hold rows",
            found=f"no rows under {len(names)} columns",
            hint="export the file again, or leave it out of ingest.source",
        )
