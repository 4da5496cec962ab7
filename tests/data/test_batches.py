"""The folder of batches: content decides names, and nothing is half written."""

import hashlib
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.batches import read_batch, read_manifest, write_batches
from modemap.errors import DataError

ONE, TWO = pa.table({"n": [1, 2], "x": [0.5, None]}), pa.table({"n": [3], "x": [1.5]})


def _bytes(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _read(directory):
    return [read_batch(directory, batch) for batch in read_manifest(directory).batches]


def test_batches_come_back_in_the_manifests_order(tmp_path):
    """Rows, names, numbers of rows and bytes, and digests are those of the files."""
    written = write_batches(tmp_path / "raw", [("one", ONE), ("two", TWO)])

    assert read_manifest(tmp_path / "raw") == written
    assert written.rows == 3
    for batch, table, (name, expected) in zip(
        written.batches, _read(tmp_path / "raw"), [("one", ONE), ("two", TWO)], strict=True
    ):
        content = (tmp_path / "raw" / batch.file_name).read_bytes()
        assert (batch.source, batch.rows, batch.bytes) == (name, len(expected), len(content))
        assert batch.digest == hashlib.sha256(content).hexdigest()
        assert table.equals(expected)


def test_equal_content_gives_equal_bytes(tmp_path):
    """Folder, chunks, metadata and an earlier run do not matter."""
    chunked = pa.concat_tables([ONE.slice(0, 1), ONE.slice(1)])
    for name, table in (("a", ONE), ("b", chunked.replace_schema_metadata({"by": "pandas"}))):
        write_batches(tmp_path / name, [("one", table)])
    write_batches(tmp_path / "b", [("one", ONE)])

    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_the_cut_into_pieces_changes_no_byte(tmp_path):
    """Row groups are filled one after the other, however the rows come."""
    table = pa.table({"n": [1, 2, 3, 4] * 75_000, "x": [0.5, None, 2.0] * 100_000})
    cuts = [0, 1, 131_072, 200_000, 299_999, 300_000]
    pieces = [("one", table.slice(a, b - a)) for a, b in pairwise(cuts)]
    write_batches(tmp_path / "a", [("one", table)])

    manifest = write_batches(tmp_path / "b", pieces)

    pq.write_table(table, tmp_path / "c", version="2.6", compression="zstd", row_group_size=1 << 17)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    name = manifest.batches[0].file_name
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a" / name).read_bytes()


def test_columns_of_different_values_have_no_dictionary(tmp_path):
    """Trying to make one takes most of the time, and it is given up in the end."""
    table = pa.table({"few": [1, 2, 3, 4] * 50_000, "many": range(200_000)})

    manifest = write_batches(tmp_path / "raw", [("one", table)])

    file = pq.ParquetFile(tmp_path / "raw" / manifest.batches[0].file_name)
    group = file.metadata.row_group(0)
    encodings = [group.column(i).encodings for i in range(2)]
    assert ["RLE_DICTIONARY" in each for each in encodings] == [True, False]
    assert read_batch(tmp_path / "raw", manifest.batches[0]).equals(table)


def test_a_large_part_becomes_several_batches(tmp_path):
    """They have a bound on their rows, say which rows of the part they are, and keep the order."""
    parts = [
        ("one", ONE),
        ("two", TWO),
        ("one", ONE.slice(0, 1)),
        ("one", pa.concat_tables([TWO, ONE])),
    ]

    manifest = write_batches(tmp_path / "raw", parts, partition_rows=3)

    assert [(b.source, b.rows) for b in manifest.batches] == [
        ("one", 2), ("two", 1), ("one[0:3]", 3), ("one[3:4]", 1),
    ]  # fmt: skip
    assert pa.concat_tables(_read(tmp_path / "raw")).equals(pa.concat_tables([t for _, t in parts]))


def test_the_same_content_twice_is_one_batch(tmp_path):
    """The first name stays."""
    manifest = write_batches(tmp_path / "raw", [("one", ONE), ("again", ONE), ("two", TWO)])

    assert [batch.source for batch in manifest.batches] == ["one", "two"]
    assert len(list((tmp_path / "raw").glob("*.parquet"))) == 2


def test_an_excluded_batch_is_listed_and_left_out(tmp_path):
    """Its file is not there, its name and numbers are."""
    both = write_batches(tmp_path / "raw", [("one", ONE), ("two", TWO)])

    manifest = write_batches(
        tmp_path / "raw", [("one", ONE), ("two", TWO)], exclude=[both.batches[0].digest]
    )

    assert manifest.batches == both.batches[1:]
    assert manifest.excluded == both.batches[:1]
    [table] = _read(tmp_path / "raw")
    assert table.equals(TWO)
    assert not (tmp_path / "raw" / both.batches[0].file_name).exists()


def test_a_failure_leaves_what_was_there(tmp_path):
    """A source that fails on its second part, or excludes all, changes nothing."""
    first = write_batches(tmp_path / "raw", [("one", ONE)])
    before = _bytes(tmp_path / "raw")

    def failing():
        yield "two", TWO
        raise DataError("two.csv", "must be readable", found="noise", hint="export it again")

    with pytest.raises(DataError, match=r"two\.csv"):
        write_batches(tmp_path / "raw", failing())
    with pytest.raises(DataError, match="at least one batch must be left"):
        write_batches(tmp_path / "raw", [("one", ONE)], exclude=[first.batches[0].digest])

    assert _bytes(tmp_path / "raw") == before
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_only_the_columns_asked_for_are_read(tmp_path):
    """They come in the order asked for; a column that is not there is left out."""
    manifest = write_batches(tmp_path / "raw", [("one", ONE)])

    table = read_batch(tmp_path / "raw", manifest.batches[0], ["x", "nope", "n"])

    assert table.column_names == ["x", "n"]


def test_a_changed_or_missing_batch_is_named(tmp_path):
    """Every read compares the file with the digest in the manifest."""
    manifest = write_batches(tmp_path / "raw", [("one", ONE)])
    path = tmp_path / "raw" / manifest.batches[0].file_name
    content = path.read_bytes()

    path.write_bytes(content[:-1] + b"?")
    with pytest.raises(DataError, match="someone changed or damaged") as caught:
        _read(tmp_path / "raw")
    assert caught.value.place == str(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        _read(tmp_path / "raw")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "\xff"])
def test_a_manifest_that_is_none_is_refused(tmp_path, content):
    """Neither JSON of another kind nor noise passes for a manifest."""
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")

    with pytest.raises(DataError, match="must list the batches in format 1"):
        read_manifest(tmp_path)


def test_a_missing_manifest_says_what_to_run(tmp_path):
    """The hint is the command that writes it."""
    with pytest.raises(DataError, match="dvc repro ingest"):
        read_manifest(tmp_path)
