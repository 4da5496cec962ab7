"""The folder of batches: content decides names, and nothing is half written."""

import hashlib

import pyarrow as pa
import pytest

from modemap.data.batches import read_batch, read_batches, read_manifest, write_batches
from modemap.errors import DataError

ONE, TWO = pa.table({"n": [1, 2], "x": [0.5, None]}), pa.table({"n": [3], "x": [1.5]})


def _bytes(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_batches_come_back_in_the_manifests_order(tmp_path):
    """Rows, names, numbers of rows and bytes, and digests are those of the files."""
    written = write_batches(tmp_path / "raw", [("one", ONE), ("two", TWO)])

    assert read_manifest(tmp_path / "raw") == written
    assert written.rows == 3
    for (batch, table), (name, expected) in zip(
        read_batches(tmp_path / "raw"), [("one", ONE), ("two", TWO)], strict=True
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
    assert [batch.source for batch, _ in read_batches(tmp_path / "raw")] == ["two"]
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
        list(read_batches(tmp_path / "raw"))
    assert caught.value.place == str(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        list(read_batches(tmp_path / "raw"))


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
