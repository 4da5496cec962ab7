"""The rows that a report finds by their key: all of a small table, the strangest of a large."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.reporting.story import FoundRows

__all__ = ["Findable", "as_text"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST = 30_000  # half a megabyte of the page


class Findable:
    """The rows with the least log-likelihood of those that were added, with their keys.

    Parameters
    ----------
    columns : sequence of str
        What the models see; the other columns of a table name its rows.
    most : int, default=30000
        How many are kept.
    """

    def __init__(self, columns: Sequence[str], most: int = MOST) -> None:
        self._columns, self._most = frozenset(columns), most
        self._keys: list[pa.Table] = []
        self._numbers: list[FloatArray] = []  # (n, 2): log-likelihood and unit
        self._limit = np.inf  # rows that are as likely are beaten by those that are kept
        self._n_rows = 0

    def add(self, table: pa.Table, log_likelihood: FloatArray, units: IntArray) -> None:
        """Take the strangest rows of ``table`` in."""
        rows = np.flatnonzero(log_likelihood < self._limit)
        if not len(rows):
            return
        names = [name for name in table.column_names if name not in self._columns]
        self._keys.append(table.select(names).take(rows))
        self._numbers.append(np.column_stack((log_likelihood[rows], units[rows].astype(float))))
        self._n_rows += len(rows)
        if self._n_rows > 2 * self._most:
            self._forget()

    def rows(self) -> FoundRows | None:
        """Return them, the strangest first; None where nothing names a row."""
        if not self._keys or not self._keys[0].num_columns:
            return None
        self._forget()
        (keys,), (numbers,) = self._keys, self._numbers
        texts = {name: [as_text(v) for v in keys[name].to_pylist()] for name in keys.column_names}
        return FoundRows(texts, numbers[:, 1].astype(np.int64))

    def _forget(self) -> None:
        """Leave the strangest rows in their order; of equal ones those that came first."""
        numbers = np.concatenate(self._numbers)
        lowest = np.argsort(numbers[:, 0], kind="stable")[: self._most]
        self._keys = [pa.concat_tables(self._keys).take(lowest)]
        self._numbers, self._n_rows = [numbers[lowest]], len(lowest)
        if self._n_rows == self._most:
            self._limit = float(numbers[lowest[-1], 0])


def as_text(value: object) -> str:
    """Return a value of a key as people write it."""
    if isinstance(value, datetime) and not (value.second or value.microsecond):
        return value.isoformat(" ", "minutes").replace("+00:00", " UTC")
    return str(value)
