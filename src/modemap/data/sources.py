"""What `ingest.source` names: the packaged flights, a file, or a glob of files."""

import glob
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from modemap.data.flights import FLIGHT_TYPES, FLIGHTS, derive_flight_columns, packaged_months
from modemap.data.partitions import partition_types, with_partitions
from modemap.data.tables import read_table, read_tables
from modemap.errors import DataError

__all__ = ["source_files", "source_pieces", "source_root", "source_tables"]


def _whole(path: Path, csv_types: Mapping[str, pa.DataType]) -> Iterable[pa.Table]:
    yield read_table(path, csv_types)


def source_tables(source: str, months: Sequence[int] = ()) -> Iterator[tuple[str, pa.Table]]:
    """Yield name and rows of each part of ``source``: a file, or a month of the packaged flights.

    A file's name is relative to the folder that the path or glob starts in, so it says nothing of
    the machine. Files come in the order of their names. Columns of flights are typed and completed
    wherever a file has them all.

    Raises
    ------
    DataError
        If there is no such file, a file cannot be read, or files differ in their columns.
    """
    return packaged_months(months) if source == FLIGHTS else _file_tables(source)


def source_pieces(source: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield what :func:`source_tables` yields of files, each file cut into pieces."""
    return _file_tables(source, read_tables)


def source_files(source: str) -> list[Path]:
    """Return the files of ``source`` in their order; the packaged flights are none."""
    return [] if source == FLIGHTS else [path for _, path in _files(source)]


def _file_tables(
    source: str,
    read: Callable[[Path, Mapping[str, pa.DataType]], Iterable[pa.Table]] = _whole,
) -> Iterator[tuple[str, pa.Table]]:
    first: tuple[Path, pa.Schema] | None = None
    files = _files(source)
    types = partition_types(name for name, _ in files)
    for name, path in files:
        for piece in read(path, FLIGHT_TYPES):
            table = _completed(path, with_partitions(name, piece, types))
            if first is None:
                first = path, table.schema
            elif table.schema != first[1]:
                raise DataError(
                    path,
                    f"must have the columns and types of {first[0]}",
                    found=_difference(table.schema, first[1]),
                    hint="export both alike; Parquet keeps types, CSV leaves them to be guessed",
                )
            yield name, table


def _completed(path: Path, table: pa.Table) -> pa.Table:
    try:
        return derive_flight_columns(table)
    except pa.ArrowInvalid as error:
        raise DataError(
            path,
            "columns of flights must hold what these columns hold",
            found=" ".join(str(error).split()),
            hint="mend the file, or rename the columns if these are no flights",
        ) from None


def source_root(source: str) -> Path:
    """Return the file that ``source`` names, or the folder that its glob starts in."""
    path = Path(source)
    if path.exists() or not glob.has_magic(source):
        return path
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))


def _files(source: str) -> list[tuple[str, Path]]:
    root = source_root(source)
    if root == Path(source):
        return [(root.name, root)]
    # As in a shell, `*` matches no hidden file; Path.glob would take half-written ones.
    found = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207
    if not found:
        raise DataError(
            source,
            "must match at least one file",
            found="no such file",
            hint="check the pattern in ingest.source; it is read from the project's folder",
        )
    return sorted((match.relative_to(root).as_posix(), match) for match in found)


def _difference(schema: pa.Schema, expected: pa.Schema) -> str:
    missing = [name for name in expected.names if name not in schema.names]
    extra = [name for name in schema.names if name not in expected.names]
    changed = [
        f"{field.name} is {field.type}, not {expected.field(field.name).type}"
        for field in schema
        if field.name in expected.names and field.type != expected.field(field.name).type
    ]
    parts = [f"no {name}" for name in missing] + [f"{name} besides" for name in extra] + changed
    return "; ".join(parts) or f"another order: {', '.join(schema.names)}"
