"""One Parquet, Arrow or CSV file as an Arrow table with plain types, or the reason why not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from modemap.data.arrow_files import SUFFIXES as ARROW
from modemap.data.arrow_files import arrow_pieces, arrow_schema
from modemap.errors import DataError

__all__ = ["SUFFIXES", "csv_options", "plain_table", "read_table", "read_tables"]

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
SUFFIXES = PARQUET + CSV + ARROW
NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]

MAX_COLUMNS = 10_000  # of a table; a header with more is no table's
HEADER_BYTES = 1 << 20  # within which the first line is looked for
ROWS_AT_ONCE = 1 << 17

_TEXT = (pa.types.is_large_string, pa.types.is_string_view)


def read_table(path: Path, csv_types: Mapping[str, pa.DataType]) -> pa.Table:
    """Read ``path`` whole, with rows in the file's order and plain types.

    A CSV file's columns get the types in ``csv_types`` if the file has all of these columns, and
    inferred types otherwise. In unquoted cells, nothing and the usual spellings of a missing value
    (NA, NaN, null, None) are missing.

    Raises
    ------
    DataError
        If the file is missing, a directory, empty, truncated, of another type, without rows, or has
        two columns of one name.
    """
    _check_is_file(path)
    kind = _kind(path)
    with _told(path):
        if kind == ARROW:
            schema = arrow_schema(path)
            _check_names(path, schema.names)
            table = pa.concat_tables([schema.empty_table(), *arrow_pieces(path, ROWS_AT_ONCE)])
        elif kind == PARQUET:
            file = pq.ParquetFile(path, pre_buffer=False)
            _check_names(path, file.schema_arrow.names)
            table = file.read()
        else:
            table = _read_csv(path, csv_types)
    _check_rows(path, table.num_rows, table.column_names)
    return plain_table(table)


def read_tables(path: Path, csv_types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    """Yield the rows of :func:`read_table` in pieces; of Parquet and Arrow one is in memory.

    Raises
    ------
    DataError
        As :func:`read_table` does, but of what is damaged when it is reached.
    """
    _check_is_file(path)
    kind = _kind(path)
    if kind == CSV:
        table = read_table(path, csv_types)
        for start in range(0, table.num_rows, ROWS_AT_ONCE):
            yield table.slice(start, ROWS_AT_ONCE).combine_chunks()
        return
    pieces = _arrow_pieces(path) if kind == ARROW else _parquet_pieces(path)
    while True:
        with _told(path):
            piece = next(pieces, None)
        if piece is None:
            return
        yield plain_table(piece)


def _parquet_pieces(path: Path) -> Iterator[pa.Table]:
    file = pq.ParquetFile(path, pre_buffer=False)
    names = file.schema_arrow.names
    _check_names(path, names)
    _check_rows(path, file.metadata.num_rows, names)
    for batch in file.iter_batches(ROWS_AT_ONCE):
        yield pa.Table.from_batches([batch])


def _arrow_pieces(path: Path) -> Iterator[pa.Table]:
    names, n_rows = arrow_schema(path).names, 0
    _check_names(path, names)
    for piece in arrow_pieces(path, ROWS_AT_ONCE):
        n_rows += len(piece)
        yield piece
    _check_rows(path, n_rows, names)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a reader says of a broken file into an error that a person can act on."""
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(
            path,
            "must be readable",
            found=" ".join(str(error).split()),
            hint="export the file again; it may be truncated or of another type",
        ) from None


def _kind(path: Path) -> tuple[str, ...]:
    name = path.name.lower()
    for suffixes in (PARQUET, CSV, ARROW):
        if name.endswith(suffixes):
            return suffixes
    raise DataError(
        path,
        "must be a Parquet, CSV or Arrow file",
        found=f"a name that ends in `{path.suffix}`",
        hint=f"use one of {', '.join(SUFFIXES)}",
    )


def csv_options(types: Mapping[str, pa.DataType] | None = None) -> pacsv.ConvertOptions:
    """Return how the cells of a CSV file become values."""
    return pacsv.ConvertOptions(
        column_types=types,
        null_values=NULLS,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
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


def _read_csv(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    _check_header(path)
    with pacsv.open_csv(path, convert_options=csv_options()) as head:
        _check_names(path, head.schema.names)
        known = types if set(types) <= set(head.schema.names) else None
    table = pacsv.read_csv(path, convert_options=csv_options(known))
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise pa.ArrowInvalid(f"column `{field.name}` is not UTF-8 text")
    return table


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
    if path.stat().st_size == 0:
        raise DataError(path, "must hold rows", found="an empty file", hint="export the file again")


def _check_header(path: Path) -> None:
    """Refuse a first line that is no header, before anything is made of its cells."""
    with pa.input_stream(str(path), compression="detect") as file:
        line = bytes(file.read(HEADER_BYTES)).partition(b"\n")[0]
    _check_width(path, line.count(b",") + 1)


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
