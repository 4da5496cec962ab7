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
        self._kept: list[pa.Table] = []
        self._numbers: FloatArray = np.empty((0, 2))  # log-likelihood and unit

    def add(self, table: pa.Table, log_likelihood: FloatArray, units: IntArray) -> None:
        """Take the strangest rows of ``table`` in."""
        keys = table.select([name for name in table.column_names if name not in self._columns])
        numbers = np.concatenate(
            (self._numbers, np.column_stack((log_likelihood, units.astype(np.float64))))
        )
        lowest = np.sort(np.argsort(numbers[:, 0], kind="stable")[: self._most])
        n_old = len(self._numbers)
        self._kept.append(keys.take(lowest[lowest >= n_old] - n_old))
        if n_old and len(lowest) < len(numbers):
            old = pa.concat_tables(self._kept[:-1]).take(lowest[lowest < n_old])
            self._kept = [old, self._kept[-1]]
        self._numbers = numbers[lowest]

    def rows(self) -> FoundRows | None:
        """Return them, the strangest first; None where nothing names a row."""
        if not self._kept or not self._kept[0].num_columns:
            return None
        order = np.argsort(self._numbers[:, 0], kind="stable")
        keys = pa.concat_tables(self._kept).take(order)
        texts = {
            name: [as_text(value) for value in keys[name].to_pylist()] for name in keys.column_names
        }
        return FoundRows(texts, self._numbers[order, 1].astype(np.int64))


def as_text(value: object) -> str:
    """Return a value of a key as people write it."""
    if isinstance(value, datetime) and not (value.second or value.microsecond):
        return value.isoformat(" ", "minutes").replace("+00:00", " UTC")
    return str(value)
