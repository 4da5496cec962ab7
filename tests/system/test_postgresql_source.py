"""A query to a real PostgreSQL, streamed; a server that is gone; nothing secret said."""

import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from sqlalchemy import create_engine

from modemap.data.sources import source_pieces
from modemap.errors import DataError
from tests.postgresql import postgresql

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PASSWORD = "hunter2%3A"  # noqa: S105  # as in an address: of a colon
TABLE = """
create table flights as select n as id, n / 4.0::float8 as delay, (n * 1.5)::numeric as fare,
  timestamptz '2024-03-31 00:00+01' + n * interval '1 minute' as at, date '2024-01-01' + n as day,
  n % 2 = 0 as is_even, 'note ' || n as note, md5(n::text)::uuid as code, '\\x00ff'::bytea as bits
from generate_series(0, 49999) n
"""


@pytest.fixture(scope="module")
def server():
    """Run a server that asks for a password."""
    with postgresql("flights", PASSWORD.replace("%3A", ":")) as running:
        url = running.url.replace("hunter2:", PASSWORD)
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql(TABLE.replace("%", "%%"))
        engine.dispose()
        yield url


@pytest.fixture
def query(tmp_path, monkeypatch, server):
    """Return a function that writes a query; the environment names the server."""
    monkeypatch.setenv("MODEMAP_SQL_URL", server)

    def write(text):
        (tmp_path / "flights.sql").write_text(text)
        return str(tmp_path / "flights.sql")

    return write


def test_rows_are_typed_and_in_order(query):
    """Fifty thousand rows in pieces, numbers as numbers, times in UTC, the rest as text."""
    pieces = [table for _, table in source_pieces(query("select * from flights order by id"))]

    table = pa.concat_tables(pieces)
    assert len(pieces) > 2
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "double", "timestamp[us, tz=UTC]", "date32[day]", "bool", "string",
        "string", "binary",
    ]  # fmt: skip
    assert table["id"].to_pylist() == list(range(50_000))
    assert table["at"][0].as_py().isoformat() == "2024-03-30T23:00:00+00:00"
    assert table["bits"][0].as_py() == b"\x00\xff"


def test_a_query_that_the_server_refuses_is_told(query):
    """With the server's words and without the password."""
    with pytest.raises(DataError, match="must answer the query") as caught:
        list(source_pieces(query("select gone from flights order by id")))

    assert 'column "gone" does not exist' in caught.value.found
    assert "hunter2" not in str(caught.value)


def test_wrong_credentials_are_told(query, monkeypatch, server):
    """The server's words, the address without its password."""
    monkeypatch.setenv("MODEMAP_SQL_URL", server.replace("hunter2", "sesame"))

    with pytest.raises(DataError, match="must let modemap in") as caught:
        list(source_pieces(query("select * from flights order by id")))

    assert "password authentication failed" in caught.value.found
    assert "sesame" not in str(caught.value)
    assert "MODEMAP_SQL_URL" in caught.value.hint


def test_no_server_is_told(query, monkeypatch, server):
    """Nobody listens at the address."""
    monkeypatch.setenv("MODEMAP_SQL_URL", server.rpartition(":")[0] + ":1/flights")

    with pytest.raises(DataError, match="must let modemap in") as caught:
        list(source_pieces(query("select * from flights order by id")))

    assert "refused" in caught.value.found


INGEST = """
import sys
from pathlib import Path
from modemap.params import IngestParams
from modemap.stages.entry import configure_logging
from modemap.stages.ingest import ingest
from modemap.cli import _exit
from modemap.errors import ModemapError
configure_logging()
try:
    ingest(Path("raw"), Path("ingest.json"), IngestParams(source="flights.sql"))
except ModemapError as error:
    _exit(error)
"""
SLOWLY = "select id, pg_sleep(0.001)::text from flights order by id"


def test_a_server_that_is_gone_in_the_middle_leaves_what_was_there(tmp_path):
    """One message and exit code 3; the batches of before stay, and no file is left behind."""
    (tmp_path / "tmp").mkdir()
    with postgresql("flights", "hunter2") as running:
        engine = create_engine(running.url)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "create table flights as select generate_series(1, 99999) id"
            )
        environment = os.environ | {
            "MODEMAP_SQL_URL": running.url, "TMPDIR": str(tmp_path / "tmp"),
        }  # fmt: skip
        command = [sys.executable, "-c", INGEST]
        here = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        (tmp_path / "flights.sql").write_text("select id from flights order by id")
        subprocess.run(command, check=True, **here)
        before = {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()}
        (tmp_path / "flights.sql").write_text(SLOWLY)
        killer = threading.Thread(target=_stop_once_asked, args=(engine, running.process.pid))
        killer.start()

        done = subprocess.run(command, check=False, **here)

        killer.join()
        running.process.wait(60)
    assert done.returncode == 3, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 3, done.stderr
    assert "flights.sql" in lines[0]
    assert "must answer to the last row" in lines[0]
    assert "hint: run again once the server is back" in lines[2]
    assert "hunter2" not in done.stdout + done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == before
    assert not list((tmp_path / "tmp").iterdir())
    assert not list(tmp_path.glob(".raw*"))


def _stop_once_asked(engine, pid):
    """Stop the server at once, as a crash does, when somebody fetches rows slowly."""
    asked = "select count(*) from pg_stat_activity where query like 'FETCH%%' and state = 'active'"
    with engine.connect() as connection:
        while connection.exec_driver_sql(asked).scalar() == 0:
            connection.rollback()
            time.sleep(0.05)
        os.kill(pid, signal.SIGQUIT)
        connection.invalidate()
    engine.dispose()
