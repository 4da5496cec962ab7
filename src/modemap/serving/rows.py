"""Rows of a request as the array that a release takes: checked value by value, prepared as ever.

Columns are those that training took; other columns of a row are left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.intake import NO_ZONE, ZONE, Intake
from modemap.errors import DataError
from modemap.release import Release
from modemap.serving.problems import Problem, of_error

__all__ = ["RowReader", "Rows"]

FloatArray = NDArray[np.float64]

ABSENT = object()
NOON = "2026-01-31T12:00:00"
N_NAMED = 10  # columns that a message lists


@dataclass(frozen=True)
class Rows:
    """The rows of a request.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_columns)
        As the release takes them.
    others : pa.Table or None
        The columns from which some of ``X`` were derived, times in the zone of training; None if
        there are none.
    """

    X: FloatArray
    others: pa.Table | None = None


class RowReader:
    """What turns the rows of a request into the array of one release."""

    def __init__(self, release: Release) -> None:
        self._intake = intake = Intake(release)
        self.numbers, self.times = intake.numbers, intake.times
        self.categories = intake.categories
        self._others = [*intake.categories, *intake.times]

    @property
    def columns(self) -> list[str]:
        """Columns that a row must have."""
        return self._intake.columns

    def is_like(self, other: "RowReader") -> bool:
        """Tell whether the release of ``other`` takes the same array of the same rows."""
        return self._intake.is_like(other._intake)

    def example(self, middle: FloatArray) -> dict[str, Any]:
        """Return a row as callers send one: numbers of ``middle``, the first level, a noon."""
        row: dict[str, Any] = {
            name: next(iter(listed), None) for name, listed in self.categories.items()
        }
        row |= {name: self.written_time(name) for name in self.times}
        row |= dict(zip(self.numbers, map(float, middle), strict=False))
        return {name: row[name] for name in self.columns}

    def written_time(self, name: str) -> str:
        """Return how a time of the column ``name`` is written: a noon."""
        return f"{NOON}Z" if name in self._intake.zones else NOON

    def from_records(self, records: object) -> Rows:
        """Return the rows of one JSON object for each row.

        Raises
        ------
        Problem
            If a column is absent or a value is not what its column holds.
        """
        if not isinstance(records, list):
            _refuse("rows must be a list of objects", found=type(records).__name__)
        X = np.empty((len(records), len(self.numbers)))
        for i, record in enumerate(records):
            if type(record) is not dict:
                _refuse("a row must be an object", row=i, found=type(record).__name__)
            self._fill(X[i], record, i)
        return self._completed(X, {name: [r[name] for r in records] for name in self._others})

    def from_columns(self, columns: object) -> Rows:
        """Return the rows of one JSON list for each column."""
        if not isinstance(columns, dict):
            _refuse("columns must be an object of lists", found=type(columns).__name__)
        self._check_present(columns)
        lengths = {name: len(_listed(columns[name], name)) for name in self.columns}
        if len(set(lengths.values())) > 1:
            _refuse("columns must be of one length", found=lengths)
        X = np.empty((next(iter(lengths.values())), len(self.numbers)))
        for j, name in enumerate(self.numbers):
            for i, value in enumerate(columns[name]):
                X[i, j] = _number(value, i, name)
        return self._completed(X, {name: columns[name] for name in self._others})

    def from_table(self, table: pa.Table) -> Rows:
        """Return the rows of an Arrow table."""
        self._check_present(table.column_names)
        try:
            X = self._checked(self._intake.matrix(table))
        except DataError as error:
            raise of_error(error) from None
        return Rows(X, self._intake.as_trained(table) if self._others else None)

    def _fill(self, target: FloatArray, record: Mapping[str, Any], row: int) -> None:
        for j, name in enumerate(self.numbers):
            value = record.get(name, ABSENT)
            if value is ABSENT:
                self._check_present(record, row)
            target[j] = _number(value, row, name)
        for name in self._others:
            if name not in record:
                self._check_present(record, row)

    def _check_present(self, names: Any, row: int | None = None) -> None:
        absent = self._intake.absent(names)
        if absent:
            place = {} if row is None else {"row": row}
            rule = "each column that training took must be there; null is a missing value"
            hint = f"columns: {', '.join(self.columns)}"
            _refuse(rule, **place, column=absent[0], found=f"no {_some(absent)}", hint=hint)

    def _completed(self, X: FloatArray, others: Mapping[str, list[Any]]) -> Rows:
        if not others:
            return Rows(self._checked(X))
        table = pa.table({name: self._arrow(values, name) for name, values in others.items()})
        try:
            return Rows(self._checked(self._intake.completed(X, table)), table)
        except DataError as error:
            raise of_error(error) from None

    def _arrow(self, values: list[Any], column: str) -> pa.Array:
        if column in self.times:
            return _times(values, column, self._intake.zones.get(column))
        return _levels(values, column)

    def _checked(self, X: FloatArray) -> FloatArray:
        for rule, where in self._intake.faults(X).items():
            row, column = (int(place[0]) for place in np.nonzero(where))
            found = "null" if np.isnan(X[row, column]) else str(X[row, column])
            _refuse(rule, row=row, column=self.numbers[column], found=found)
        return X


def _number(value: object, row: int, column: str) -> float:
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[return-value]  # a type check of its own costs more than it
    if value is None:
        return np.nan
    rule = "a value must be a number or null"
    return _refuse(rule, row=row, column=column, found=repr(value)[:80])


def _listed(values: object, column: str) -> list[Any]:
    if not isinstance(values, list):
        _refuse("a column must be a list of values", column=column, found=type(values).__name__)
    return values


def _times(values: list[Any], column: str, zone: str | None) -> pa.Array:
    kind = pa.timestamp("us", zone)
    if (array := _parsed(values, kind)) is not None:
        return array
    row = next(i for i, value in enumerate(values) if _parsed([value], kind) is None)
    rule = "a time must be written as in ISO 8601, such as 2026-01-31T12:00:00"
    if _parsed([values[row]], pa.timestamp("us", None if zone else "UTC")) is not None:
        rule = ZONE if zone else NO_ZONE
    return _refuse(rule, row=row, column=column, found=repr(values[row])[:80])


def _parsed(values: list[Any], kind: pa.DataType) -> pa.Array | None:
    try:
        return pa.array(values, pa.string()).cast(kind)
    except (pa.ArrowException, TypeError, UnicodeError):
        return None


def _levels(values: list[Any], column: str) -> pa.Array:
    try:
        array = pa.array(values)
        if pa.types.is_nested(array.type):
            raise TypeError
        return array
    except (pa.ArrowException, TypeError, UnicodeError):
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        return _refuse("levels must be of one kind", column=column, found=", ".join(kinds))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more


def _refuse(title: str, **members: object) -> NoReturn:
    raise Problem(422, title, None, **members)
