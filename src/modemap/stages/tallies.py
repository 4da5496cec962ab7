"""What is known of rows that come block by block: means, quantiles, a sample, who is with whom."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.matrix import matrix, prepared_batches, prepared_tables
from modemap.data.split import row_hashes
from modemap.errors import ParamsError
from modemap.sketch import ColumnSketch

__all__ = ["Distribution", "LabelCounts", "Mean", "sampled"]

FloatArray = NDArray[np.float64]

N_EXACT = 1 << 20  # values that quantiles are exact of
MAX_LABELS = 10_000


class Mean:
    """The mean of values that come in blocks, added up in their order."""

    def __init__(self) -> None:
        self._total, self._n = 0.0, 0

    def add(self, values: NDArray[Any]) -> None:
        """Take in a block, (n,)."""
        self.add_sum(float(np.sum(values)), len(values))

    def add_sum(self, total: float, n: int) -> None:
        """Take in a block of ``n`` values whose sum is known."""
        self._total += total
        self._n += n

    @property
    def value(self) -> float:
        """The mean so far; NaN of nothing."""
        return self._total / self._n if self._n else float("nan")


class Distribution:
    """Values that come in blocks: all of them while they are few, from then on their sketch."""

    def __init__(self) -> None:
        self._values: list[FloatArray] | None = []
        self._n = 0
        self._sketch = ColumnSketch()

    def add(self, values: FloatArray) -> None:
        """Take in a block, (n,)."""
        self._n += len(values)
        self._sketch.update(values)
        if self._values is not None:
            self._values.append(values)
            if self._n > N_EXACT:
                self._values = None

    def merge(self, other: "Distribution") -> Self:
        """Take in all that ``other`` has; return the distribution."""
        self._n += other._n
        self._sketch.merge(other._sketch)
        are_few = self._n <= N_EXACT and self._values is not None and other._values is not None
        self._values = [*self._values, *other._values] if are_few else None  # type: ignore[misc]
        return self

    def quantiles(self, shares: FloatArray) -> FloatArray:
        """Return quantiles, exact of at most 1,048,576 values, else to the width of a bin."""
        if self._values is not None:
            return np.quantile(np.concatenate(self._values), shares)
        return self._sketch.percentiles(100 * shares)


class LabelCounts:
    """How many rows of each label are in each group."""

    def __init__(self, n_groups: int) -> None:
        self._n_groups = n_groups
        self._counts: dict[str, NDArray[np.int64]] = {}

    def add(self, labels: pa.ChunkedArray, groups: NDArray[np.int64]) -> None:
        """Count the rows of a block, (n,); those without a label are left out.

        Raises
        ------
        ParamsError
            If there are too many labels to compare groups with.
        """
        known = labels.is_valid().to_numpy()
        coded = pc.dictionary_encode(labels.cast(pa.string()).drop_null()).combine_chunks()
        names, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
        cells = np.bincount(
            codes * self._n_groups + groups[known], minlength=len(names) * self._n_groups
        )
        for name, row in zip(names, cells.reshape(-1, self._n_groups), strict=True):
            self._counts[name] = self._counts.get(name, 0) + row
        if len(self._counts) > MAX_LABELS:
            raise ParamsError(
                "prepare.label",
                f"must name a column of at most {MAX_LABELS:,} values, to compare groups with",
                found=f"{len(self._counts):,} in a part of the test rows",
                hint="name another column, or leave prepare.label out",
            )

    @property
    def table(self) -> NDArray[np.int64]:
        """The counts, (n_labels, n_groups), labels in their order as text."""
        empty = np.empty((0, self._n_groups), np.int64)
        return np.array([self._counts[name] for name in sorted(self._counts)] or empty)


def sampled(
    prepared: Path, split: str, columns: Sequence[str], key: Sequence[str], n_rows: int
) -> FloatArray:
    """Return ``columns`` of at most ``n_rows`` rows of ``split``, in their order.

    Of more rows it takes those whose ``key`` has the smallest hashes: a row is taken by what it is,
    not by where it stands. Without a key it is the content of ``columns`` that is hashed.
    """
    rows = prepared_batches(prepared, split, columns)
    if rows.n_rows <= n_rows:
        return np.concatenate(list(rows.batches()))
    hashed, limit = list(key or columns), np.uint64(2**64 - 1)
    X, hashes = np.empty((0, len(columns))), np.empty(0, np.uint64)
    for table in prepared_tables(prepared, split, list(dict.fromkeys([*hashed, *columns]))):
        found = row_hashes(table, hashed)
        is_low = found < limit
        X = np.concatenate((X, matrix(table, columns)[is_low]))
        hashes = np.concatenate((hashes, found[is_low]))
        if len(X) > n_rows:
            kept = np.sort(np.argsort(hashes, kind="stable")[:n_rows])
            X, hashes = X[kept], hashes[kept]
            limit = hashes.max()
    return X
