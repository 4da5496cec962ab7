"""What a source names: the packaged flights, files, queries in files, or objects of a store."""

import glob
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa

from modemap.data.flights import FLIGHT_TYPES, FLIGHTS, derive_flight_columns, packaged_months
from modemap.data.ingested import Ingested
from modemap.data.objects import StoredObject, copied, find_objects, is_stored
from modemap.data.partitions import partition_types, with_partitions
from modemap.data.queries import is_query
from modemap.data.tables import SUFFIXES, read_tables
from modemap.errors import DataError, ParamsError

__all__ = [
    "is_watchable",
    "source_files",
    "source_identity",
    "source_of",
    "source_pieces",
    "source_root",
]

KNOWN_FILES = tuple(f"*{suffix}" for suffix in SUFFIXES)


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
    ParamsError
        If ``source`` is an address that is none of a source, or holds credentials, or the packaged
        flights without ``months``.
    """
    if source != FLIGHTS:
        return _file_pieces(source, known)
    if not months:
        rule = f"must name the months when the source is {FLIGHTS}"
        hint = "list them there, or name a file"
        raise ParamsError("params.yaml: ingest.months", rule, found="none", hint=hint)
    return packaged_months(months)


def source_of(place: str) -> str:
    """Return ``place``, of a folder the pattern of the tables in it.

    Raises
    ------
    DataError
        If there is nothing of this name, or no table in the folder.
    """
    if place == FLIGHTS or is_stored(place):
        return place
    folder = Path(place)
    if not folder.is_dir():
        if not glob.has_magic(place) and not folder.exists():
            rule, hint = "must exist", "check the path"
            raise DataError(place, rule, found="no such file", hint=hint)
        return place
    for pattern in KNOWN_FILES:
        if any(folder.rglob(pattern)):
            return f"{folder.as_posix()}/**/{pattern}"
    hint = f"name a file, or a folder with some of {', '.join(KNOWN_FILES)}"
    raise DataError(place, "must hold tables", found="no table in this folder", hint=hint)


def is_watchable(source: str) -> bool:
    """Tell whether DVC can see by itself that the rows of ``source`` changed."""
    return source == FLIGHTS or not (is_query(source) or is_stored(source))


def source_files(source: str) -> list[Path]:
    """Return the files of this machine that ``source`` names: none of flights or of a store.

    Raises
    ------
    DataError
        If a glob matches nothing.
    """
    if source == FLIGHTS or is_stored(source):
        return []
    return [path for _, path in _files(source) if isinstance(path, Path)]


def source_identity(source: str) -> list[object]:
    """Return what tells whether a source was written anew; no two answers of a query are one."""
    found: list[object] = [source]
    if source == FLIGHTS:
        return found
    if is_query(source):
        return [*found, secrets.token_hex()]
    for _, path in _files(source):
        if isinstance(path, StoredObject):
            found.append((str(path), path.content))
        else:
            status = path.stat()
            found.append((str(path.resolve()), status.st_size, status.st_mtime_ns))
    return found


def _file_pieces(source: str, known: Ingested | None) -> Iterator[tuple[str, Any]]:
    first: tuple[Path | StoredObject, pa.Schema] | None = None
    files = _files(source)
    types = partition_types(name for name, _ in files)
    for name, path in files:
        found = None if known is None or is_query(source) else known.find(name, path)
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


def _pieces(
    name: str, path: Path | StoredObject, types: Mapping[str, pa.DataType]
) -> Iterator[pa.Table]:
    with copied(path) if isinstance(path, StoredObject) else nullcontext(path) as file:
        for piece in read_tables(file, FLIGHT_TYPES):
            yield _completed(file, with_partitions(name, piece, types))


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


def _files(source: str) -> Sequence[tuple[str, Path | StoredObject]]:
    if is_stored(source):
        return find_objects(source)
    root = source_root(source)
    if root == Path(source):
        return [(root.name, root)]
    # As in a shell, `*` matches no hidden file; Path.glob would take half-written ones.
    matches = glob.glob(source, recursive=True)  # noqa: PTH207
    found = [Path(match) for match in matches if is_query(source) or not is_query(match)]
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
