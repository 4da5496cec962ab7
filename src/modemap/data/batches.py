"""The folder of batches: Parquet files named by their content, and the manifest that lists them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modemap.errors import DataError
from modemap.files import read_json, sha256_file, staged_directory, write_json

__all__ = [
    "Batch",
    "Manifest",
    "read_batch",
    "read_batches",
    "read_manifest",
    "write_batches",
    "write_parquet",
]

MANIFEST = "manifest.json"
FORMAT = 1
ROWS_PER_GROUP = 1 << 17


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


def write_batches(
    directory: Path, tables: Iterable[tuple[str, pa.Table]], exclude: Collection[str] = ()
) -> Manifest:
    """Replace ``directory`` by a batch for each named table and the manifest.

    The same content twice is one batch, under the first name. A batch whose digest is in
    ``exclude`` is listed as excluded, without its file.

    Raises
    ------
    DataError
        If no batch is left. What stood in ``directory`` stays then, as after any failure.
    """
    kept: dict[str, Batch] = {}
    excluded: dict[str, Batch] = {}
    with staged_directory(directory) as staged:
        for source, table in tables:
            batch, file = _written(staged, source, table)
            if batch.digest in exclude:
                excluded.setdefault(batch.digest, batch)
                file.unlink()
            else:
                kept.setdefault(batch.digest, batch)
                file.rename(staged / batch.file_name)
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


def read_batches(
    directory: Path, columns: Sequence[str] | None = None
) -> Iterator[tuple[Batch, pa.Table]]:
    """Yield each batch with its rows, in the manifest's order; see :func:`read_batch`."""
    for batch in read_manifest(directory).batches:
        yield batch, read_batch(directory, batch, columns)


def read_batch(directory: Path, batch: Batch, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of ``batch``, of those ``columns`` that it has, all by default.

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
    digest = sha256_file(path)
    if digest != batch.digest:
        raise DataError(
            path,
            f"must have the content that {MANIFEST} names, sha256 {batch.digest}",
            found=f"sha256 {digest}",
            hint="run `dvc repro --force ingest`; someone changed or damaged the file",
        )
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    wanted = names if columns is None else [name for name in columns if name in names]
    return file.read(columns=wanted).select(wanted)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write ``table`` so that equal content gives equal bytes."""
    pq.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        path,
        version="2.6",
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
    )


def _written(directory: Path, source: str, table: pa.Table) -> tuple[Batch, Path]:
    path = directory / "batch.tmp"
    write_parquet(path, table)
    batch = Batch(sha256_file(path), source, table.num_rows, path.stat().st_size)
    return batch, path
