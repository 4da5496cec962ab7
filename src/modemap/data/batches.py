"""The folder of batches: Parquet files named by their content, and the manifest that lists them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modemap.data.tables import rows_at_once
from modemap.errors import DataError
from modemap.files import read_json, sha256_file, staged_directory, write_json

__all__ = [
    "Batch",
    "Manifest",
    "batch_file",
    "read_batch",
    "read_manifest",
    "read_pieces",
    "write_batches",
    "write_parquet",
    "writing_parquet",
]

MANIFEST = "manifest.json"
FORMAT = 1
PARTITION_ROWS = 1 << 22
MOST_DISTINCT = 0.5  # of the rows of a full first row group, in a column with a dictionary


@dataclass(frozen=True)
class Batch:
    """One Parquet file of rows; ``digest`` is the sha256 of its bytes."""

    digest: str
    source: str
    rows: int
    bytes: int

    @property
    def file_name(self) -> str:
        """Return the file's name in the folder of batches."""
        return f"{self.digest[:16]}.parquet"


@dataclass(frozen=True)
class Manifest:
    """The batches in their order, and those that were left out on purpose."""

    batches: tuple[Batch, ...]
    excluded: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows in all batches."""
        return sum(batch.rows for batch in self.batches)


class Rows(Protocol):
    """Knows how many rows are read at once."""

    def piece_rows(self, n_columns: int) -> int:
        """Return how many rows of so many columns."""
        ...


class Past(Protocol):
    """Knows what became of parts in earlier runs."""

    def bring(self, batch: Batch, folder: Path) -> None:
        """Let the file of ``batch`` stand in ``folder`` too."""
        ...

    def keep(self, name: str, schema: pa.Schema, batches: Sequence[Batch]) -> None:
        """Remember what became of the part ``name``."""
        ...


def write_batches(
    directory: Path,
    pieces: Iterable[tuple[str, Any]],
    exclude: Collection[str] = (),
    partition_rows: int = PARTITION_ROWS,
    past: Past | None = None,
) -> Manifest:
    """Replace ``directory`` by the batches of all parts and the manifest.

    A part is what follows each other under one name. It becomes a batch, or several if it has more
    than ``partition_rows`` rows, which then are named ``part[first:last]``. The same content twice
    is one batch, under the first name. A batch whose digest is in ``exclude`` is listed as
    excluded, without its file. With a ``past``, a piece may be what it found of a whole part.

    Raises
    ------
    DataError
        If no batch is left. What stood in ``directory`` stays then, as after any failure.
    """
    kept: dict[str, Batch] = {}
    excluded: dict[str, Batch] = {}
    with staged_directory(directory) as staged:
        for source, part in groupby(pieces, key=itemgetter(0)):
            tables = (table for _, table in part)
            batches = _part(staged, source, tables, partition_rows, past)
            for batch in _named(source, batches):
                group = excluded if batch.digest in exclude else kept
                group.setdefault(batch.digest, batch)
        for batch in excluded.values():
            (staged / batch.file_name).unlink(missing_ok=True)
        if not kept:
            raise DataError(
                directory,
                "at least one batch must be left",
                found=f"{len(excluded)} batches, all of them in ingest.exclude",
                hint="take a digest out of ingest.exclude, or name another source",
            )
        manifest = Manifest(tuple(kept.values()), tuple(excluded.values()))
        write_json(staged / MANIFEST, {"format": FORMAT, **asdict(manifest)})
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest in ``directory``.

    Raises
    ------
    DataError
        If it is missing or is no manifest.
    """
    path = directory / MANIFEST
    try:
        document = read_json(path)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}")
        batches, excluded = (
            tuple(Batch(**entry) for entry in document[key]) for key in ("batches", "excluded")
        )
    except FileNotFoundError:
        raise DataError(
            path, "must exist", found="no such file", hint="run `dvc repro ingest`"
        ) from None
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise DataError(
            path,
            f"must list the batches in format {FORMAT}",
            found=f"{type(error).__name__}: {error}",
            hint="run `dvc repro --force ingest`",
        ) from None
    return Manifest(batches, excluded)


def read_batch(directory: Path, batch: Batch, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of :func:`read_pieces` in one table."""
    return pa.concat_tables(read_pieces(directory, batch, columns)).combine_chunks()


def batch_file(directory: Path, batch: Batch, sha256: Callable[[Path], str] = sha256_file) -> Path:
    """Return the file of ``batch``.

    Raises
    ------
    DataError
        If the file is missing or its bytes are not those that the manifest names.
    """
    path = directory / batch.file_name
    if not path.is_file():
        raise DataError(
            path,
            "the batch must be there",
            found="no such file",
            hint="run `dvc repro --force ingest`",
        )
    digest = sha256(path)
    if digest != batch.digest:
        raise DataError(
            path,
            f"must have the content that {MANIFEST} names, sha256 {batch.digest}",
            found=f"sha256 {digest}",
            hint="run `dvc repro --force ingest`; someone changed or damaged the file",
        )
    return path


def read_pieces(
    directory: Path,
    batch: Batch,
    columns: Sequence[str] | None = None,
    memory: Rows | None = None,
    sha256: Callable[[Path], str] = sha256_file,
) -> Iterator[pa.Table]:
    """Yield the rows of ``batch`` in pieces, of those ``columns`` that it has, all by default.

    A piece is a row group, or as many rows of one as ``memory`` allows. ``sha256`` says what the
    file holds.

    Raises
    ------
    DataError
        If the file is missing or its bytes are not those that the manifest names.
    """
    path = batch_file(directory, batch, sha256)
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    wanted = names if columns is None else [name for name in columns if name in names]
    if not wanted or not file.num_row_groups:
        yield file.schema_arrow.empty_table().select(wanted)
    most = file.metadata.num_rows if memory is None else memory.piece_rows(len(wanted))
    for group in range(file.num_row_groups if wanted else 0):
        size = file.metadata.row_group(group).num_rows
        if size <= most:
            yield file.read_row_group(group, columns=wanted).select(wanted)
            continue
        for part in file.iter_batches(most, row_groups=[group], columns=wanted):
            yield pa.Table.from_batches([part]).select(wanted)


@contextmanager
def writing_parquet(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends rows of ``schema`` to the Parquet file ``path``.

    Equal content gives equal bytes, however it is cut: row groups are filled one after the other.
    """
    schema, size = schema.remove_metadata(), rows_at_once(len(schema))
    waiting: list[pa.Table] = []
    writer: pq.ParquetWriter | None = None

    def write(group: pa.Table) -> None:
        nonlocal writer
        if writer is None:
            coded = _coded_columns(group, size)
            settings = {"version": "2.6", "compression": "zstd", "use_dictionary": coded}
            writer = pq.ParquetWriter(path, schema, **settings)
        writer.write_table(group, row_group_size=size)

    def append(table: pa.Table, *, is_last: bool = False) -> None:
        waiting.append(table.replace_schema_metadata(None))
        while (n_rows := sum(map(len, waiting))) >= size or (is_last and n_rows):
            rows = pa.concat_tables(waiting)
            write(rows.slice(0, size).combine_chunks())
            waiting[:] = [rows.slice(size)]

    try:
        yield append
        append(schema.empty_table(), is_last=True)
        if writer is None:
            write(schema.empty_table())
    finally:
        if writer is not None:
            writer.close()


def _coded_columns(group: pa.Table, size: int) -> bool | list[str]:
    """Return the columns that get a dictionary: it costs most of the time where values differ."""
    if len(group) < size:
        return True
    most = len(group) * MOST_DISTINCT
    return [
        name
        for name in group.column_names
        if pa.types.is_nested(group[name].type) or pc.count_distinct(group[name]).as_py() <= most
    ]


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write ``table`` so that equal content gives equal bytes."""
    with writing_parquet(path, table.schema) as append:
        append(table)


def _part(
    directory: Path,
    source: str,
    tables: Iterator[Any],
    partition_rows: int,
    past: Past | None,
) -> Sequence[Batch]:
    """Bring the batches of a part to ``directory``: from its rows, or as they were found."""
    first = next(tables)
    if past is not None and not isinstance(first, pa.Table):
        for batch in first.batches:
            past.bring(batch, directory)
        return tuple(first.batches)
    batches = list(_written(directory, chain([first], tables), partition_rows))
    if past is not None:
        past.keep(source, first.schema, batches)
    return batches


def _written(directory: Path, pieces: Iterator[pa.Table], partition_rows: int) -> Iterator[Batch]:
    """Write the rows of a part to as many files as they need, yield their numbers."""
    path, rest = directory / "batch.tmp", next(pieces, None)
    while rest is not None:
        n_rows = 0
        with writing_parquet(path, rest.schema) as append:
            while rest is not None and n_rows < partition_rows:
                head = rest.slice(0, partition_rows - n_rows)
                append(head)
                n_rows += len(head)
                rest = rest.slice(len(head))
                rest = rest if len(rest) else next(pieces, None)
        batch = Batch(sha256_file(path), "", n_rows, path.stat().st_size)
        path.rename(directory / batch.file_name)
        yield batch


def _named(source: str, batches: Sequence[Batch]) -> Iterator[Batch]:
    first = 0
    for batch in batches:
        last = first + batch.rows
        name = source if len(batches) == 1 else f"{source}[{first}:{last}]"
        yield replace(batch, source=name)
        first = last
