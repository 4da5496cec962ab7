"""Files and streams of Arrow IPC, read batch by batch."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

__all__ = ["SUFFIXES", "arrow_pieces", "arrow_schema"]

SUFFIXES = (".arrow", ".arrows", ".feather", ".ipc")
MAGIC = b"ARROW1"  # begins a file, with batches found by its footer; a stream has no such mark


def arrow_schema(path: Path) -> pa.Schema:
    """Return the schema of a file or stream; raise what Arrow says where it is none."""
    with pa.memory_map(str(path)) as source:
        return _opened(source).schema


def arrow_pieces(path: Path, n_rows: int) -> Iterator[pa.Table]:
    """Yield tables of at most ``n_rows`` rows; raise what Arrow says of a damaged batch.

    The file is mapped, so no more than a batch has to be in memory; every batch is validated.
    """
    with pa.memory_map(str(path)) as source:
        for batch in _batches(_opened(source)):
            batch.validate(full=True)
            for start in range(0, batch.num_rows, n_rows):
                yield pa.Table.from_batches([batch.slice(start, n_rows)])


def _opened(source: pa.NativeFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    begins_as_file = source.read(len(MAGIC)) == MAGIC
    source.seek(0)
    return pa.ipc.open_file(source) if begins_as_file else pa.ipc.open_stream(source)


def _batches(
    reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader,
) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)
