"""Rows of any table as the array that a release takes, and which of them it cannot take."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.derived import derive
from modemap.errors import DataError
from modemap.estimators.checks import LARGEST
from modemap.release import Release

__all__ = ["MISSING", "TOO_LARGE", "Intake"]

FloatArray = NDArray[np.float64]

MISSING = "a value must be there: training took no row without it"
TOO_LARGE = f"a value must not exceed {LARGEST:g}"
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
    """

    def __init__(self, release: Release) -> None:
        prepare = release.manifest["params"].get("prepare", {})
        self.categories: Mapping[str, Sequence[str]] = prepare.get("categories", {})
        self.times: Mapping[str, Sequence[str]] = prepare.get("times", {})
        self.key: list[str] = list(prepare.get("key", ()))
        map_only = release.preparation.map_only or {}
        self.numbers = [name for name in release.columns if name not in map_only]
        self._derived = [name for name in release.columns if name in map_only]
        missing = release.preparation.missing
        self._is_needed = np.array([missing[name] != "median" for name in self.numbers])

    @property
    def columns(self) -> list[str]:
        """Columns that a row must have."""
        return [*self.numbers, *self.categories, *self.times]

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
        """Return the columns that are derived from ``others``, in the release's order."""
        found = derive(others, self.categories, self.times)
        return [found[name] for name in self._derived]

    def faults(self, X: FloatArray) -> dict[str, NDArray[np.bool_]]:
        """Return by rule the values of numbers that break it, (n_rows, n_numbers); none, no rule.

        Where a value is missing that the preparation fills in, nothing is wrong.
        """
        numbers = X[:, : len(self.numbers)]
        is_fine = np.abs(numbers) <= LARGEST
        if is_fine.all():
            return {}
        is_missing = np.isnan(numbers)
        broken = {TOO_LARGE: ~is_fine & ~is_missing, MISSING: is_missing & self._is_needed}
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
