"""Arrow IPC is read as file and as stream, compressed or not, and refused when damaged."""

import bz2
import gzip

import pyarrow as pa
import pytest

from modemap.data.tables import plain_table, read_tables
from modemap.errors import DataError

ROWS = pa.table({"n": range(1000), "at": ["N", None] * 500})


def _write(path, table=ROWS, *, stream=False, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(str(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=300)
    return path


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_files_and_streams_give_the_rows(tmp_path, stream, compression):
    """The content tells which of the two it is; pieces are the batches, in their order."""
    path = _write(tmp_path / "rows.arrow", stream=stream, compression=compression)

    pieces = list(read_tables(path, {}))

    assert [len(piece) for piece in pieces] == [300, 300, 300, 100]
    assert plain_table(pa.concat_tables(pieces)) == plain_table(ROWS)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("keep", [5, 200, 0.5])
def test_a_file_that_was_cut_short_is_refused(tmp_path, stream, keep):
    """Whole or in pieces, and with the path in the message."""
    path = _write(tmp_path / "rows.arrow", stream=stream)
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])

    with pytest.raises(DataError, match=r"rows\.arrow: must be readable"):
        list(read_tables(path, {}))


def test_arrow_without_rows_or_with_repeated_columns_is_refused(tmp_path):
    """As of every other kind of file."""
    empty = _write(tmp_path / "a.arrow", ROWS.slice(0, 0))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"])
    repeated = _write(tmp_path / "b.arrow", twice)

    with pytest.raises(DataError, match="must hold rows"):
        list(read_tables(empty, {}))
    with pytest.raises(DataError, match="'n' more than once"):
        list(read_tables(repeated, {}))


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", lambda d: pa.compress(d, "zstd"))],
)
def test_compressed_csv_is_read_by_its_name(tmp_path, suffix, pack):
    """The rows are those of the plain file."""
    text = b"n,at\n" + b"".join(b"%d,N\n" % i for i in range(1000))
    (tmp_path / "rows.csv").write_bytes(text)
    packed = tmp_path / f"rows.csv{suffix}"
    packed.write_bytes(bytes(pack(text)))

    assert [*read_tables(packed, {})] == [*read_tables(tmp_path / "rows.csv", {})]
