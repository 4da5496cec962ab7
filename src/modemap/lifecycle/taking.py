"""Rows of a source as a release takes them, with what names them and why some cannot be taken."""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.intake import Intake
from modemap.errors import DataError
from modemap.release import Release

__all__ = ["Taken", "Taking", "refuse_column"]

FloatArray = NDArray[np.float64]


class Taken(NamedTuple):
    """Some rows of a source."""

    keys: pa.Table
    X: FloatArray  # (n_rows, n_columns), raw
    reasons: list[str | None]  # why a row cannot be taken


class Taking:
    """What turns a table of ``source`` into keys and rows of ``release``.

    Parameters
    ----------
    release : Release
    source : str
        What messages speak of.
    key : sequence of str
        Columns that name a row; by default the project's key, or all columns where it lacks one.
    """

    def __init__(self, release: Release, source: str, key: Sequence[str] = ()) -> None:
        self._intake, self._source, self._key = Intake(release), source, list(key)

    def taken(self, table: pa.Table) -> Taken:
        """Return the rows of ``table``.

        Raises
        ------
        DataError
            If it lacks a column, or one does not hold what it must.
        """
        absent = self._intake.absent(table.column_names)
        if absent:
            refuse_column(self._source, "must have each column that training took", absent[0])
        keys = table.select(self._names(table.column_names))
        X = self._intake.matrix(table)
        return Taken(keys, X, self._reasons(X))

    def _names(self, names: Sequence[str]) -> list[str]:
        for name in self._key:
            if name not in names:
                refuse_column(self._source, "must have each key column", name)
        if self._key:
            return self._key
        known = self._intake.key
        return known if known and set(known) <= set(names) else list(names)

    def _reasons(self, X: FloatArray) -> list[str | None]:
        reasons: list[str | None] = [None] * len(X)
        for rule, where in self._intake.faults(X).items():
            for row in np.flatnonzero(where.any(axis=1)):
                reasons[row] = f"{self._intake.numbers[int(np.argmax(where[row]))]}: {rule}"
        return reasons


def refuse_column(
    source: str, rule: str, column: str, *, found: str = "no such column", hint: str = ""
) -> NoReturn:
    """Refuse ``source`` for one of its columns."""
    raise DataError(
        f"{source}: column `{column}`",
        rule,
        found=found,
        hint=hint or "mend the export, or name another source",
    )
