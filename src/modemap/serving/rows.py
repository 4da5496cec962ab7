"""Rows of a request as the array that a release takes: checked value by value, prepared as ever.

Columns are those that training took: numbers, and the categories and times from which columns of
the map are derived. Other columns of a row are left alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.derived import derive
from modemap.errors import DataError
from modemap.estimators.checks import LARGEST
from modemap.release import Release
from modemap.serving.problems import Problem, of_error

__all__ = ["RowReader"]

FloatArray = NDArray[np.float64]

ABSENT = object()
N_NAMED = 10  # columns that a message lists


class RowReader:
    """What turns the rows of a request into the array of one release.

    Parameters
    ----------
    release : Release
        Its manifest says which columns are numbers, categories and times.
    """

    def __init__(self, release: Release) -> None:
        prepare = release.manifest["params"].get("prepare", {})
        self.categories: Mapping[str, Sequence[str]] = prepare.get("categories", {})
        self.times: Mapping[str, Sequence[str]] = prepare.get("times", {})
        derived = release.preparation.map_only or {}
        self.numbers = [name for name in release.columns if name not in derived]
        self._needed = np.array(
            [release.preparation.missing[name] != "median" for name in self.numbers]
        )

    @property
    def columns(self) -> list[str]:
        """Columns that a row must have."""
        return [*self.numbers, *self.categories, *self.times]

    def from_records(self, records: object) -> FloatArray:
        """Return the array, (n_rows, n_columns), of one JSON object for each row.

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
        others = {name: _values(records, name) for name in (*self.categories, *self.times)}
        return self._completed(X, others)

    def from_columns(self, columns: object) -> FloatArray:
        """Return the array of one JSON list for each column."""
        if not isinstance(columns, dict):
            _refuse("columns must be an object of lists", found=type(columns).__name__)
        self._check_present(columns)
        lengths = {name: len(_listed(columns[name], name)) for name in self.columns}
        if len(set(lengths.values())) > 1:
            _refuse("columns must be of one length", found=lengths)
        X = np.empty((next(iter(lengths.values())), len(self.numbers)))
        for j, name in enumerate(self.numbers):
            values = columns[name]
            for i, value in enumerate(values):
                X[i, j] = _number(value, i, name)
        others = {name: columns[name] for name in (*self.categories, *self.times)}
        return self._completed(X, others)

    def from_table(self, table: pa.Table) -> FloatArray:
        """Return the array of an Arrow table."""
        self._check_present(table.column_names)
        X = np.empty((table.num_rows, len(self.numbers)))
        for j, name in enumerate(self.numbers):
            X[:, j] = _arrow_numbers(table[name], name)
        return self._checked(np.column_stack([X, *self._derived(table)]))

    def _fill(self, target: FloatArray, record: Mapping[str, Any], row: int) -> None:
        for j, name in enumerate(self.numbers):
            value = record.get(name, ABSENT)
            if value is ABSENT:
                self._check_present(record, row)
            target[j] = _number(value, row, name)

    def _check_present(self, names: Any, row: int | None = None) -> None:
        absent = [name for name in self.columns if name not in names]
        if absent:
            place = {} if row is None else {"row": row}
            rule = "each column that training took must be there; null is a missing value"
            hint = f"columns: {', '.join(self.columns)}"
            _refuse(rule, **place, column=absent[0], found=f"no {_some(absent)}", hint=hint)

    def _completed(self, X: FloatArray, others: Mapping[str, list[Any]]) -> FloatArray:
        if not others:
            return self._checked(X)
        for row in (i for values in others.values() for i, v in enumerate(values) if v is ABSENT):
            absent = [name for name, values in others.items() if values[row] is ABSENT]
            self._check_present([name for name in self.columns if name not in absent], row)
        arrays = {name: _arrow(values, name, name in self.times) for name, values in others.items()}
        return self._checked(np.column_stack([X, *self._derived(pa.table(arrays))]))

    def _derived(self, table: pa.Table) -> list[FloatArray]:
        try:
            return derive(table, self.categories, self.times)
        except DataError as error:
            raise of_error(error) from None

    def _checked(self, X: FloatArray) -> FloatArray:
        numbers = X[:, : len(self.numbers)]
        with np.errstate(invalid="ignore"):
            is_bad = ~(np.abs(numbers) <= LARGEST)
        if not is_bad.any():
            return X
        is_missing = np.isnan(numbers)
        for wrong, rule in (
            (is_bad & ~is_missing, f"a value must not exceed {LARGEST:g}"),
            (is_missing & self._needed, "a value must be there: training took no row without it"),
        ):
            if wrong.any():
                row, column = (int(place[0]) for place in np.nonzero(wrong))
                found = "null" if is_missing[row, column] else str(numbers[row, column])
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


def _values(records: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [record.get(name, ABSENT) for record in records]


def _arrow(values: list[Any], column: str, is_time: bool) -> pa.Array:
    try:
        array = pa.array(values)
        if not is_time:
            return array
        texts = array.cast(pa.string())
        try:
            return texts.cast(pa.timestamp("us"))
        except pa.ArrowInvalid:  # with a zone
            return texts.cast(pa.timestamp("us", tz="UTC"))
    except (pa.ArrowException, TypeError) as error:
        what = "a time must be written as in ISO 8601" if is_time else "levels must be of one kind"
        return _refuse(what, column=column, found=" ".join(str(error).split())[:200])


def _arrow_numbers(values: pa.ChunkedArray, column: str) -> FloatArray:
    kind = values.type
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not any(check(kind) for check in checks):
        _refuse("a column must hold numbers", column=column, found=str(kind))
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more


def _refuse(title: str, **members: object) -> NoReturn:
    raise Problem(422, title, None, **members)
