"""Columns of files larger than memory: read and written table by table.

A file is told by its suffix: ``.parquet``, ``.csv``, ``.npy`` of shape (n_rows,) or (n_rows,
n_columns), or ``.f64``, the bare bytes of one column of little-endian float64. Columns of the last
two are called x0, x1 and so on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from modemap.errors import DataError
from modemap.files import staged_file

__all__ = ["SUFFIXES", "Tables", "Watch", "open_tables", "unwatched", "writing"]

SUFFIXES = (".csv", ".f64", ".npy", ".parquet")
ROWS = 1 << 20  # of a table
FLOAT = np.dtype("<f8")

Watch = Callable[[Iterable[pa.Table], str, int | None], Iterable[pa.Table]]


class Tables:
    """The chosen columns of a file, as tables that can be read again and again.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of the chosen columns.
    remarks : dict
        What the file says of itself.
    n_rows : int or None
        None where only reading would tell.
    """

    def __init__(
        self,
        schema: pa.Schema,
        n_rows: int | None,
        read: Callable[[int], Iterator[pa.Table]],
        remarks: dict[bytes, bytes] | None = None,
    ) -> None:
        self.schema, self.n_rows, self._read = schema, n_rows, read
        self.remarks = remarks or {}

    def batches(self, first: int = 0) -> Iterator[pa.Table]:
        """Yield the tables from number ``first`` on, at most a million rows each."""
        yield from self._read(first)

    def watched(self, watch: Watch, what: str) -> "Tables":
        """Return the same tables, which ``watch`` sees go by, with the number there will be."""
        total = None if self.n_rows is None else -(-self.n_rows // ROWS)
        read = self._read

        def watched(first: int) -> Iterator[pa.Table]:
            left = None if total is None else max(total - first, 0)
            return iter(watch(read(first), what, left))

        return Tables(self.schema, self.n_rows, watched, self.remarks)


def unwatched(tables: Iterable[pa.Table], what: str, total: int | None) -> Iterable[pa.Table]:
    """Return the tables as they are: nobody watches."""
    del what, total
    return tables


def open_tables(path: Path, columns: Sequence[str] = ()) -> Tables:
    """Return ``columns`` of a file; all columns of numbers where none is named.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another kind, or a column is absent. A CSV file is
        read to its end before that can be known, so reading raises it too.
    """
    with _told(path):
        match _suffix(path):
            case ".parquet":
                return _parquet(path, columns)
            case ".csv":
                return _csv(path, columns)
            case ".npy":
                return _array(path, np.load(path, mmap_mode="r"), columns)
            case _:
                if path.stat().st_size % FLOAT.itemsize:
                    raise ValueError(f"{path.stat().st_size} bytes, no multiple of 8")
                is_empty = path.stat().st_size == 0
                return _array(path, np.empty(0) if is_empty else np.memmap(path, FLOAT), columns)


@contextmanager
def writing(
    path: Path, schema: pa.Schema, n_rows: int | None
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends tables of ``schema``; the file appears when all are written.

    Raises
    ------
    DataError
        If the suffix is none that is known, or the file cannot hold such columns.
    """
    suffix = _suffix(path)
    if suffix == ".f64" and len(schema) > 1:
        names = ", ".join(schema.names)
        raise DataError(
            path, "holds one column", found=names, hint="write .npy or .parquet instead"
        )
    with staged_file(path) as temporary:
        if suffix == ".parquet":
            with pq.ParquetWriter(temporary, schema, compression="zstd") as parquet:
                yield parquet.write_table
        elif suffix == ".csv":
            with pc.CSVWriter(temporary, schema) as text:
                yield text.write_table
        else:
            with temporary.open("wb") as file:
                if suffix == ".npy":
                    _write_header(file, schema, n_rows)

                def append(table: pa.Table) -> None:
                    file.write(_matrix(table).tobytes())

                yield append


def _ahead(read: Callable[[int], Iterator[pa.Table]]) -> Callable[[int], Iterator[pa.Table]]:
    """Let ``read`` fetch the next table while there is work on the one before."""

    @wraps(read)
    def reading(first: int) -> Iterator[pa.Table]:
        tables = read(first)
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(next, tables, None)
            while (table := coming.result()) is not None:
                coming = pool.submit(next, tables, None)
                yield table

    return reading


def _suffix(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise DataError(
            path,
            f"must end in one of {', '.join(SUFFIXES)}",
            found=path.suffix or "no suffix",
            hint="rename the file, or convert it",
        )
    return path.suffix


def _parquet(path: Path, columns: Sequence[str]) -> Tables:
    file = pq.ParquetFile(path, memory_map=True)
    schema = _chosen(path, file.schema_arrow, columns)

    @_ahead
    def read(first: int) -> Iterator[pa.Table]:
        with _told(path):
            for batch in islice(file.iter_batches(ROWS, columns=schema.names), first, None):
                yield pa.Table.from_batches([batch])

    return Tables(schema, file.metadata.num_rows, read, file.schema_arrow.metadata)


def _csv(path: Path, columns: Sequence[str]) -> Tables:
    with pc.open_csv(path) as reader:
        schema = _chosen(path, reader.schema, columns)
    options = pc.ConvertOptions(
        include_columns=schema.names, column_types={field.name: field.type for field in schema}
    )

    @_ahead
    def read(first: int) -> Iterator[pa.Table]:
        with _told(path), pc.open_csv(path, convert_options=options) as reader:
            for batch in islice(reader, first, None):
                yield pa.Table.from_batches([batch])

    return Tables(schema, None, read)


def _array(path: Path, array: Any, columns: Sequence[str]) -> Tables:
    rows = array[:, np.newaxis] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.dtype.kind not in "iuf":  # noqa: PLR2004
        raise ValueError(f"an array of shape {array.shape} of {array.dtype}")
    number = pa.from_numpy_dtype(rows.dtype)
    all_fields = [pa.field(f"x{j}", number) for j in range(rows.shape[1])]
    schema = _chosen(path, pa.schema(all_fields), columns)
    places = [int(name[1:]) for name in schema.names]

    @_ahead
    def read(first: int) -> Iterator[pa.Table]:
        for start in range(first * ROWS, len(rows), ROWS):
            part = rows[start : start + ROWS]
            yield pa.table([pa.array(np.array(part[:, j])) for j in places], schema=schema)

    return Tables(schema, len(rows), read)


def _chosen(path: Path, schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """Return the named fields, or all that are numbers, without the file's own remarks."""
    known = {field.name: field for field in schema}
    absent = [name for name in columns if name not in known]
    names = columns or [name for name, field in known.items() if _is_number(field.type)]
    texts = [name for name in names if name in known and not _is_number(known[name].type)]
    if absent or texts or not names:
        found = (
            f"no column {', '.join(absent)}"
            if absent
            else f"text in column {', '.join(texts)}"
            if texts
            else f"columns {', '.join(known)}"
        )
        raise DataError(
            path,
            "must have the columns, of numbers",
            found=found,
            hint=f"choose among {', '.join(n for n, f in known.items() if _is_number(f.type))}",
        )
    return pa.schema([known[name] for name in names])


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _write_header(file: Any, schema: pa.Schema, n_rows: int | None) -> None:
    dtype = np.result_type(*[field.type.to_pandas_dtype() for field in schema])
    shape = (n_rows, len(schema)) if len(schema) > 1 else (n_rows,)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _matrix(table: pa.Table) -> Any:
    """Return the rows as an array of the type that all columns share."""
    kinds = [field.type.to_pandas_dtype() for field in table.schema]
    dtype = np.result_type(*kinds)
    arrays = [column.to_numpy().astype(dtype, copy=False) for column in table.columns]
    return np.column_stack(arrays) if len(arrays) > 1 else arrays[0]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a reader says of a broken file into an error that a person can act on."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(path, "must exist", found="no such file", hint="check the path") from None
    except (pa.ArrowException, ValueError, OSError) as error:
        found = " ".join(str(error).split())
        hint = "write the file anew, or name another"
        raise DataError(
            path, f"must be a whole {path.suffix} file", found=found, hint=hint
        ) from None
