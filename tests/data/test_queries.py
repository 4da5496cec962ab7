"""Rows that a database answers to a query."""

import sqlite3

import pyarrow as pa
import pytest

from modemap.data.kept import Kept
from modemap.data.sources import is_watchable, source_identity, source_pieces
from modemap.data.watch import check_watched
from modemap.errors import DataError, ParamsError
from modemap.params import IngestParams
from modemap.stages.ingest import ingest

N_ROWS = 500


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Return a connection to a database of five hundred rows, which the environment names."""
    path = tmp_path / "rows.db"
    monkeypatch.setenv("MODEMAP_SQL_URL", f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("create table flights (id integer, delay real, note text, odd)")
    rows = [(i, i / 4, f"note {i}", None if i < 300 else i) for i in range(N_ROWS)]
    connection.executemany("insert into flights values (?, ?, ?, ?)", rows)
    connection.commit()
    yield connection
    connection.close()


@pytest.fixture
def query(tmp_path):
    """Return a function that writes a query and returns its file's name."""

    def write(text, name="flights.sql"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.mark.usefixtures("database")
def test_rows_come_in_pieces_with_the_types_that_all_values_allow(query, monkeypatch):
    """A column may begin with missing values, and a per cent sign or a colon is the query's own."""
    monkeypatch.setattr("modemap.data.queries.ROWS_AT_ONCE", 100)
    source = query("select *, '50 % :x' as share from flights order by id; ")

    pieces = [table for _, table in source_pieces(source)]

    assert [len(piece) for piece in pieces] == [100] * 5
    table = pa.concat_tables(pieces)
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "string", "int64", "string",
    ]  # fmt: skip
    assert table["id"].to_pylist() == list(range(N_ROWS))
    assert table["odd"].null_count == 300
    assert table["share"][0].as_py() == "50 % :x"


def test_values_of_several_types_are_texts(database, query, monkeypatch):
    """SQLite takes any value in any column: what is not of one type comes as it is written."""
    monkeypatch.setattr("modemap.data.queries.ROWS_AT_ONCE", 2)
    database.execute("create table mixed (n integer, x)")
    database.executemany("insert into mixed values (?, ?)", [(0, 1), (1, 2.5), (2, "a"), (3, None)])
    database.commit()

    table = pa.concat_tables([t for _, t in source_pieces(query("select * from mixed order by n"))])

    assert table["x"].to_pylist() == ["1", "2.5", "a", None]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        ("-- later\n", "must hold a query", "nothing"),
        ("select * from flights", "in which order", "no ORDER BY"),
        ("select * from (select * from flights order by id)", "in which order", "no ORDER BY"),
        ("select 'order by' from flights -- order by id", "in which order", "no ORDER BY"),
        ("select * from gone order by id", "must answer the query", "no such table: gone"),
        ("selec * from flights order by id", "must answer the query", 'near "selec"'),
        ("select * from flights where id < 0 order by id", "must hold rows", "no rows"),
        ("select id, id from flights order by id", "name of its own", "'id' more than once"),
    ],
)
def test_a_query_that_cannot_be_used_is_told(query, text, rule, found):
    """The message names the file, what must hold, and what the database said."""
    with pytest.raises(DataError, match=rule) as caught:
        list(source_pieces(query(text)))

    assert "flights.sql" in caught.value.place
    assert found in caught.value.found
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_what_a_query_changes_is_not_kept(database, query):
    """Nothing is committed."""
    source = query("insert into flights select * from flights order by id")

    with pytest.raises(DataError, match="must ask for rows"):
        list(source_pieces(source))

    assert database.execute("select count(*) from flights").fetchone() == (N_ROWS,)


@pytest.mark.parametrize(
    ("address", "rule", "found"),
    [
        (None, "must be the address of a database", "no such variable"),
        ("hunter2", "must be the address of a database", "something else"),
        ("postgresql://me:hunter2@host:hunter2/db", "the address of a database", "something else"),
        ("foo://me:hunter2@host/db", "must be the address of a database", "no dialect foo"),
        ("mysql+pymysql://me:hunter2@host/db", "the driver of mysql+pymysql", "no package pymysql"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_secret(
    query, monkeypatch, address, rule, found
):
    """Exit code 2, and no word of the address."""
    monkeypatch.delenv("MODEMAP_SQL_URL", raising=False)
    if address:
        monkeypatch.setenv("MODEMAP_SQL_URL", address)

    with pytest.raises(ParamsError, match="MODEMAP_SQL_URL") as caught:
        list(source_pieces(query("select 1 as n order by n")))

    assert rule in caught.value.rule
    assert found in caught.value.found
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("source", ["postgresql://me:hunter2@host/db", "s3://me:hunter2@bucket/k"])
def test_an_address_with_a_password_is_no_source(source, tmp_path):
    """It is refused before anything looks for it, and not repeated."""
    stages = tmp_path / "dvc.yaml"
    stages.write_text("stages: {ingest: {cmd: x}}\n")

    with pytest.raises(ParamsError, match="the source") as caught:
        check_watched(source, stages)

    assert "hunter2" not in str(caught.value)
    assert "environment" in caught.value.hint


def test_a_query_belongs_to_a_stage_that_always_runs(tmp_path):
    """DVC sees no database: a dep on the file alone would leave stale rows."""
    stages = tmp_path / "dvc.yaml"
    stages.write_text("stages: {ingest: {cmd: x, deps: [flights.sql]}}\n")

    with pytest.raises(ParamsError, match="always_changed: true"):
        check_watched("flights.sql", stages)

    stages.write_text("stages: {ingest: {cmd: x, always_changed: true}}\n")
    check_watched("flights.sql", stages)
    assert not is_watchable("flights.sql")
    assert source_identity("flights.sql") != source_identity("flights.sql")


def test_the_database_is_asked_again_and_equal_rows_are_equal_batches(database, query, tmp_path):
    """What is kept of files is not kept of answers; a failure leaves the batches as they were."""
    source = IngestParams(source=query("select id, delay from flights order by id"))
    raw, report, kept = tmp_path / "raw", tmp_path / "ingest.json", Kept(tmp_path / "kept")
    ingest(raw, report, source, kept)
    before = {path.name: path.read_bytes() for path in raw.iterdir()}

    ingest(raw, report, source, kept)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before
    database.execute("alter table flights rename to gone")
    with pytest.raises(DataError, match="must answer the query"):
        ingest(raw, report, source, kept)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before
    database.execute("alter table gone rename to flights")
    database.execute("insert into flights values (900, 1.0, '', 1)")
    database.commit()

    assert ingest(raw, report, source, kept)["rows"] == N_ROWS + 1
