"""Objects of a store that speaks S3: a real server of the test's own."""

import gzip
import io

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from pyarrow import feather

from modemap.data import objects, sources
from modemap.data.kept import Kept
from modemap.data.sources import source_identity, source_pieces
from modemap.data.watch import check_watched
from modemap.errors import DataError, ParamsError
from modemap.params import IngestParams
from modemap.stages.ingest import ingest
from tests.stores import object_store


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run a store on loopback; yield its address."""
    with object_store(tmp_path_factory.mktemp("moto")) as address:
        yield address


@pytest.fixture
def bucket(server, monkeypatch):
    """Return an empty bucket, and let the environment name the store."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    store = boto3.resource("s3", endpoint_url=server, config=Config(retries={"max_attempts": 1}))
    bucket = store.create_bucket(Bucket="flights")
    bucket.objects.delete()
    yield bucket
    bucket.objects.delete()
    bucket.delete()


def put(bucket, key, first=0):
    """Put three rows as the kind of table that the key ends in."""
    table, file = pa.table({"n": [first, first + 1, first + 2]}), io.BytesIO()
    if key.endswith(".parquet"):
        pq.write_table(table, file)
    elif key.endswith(".arrow"):
        feather.write_feather(table, file)
    else:
        file.write(gzip.compress("\n".join(["n", *map(str, table["n"].to_pylist()), ""]).encode()))
    bucket.put_object(Key=key, Body=file.getvalue())


@pytest.mark.parametrize("suffix", ["parquet", "csv.gz", "arrow"])
def test_objects_are_read_in_the_order_of_their_keys(bucket, suffix):
    """A pattern means what it means of files: hidden names are left out, folders are columns."""
    for first, name in enumerate(("y=2/b", "y=1/a", "y=1/.c", "y=1/deep/d", "other")):
        put(bucket, f"in/{name}.{suffix}", 10 * first)

    some = list(source_pieces(f"s3://flights/in/*/*.{suffix}"))
    every = [name for name, _ in source_pieces(f"s3://flights/in/y*/**/*.{suffix}")]
    [(name, one)] = source_pieces(f"s3://flights/in/other.{suffix}")

    assert [name for name, _ in some] == [f"y=1/a.{suffix}", f"y=2/b.{suffix}"]
    table = pa.concat_tables(piece for _, piece in some)
    assert table.to_pydict() == {"n": [10, 11, 12, 0, 1, 2], "y": [1, 1, 1, 2, 2, 2]}
    assert every == [f"y=1/a.{suffix}", f"y=1/deep/d.{suffix}", f"y=2/b.{suffix}"]
    assert (name, one["n"].to_pylist()) == (f"other.{suffix}", [40, 41, 42])


def test_an_object_that_did_not_change_is_not_read_again(bucket, tmp_path, monkeypatch):
    """One that did is; whatever changed, the batches are those of a run from scratch."""
    copies, copied = [], objects.copied
    monkeypatch.setattr(
        sources, "copied", lambda found: (copies.append(found.name), copied(found))[1]
    )
    source = IngestParams(source="s3://flights/in/*.parquet")
    for number in (1, 2):
        put(bucket, f"in/{number}.parquet", number)
    kept, raw = Kept(tmp_path / "kept"), tmp_path / "raw"
    ingest(raw, tmp_path / "ingest.json", source, kept)
    before = source_identity(source.source)

    put(bucket, "in/2.parquet", 7)
    put(bucket, "in/3.parquet", 8)
    ingest(raw, tmp_path / "ingest.json", source, kept)
    ingest(tmp_path / "scratch", tmp_path / "ingest.json", source)

    assert copies[:4] == ["1.parquet", "2.parquet", "2.parquet", "3.parquet"]
    assert copies[4:] == ["1.parquet", "2.parquet", "3.parquet"]
    assert source_identity(source.source) != before
    whole = {path.name: path.read_bytes() for path in (tmp_path / "scratch").iterdir()}
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == whole


def refused(source):
    """Return the error that reading ``source`` ends in."""
    with pytest.raises(DataError) as caught:
        list(source_pieces(source))
    assert caught.value.exit_code == 3
    assert caught.value.place.startswith(source.partition("*")[0])
    assert "hunter2" not in str(caught.value)
    return caught.value


def test_what_is_not_there_is_told(bucket):
    """No bucket, no object, no object of this pattern; a folder is none."""
    put(bucket, "in/1.parquet")

    assert refused("s3://gone/1.parquet").hint.startswith("check")
    assert refused("s3://gone/*.parquet").hint.startswith("check")
    for source in ("s3://flights/2.parquet", "s3://flights/in/*.csv", "s3://flights/in"):
        error = refused(source)
        assert error.rule == "must name at least one object"
        assert "*.parquet" in error.hint


def test_an_object_that_goes_after_it_was_listed_is_told(bucket):
    """Somebody removed it between the two."""
    put(bucket, "in/1.parquet")
    [(_, found)] = objects.find_objects("s3://flights/in/*.parquet")
    bucket.objects.delete()

    with pytest.raises(DataError, match="must be there") as caught, objects.copied(found):
        pass

    assert caught.value.place == "s3://flights/in/1.parquet"


def test_an_object_that_changes_while_it_is_read_is_told(bucket):
    """What was listed is not what came."""
    put(bucket, "in/1.parquet")
    [(_, found)] = objects.find_objects("s3://flights/in/*.parquet")
    assert found.content
    put(bucket, "in/1.parquet", 5)

    with pytest.raises(DataError, match="must not change while it is read"), objects.copied(found):
        pass


def test_a_damaged_object_is_named_by_its_address(bucket, tmp_path):
    """Not by the temporary file that it was copied to; the batches of before stay."""
    put(bucket, "in/1.parquet")
    source, raw = IngestParams(source="s3://flights/in/*.parquet"), tmp_path / "raw"
    ingest(raw, tmp_path / "ingest.json", source)
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    bucket.put_object(Key="in/2.parquet", Body=b"PAR1 cut")

    with pytest.raises(DataError, match="must be readable") as caught:
        ingest(raw, tmp_path / "ingest.json", source)

    assert caught.value.place == "s3://flights/in/2.parquet"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before


def test_a_store_that_does_not_answer_is_told(bucket, monkeypatch):
    """Nobody listens there."""
    assert bucket
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    error = refused("s3://flights/in/*.parquet")

    assert error.rule == "the store must answer"
    assert "AWS_ENDPOINT_URL" in error.hint


def _let_in(server, times):
    """Let the store take so many requests before it asks who is there."""
    import urllib.request

    kind = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(f"{server}/moto-api/reset-auth", times, kind)  # noqa: S310
    urllib.request.urlopen(asked).close()  # noqa: S310  # the test's own server


def test_wrong_credentials_are_told(server, bucket, monkeypatch):
    """The message says which variables hold them."""
    assert bucket
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    _let_in(server, b"0")

    try:
        error = refused("s3://flights/in/*.parquet")
    finally:
        _let_in(server, b"inf")

    assert error.rule == "the store must answer"
    assert "AWS_ACCESS_KEY_ID" in error.hint


def test_objects_belong_to_a_stage_that_always_runs(tmp_path):
    """DVC does not look into the store."""
    stages = tmp_path / "dvc.yaml"
    stages.write_text("stages: {ingest: {cmd: x, deps: []}}\n")

    with pytest.raises(ParamsError, match="always_changed: true"):
        check_watched("s3://flights/*.parquet", stages)
