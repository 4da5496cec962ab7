"""Rows of any table as the array that a release takes, and which of them it cannot take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.derived import derive, listed_texts, zone_of
from modemap.errors import DataError
from modemap.estimators.checks import LARGEST
from modemap.release import Release

__all__ = ["INFINITE", "MISSING", "NO_ZONE", "TOO_LARGE", "ZONE", "Intake"]

FloatArray = NDArray[np.float64]

MISSING = "a value must be there: training took no row without it"
INFINITE = "a value must not be infinite"
TOO_LARGE = f"a value must not exceed {LARGEST:g}"
ZONE = "a time must have a zone or an offset, as in training"
NO_ZONE = "a time must have no zone and no offset: none is known of training"
NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)


class Intake:
    """What turns rows of a table into the array of one release.

    Parameters
    ----------
    release : Release
        Its manifest says which columns are numbers, and from which categories and times columns of
        the map are derived.

    Attributes
    ----------
    numbers : list of str
        Columns that must hold numbers.
    categories, times : mapping of str to sequence of str
        Columns from which others are derived.
    zones : mapping of str to str
        The zone that each of ``times`` had in training, where it had one.
    """

    def __init__(self, release: Release) -> None:
        prepare = release.manifest["params"].get("prepare", {})
        self.categories: Mapping[str, Sequence[str]] = prepare.get("categories", {})
        self.times: Mapping[str, Sequence[str]] = prepare.get("times", {})
        self.zones: Mapping[str, str] = release.manifest.get("zones", {})
        self.key: list[str] = list(prepare.get("key", ()))
        self._made = release.columns
        map_only = release.preparation.map_only or {}
        self.numbers = [name for name in release.columns if name not in map_only]
        self._derived = [name for name in release.columns if name in map_only]
        missing = release.preparation.missing
        self._is_needed = np.array([missing[name] != "median" for name in self.numbers])

    @property
    def columns(self) -> list[str]:
        """Columns that a row must have."""
        return [*self.numbers, *self.categories, *self.times]

    def is_like(self, other: "Intake") -> bool:
        """Tell whether the release of ``other`` takes the same array of the same rows."""
        return (self._made, self.columns, self.zones) == (other._made, other.columns, other.zones)

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return the columns that ``names`` lack."""
        known = set(names)
        return [name for name in self.columns if name not in known]

    def matrix(self, table: pa.Table) -> FloatArray:
        """Return the array, (n_rows, n_columns), of a table that lacks no column.

        Raises
        ------
        DataError
            If a column does not hold what it must.
        """
        X = np.empty((table.num_rows, len(self.numbers)))
        for j, name in enumerate(self.numbers):
            X[:, j] = _numbers(table[name], name)
        return self.completed(X, table)

    def completed(self, numbers: FloatArray, others: pa.Table) -> FloatArray:
        """Return ``numbers`` with the columns beside them that are derived from ``others``."""
        if not self._derived:
            return numbers
        return np.column_stack([numbers, *self.derived(others)])

    def derived(self, others: pa.Table) -> list[FloatArray]:
        """Return the columns that are derived from ``others``, in the release's order.

        Raises
        ------
        DataError
            If a column does not hold what it must.
        """
        found = derive(self.as_trained(others), self.categories, self.times)
        return [found[name] for name in self._derived]

    def as_trained(self, others: pa.Table) -> pa.Table:
        """Return the categories of ``others`` as texts, and its times in the zone of training.

        Raises
        ------
        DataError
            If a time is none, or has a zone where training had none, or the other way round, or a
            boolean is neither true nor false.
        """
        columns = {
            name: listed_texts(name, others[name], listed)
            for name, listed in self.categories.items()
        }
        columns |= {name: _times(others[name], name, self.zones.get(name)) for name in self.times}
        return pa.table(columns)

    def faults(self, X: FloatArray) -> dict[str, NDArray[np.bool_]]:
        """Return by rule the values of numbers that break it, (n_rows, n_numbers); none, no rule.

        Where a value is missing that the preparation fills in, nothing is wrong.
        """
        numbers = X[:, : len(self.numbers)]
        is_fine = np.abs(numbers) <= LARGEST
        if is_fine.all():
            return {}
        is_missing, is_infinite = np.isnan(numbers), np.isinf(numbers)
        broken = {
            INFINITE: is_infinite,
            TOO_LARGE: ~is_fine & ~is_missing & ~is_infinite,
            MISSING: is_missing & self._is_needed,
        }
        return {rule: where for rule, where in broken.items() if where.any()}


def _numbers(values: pa.ChunkedArray, column: str) -> FloatArray:
    if not any(check(values.type) for check in NUMBERS):
        raise DataError(
            f"column `{column}`",
            "must hold numbers, as in training",
            found=str(values.type),
            hint="convert it, or mend the export",
        )
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())


def _times(values: pa.ChunkedArray, column: str, zone: str | None) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.timestamp("us", zone))
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        hint = "write times as in ISO 8601, or mend the export"
        _refuse_times(column, "must hold times, as in training", kind, hint)
    has_zone = zone_of(kind) is not None
    if zone is not None and not has_zone:
        _refuse_times(
            column, ZONE, kind, f"parts of a time are those of {zone}: say which instant it is"
        )
    if zone is None and has_zone:
        hint = "write times by the clocks of training; if these had a zone, train again to keep it"
        _refuse_times(column, NO_ZONE, kind, hint)
    return values if zone_of(kind) == zone else values.cast(pa.timestamp(kind.unit, zone))


def _refuse_times(column: str, rule: str, kind: pa.DataType, hint: str) -> NoReturn:
    raise DataError(f"column `{column}`", rule, found=str(kind), hint=hint)
