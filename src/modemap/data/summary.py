"""What `prepare` learns of one batch: counts of all rows, and sketches of the training rows.

Summaries add up: those of the batches, in any order, are the summary of all rows.
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modemap.data.split import SPLITS
from modemap.files import canonical_json
from modemap.sketch import ColumnSketch

__all__ = ["Summary"]

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Summary:
    """Counts by split and column, and a sketch of the training rows for each column."""

    rows: Counts  # of each split, dropped ones aside
    dropped: int  # rows
    missing: Counts  # values of each column, in all rows
    filled: Counts  # values of each column that are missing in rows that stay
    sketches: tuple[ColumnSketch, ...]

    @classmethod
    def empty(cls, n_columns: int) -> "Summary":
        """Return the summary of no rows."""
        none = np.zeros(n_columns, np.int64)
        sketches = tuple(ColumnSketch() for _ in range(n_columns))
        return cls(np.zeros(len(SPLITS), np.int64), 0, none, none, sketches)

    def to_bytes(self) -> bytes:
        """Return the summary as bytes: equal ones, equal bytes."""
        told = {
            "rows": self.rows.tolist(),
            "dropped": self.dropped,
            "missing": self.missing.tolist(),
            "filled": self.filled.tolist(),
            "sketches": [base64.b64encode(s.to_bytes()).decode() for s in self.sketches],
        }
        return canonical_json(told)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Summary":
        """Return the summary that :meth:`to_bytes` wrote."""
        told = json.loads(data)
        rows, missing, filled = (
            np.array(told[name], np.int64) for name in ("rows", "missing", "filled")
        )
        sketches = tuple(ColumnSketch.from_bytes(base64.b64decode(s)) for s in told["sketches"])
        return cls(rows, told["dropped"], missing, filled, sketches)

    @property
    def n_rows(self) -> int:
        """All rows, dropped ones too."""
        return int(self.rows.sum()) + self.dropped

    def add(
        self, X: NDArray[np.float64], kept: NDArray[np.bool_], sides: NDArray[np.uint8]
    ) -> "Summary":
        """Return the summary with rows of raw values, which of them stay, and their splits."""
        is_missing = np.isnan(X)
        training = X[kept & (sides == SPLITS.index("train"))]
        _each(ColumnSketch.update, self.sketches, np.ascontiguousarray(training.T))
        return Summary(
            self.rows + np.bincount(sides[kept], minlength=len(SPLITS)),
            self.dropped + int(np.sum(~kept)),
            self.missing + is_missing.sum(axis=0),
            self.filled + is_missing[kept].sum(axis=0),
            self.sketches,
        )

    def merge(self, other: "Summary") -> "Summary":
        """Return the summary of both; the sketches are those of this one, with more in them."""
        _each(ColumnSketch.merge, self.sketches, other.sketches)
        return Summary(
            self.rows + other.rows,
            self.dropped + other.dropped,
            self.missing + other.missing,
            self.filled + other.filled,
            self.sketches,
        )


def _each(work: object, sketches: Sequence[ColumnSketch], others: Iterable[object]) -> None:
    """Call ``work`` on each sketch and what belongs to it, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, sketches, others))  # type: ignore[arg-type]
