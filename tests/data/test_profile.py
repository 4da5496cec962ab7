"""What a source holds, learned in one pass."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.profile import profile
from modemap.data.sources import source_pieces


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Return a table with a column of every kind."""
    rng = np.random.default_rng(0)
    n = 1000
    floats = rng.normal(size=n)
    floats[7] = np.inf
    return pa.table(
        {
            "id": np.arange(n),
            "x": pa.array(floats, mask=np.arange(n) % 10 == 0),
            "flag": np.arange(n) % 4 == 0,
            "kind": np.where(np.arange(n) % 3 == 0, "a", "b"),
            "at": pa.array([datetime(2024, 1, 1 + i % 28, i % 24) for i in range(n)]),
            "items": pa.array([[1]] * n),
            "nothing": pa.array([None] * n, pa.float64()),
        }
    )


def test_every_kind_is_counted(table):
    """Rows, missing values, distinct ones, extremes, levels and parts are those of the table."""
    found = profile([("rows", table)])

    columns = {column.name: column for column in found.columns}
    assert found.rows == 1000
    assert [c.kind for c in found.columns] == [
        "integer", "number", "boolean", "text", "time", "other", "number",
    ]  # fmt: skip
    assert columns["id"].is_unique
    assert (columns["id"].low, columns["id"].high) == (0, 999)
    assert columns["x"].missing == 100
    assert columns["x"].too_large == 1
    assert columns["x"].distinct == 899
    assert columns["flag"].levels == {"true": 250, "false": 750}
    assert list(columns["kind"].levels.items()) == [("b", 666), ("a", 334)]
    assert not columns["kind"].is_unique
    assert columns["at"].parts == {"hour": 24, "weekday": 7, "season": 1}
    assert columns["at"].times == (datetime(2024, 1, 1), datetime(2024, 1, 28, 23))
    assert columns["nothing"].present == 0


def test_how_a_table_is_cut_changes_nothing(table):
    """A profile of many pieces is that of the whole."""
    pieces = [("rows", table.slice(start, 170)) for start in range(0, 1000, 170)]

    assert profile(pieces) == profile([("rows", table)])


def test_a_value_that_comes_back_in_another_piece_is_seen():
    """Keys are unique over all pieces, not within each."""
    pieces = [("a", pa.table({"id": ["x", "y"]})), ("b", pa.table({"id": ["z", "x"]}))]

    (column,) = profile(pieces).columns

    assert column.is_unique is False


def test_parquet_is_read_in_pieces(tmp_path, table, monkeypatch):
    """The pieces are no larger than they may be and make up the file."""
    monkeypatch.setattr("modemap.data.tables.ROWS_AT_ONCE", 300)
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)

    pieces = [piece for _, piece in source_pieces(str(path))]

    assert [piece.num_rows for piece in pieces] == [300, 300, 300, 100]
    assert pa.concat_tables(pieces)["id"].to_pylist() == list(range(1000))
