"""What `ingest.source` names: the packaged flights, a file, or a glob of files."""

import glob
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from modemap.data.flights import FLIGHT_TYPES, FLIGHTS, derive_flight_columns, packaged_months
from modemap.data.ingested import Ingested
from modemap.data.partitions import partition_types, with_partitions
from modemap.data.tables import read_tables
from modemap.errors import DataError

__all__ = ["source_files", "source_pieces", "source_root"]


def source_pieces(
    source: str, months: Sequence[int] = (), known: Ingested | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the rows of ``source`` in pieces, each with the name of its part.

    A part is a file or a month of the packaged flights; its pieces follow each other. A file's name
    is relative to the folder that the path or glob starts in, so it says nothing of the machine.
    Files come in the order of their names. Columns of flights are typed and completed wherever a
    file has them all. Of a file that is ``known``, what is known comes in place of its pieces.

    Raises
    ------
    DataError
        If there is no such file, a file cannot be read, or files differ in their columns.
    """
    return packaged_months(months) if source == FLIGHTS else _file_pieces(source, known)


def source_files(source: str) -> list[Path]:
    """Return the files of ``source`` in their order; the packaged flights are none."""
    return [] if source == FLIGHTS else [path for _, path in _files(source)]


def _file_pieces(source: str, known: Ingested | None) -> Iterator[tuple[str, Any]]:
    first: tuple[Path, pa.Schema] | None = None
    files = _files(source)
    types = partition_types(name for name, _ in files)
    for name, path in files:
        found = None if known is None else known.find(name, path)
        if found is not None and not _has_types(found.schema, types):
            found = None  # another folder's name has turned a column of numbers into one of texts
        for piece in _pieces(name, path, types) if found is None else [found]:
            if first is None:
                first = path, piece.schema
            elif piece.schema != first[1]:
                raise DataError(
                    path,
                    f"must have the columns and types of {first[0]}",
                    found=_difference(piece.schema, first[1]),
                    hint="export both alike; Parquet keeps types, CSV leaves them to be guessed",
                )
            yield name, piece


def _pieces(name: str, path: Path, types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    for piece in read_tables(path, FLIGHT_TYPES):
        yield _completed(path, with_partitions(name, piece, types))


def _has_types(schema: pa.Schema, types: Mapping[str, pa.DataType]) -> bool:
    known = [name for name in types if name in schema.names]
    return all(schema.field(name).type == types[name] for name in known)


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
