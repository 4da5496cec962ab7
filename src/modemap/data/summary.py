"""What `prepare` learns of one batch: counts of all rows, and sketches of the training rows.

Summaries add up: those of the batches, in any order, are the summary of all rows.
"""

import json
import os
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.split import SPLITS
from modemap.files import canonical_json
from modemap.sketch import ColumnSketch

__all__ = ["Summary"]

Counts = NDArray[np.int64]

LENGTH = struct.Struct("<Q")  # of the JSON text, behind which the sketches stand


@dataclass(frozen=True)
class Summary:
    """Counts by split and column, and a sketch of the training rows for each column."""

    rows: Counts  # of each split, dropped ones aside
    dropped: int  # rows
    missing: Counts  # values of each column, in all rows
    filled: Counts  # values of each column that are missing in rows that stay
    training: int  # rows of the training split, dropped ones too
    absent: Counts  # values of each column that are missing in these
    levels: Mapping[str, Mapping[str, int]]  # of each category, how often in these
    sketches: tuple[ColumnSketch, ...]

    @classmethod
    def empty(cls, n_columns: int) -> "Summary":
        """Return the summary of no rows."""
        none = np.zeros(n_columns, np.int64)
        sketches = tuple(ColumnSketch() for _ in range(n_columns))
        return cls(np.zeros(len(SPLITS), np.int64), 0, none, none, 0, none, {}, sketches)

    def to_bytes(self) -> bytes:
        """Return the summary as bytes: equal ones, equal bytes."""
        sketches = [sketch.to_bytes() for sketch in self.sketches]
        told = {
            "rows": self.rows.tolist(),
            "dropped": self.dropped,
            "missing": self.missing.tolist(),
            "filled": self.filled.tolist(),
            "training": self.training,
            "absent": self.absent.tolist(),
            "levels": self.levels,
            "sketches": [len(sketch) for sketch in sketches],
        }
        about = canonical_json(told)
        return LENGTH.pack(len(about)) + about + b"".join(sketches)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Summary":
        """Return the summary that :meth:`to_bytes` wrote."""
        start = LENGTH.size + LENGTH.unpack_from(data)[0]
        told = json.loads(data[LENGTH.size : start])
        rows, missing, filled, absent = (
            np.array(told[name], np.int64) for name in ("rows", "missing", "filled", "absent")
        )
        cuts = pairwise(accumulate(told["sketches"], initial=start))
        sketches = tuple(ColumnSketch.from_bytes(data[slice(*cut)]) for cut in cuts)
        training, levels = told["training"], told["levels"]
        return cls(rows, told["dropped"], missing, filled, training, absent, levels, sketches)

    @property
    def n_rows(self) -> int:
        """All rows, dropped ones too."""
        return int(self.rows.sum()) + self.dropped

    def shares(self, numbers: Sequence[str]) -> dict[str, object]:
        """Return rows, missing values and levels of the training split, dropped rows too.

        ``numbers`` are the names of the first columns, those that are not derived.
        """
        missing = dict(zip(numbers, self.absent.tolist(), strict=False))
        for name, counts in self.levels.items():
            missing[name] = self.training - sum(counts.values())
        levels = {name: dict(sorted(counts.items())) for name, counts in self.levels.items()}
        return {"rows": self.training, "missing": missing, "levels": levels}

    def add(
        self,
        X: NDArray[np.float64],
        kept: NDArray[np.bool_],
        sides: NDArray[np.uint8],
        levels: pa.Table,
    ) -> "Summary":
        """Return the summary with rows of raw values, which of them stay, their splits and levels.

        ``levels`` has a column of texts for each category.
        """
        is_missing, is_training = np.isnan(X), sides == SPLITS.index("train")
        training = X[kept & is_training]
        _each(ColumnSketch.update, self.sketches, np.ascontiguousarray(training.T))
        return Summary(
            self.rows + np.bincount(sides[kept], minlength=len(SPLITS)),
            self.dropped + int(np.sum(~kept)),
            self.missing + is_missing.sum(axis=0),
            self.filled + is_missing[kept].sum(axis=0),
            self.training + int(np.sum(is_training)),
            self.absent + is_missing[is_training].sum(axis=0),
            _together(self.levels, _counted(levels, is_training)),
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
            self.training + other.training,
            self.absent + other.absent,
            _together(self.levels, other.levels),
            self.sketches,
        )


def _counted(levels: pa.Table, mask: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    """Return how often each level of each category stands in the rows of ``mask``."""
    found = {}
    for name in levels.column_names:
        pairs = pc.value_counts(levels[name].filter(pa.array(mask)).drop_null())
        found[name] = {pair["values"].as_py(): pair["counts"].as_py() for pair in pairs}
    return found


def _together(
    first: Mapping[str, Mapping[str, int]], second: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    return {
        name: dict(Counter(first.get(name, {})) + Counter(second.get(name, {})))
        for name in {**first, **second}
    }


def _each(work: object, sketches: Sequence[ColumnSketch], others: Iterable[object]) -> None:
    """Call ``work`` on each sketch and what belongs to it, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, sketches, others))  # type: ignore[arg-type]
