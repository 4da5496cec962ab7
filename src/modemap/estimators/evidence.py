"""What a mixture is fitted to, whatever form the rows come in, and where the fit starts."""

from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from modemap.estimators.batches import Spread, folded_blocks
from modemap.estimators.blocks import Blocks, Numbered, block_rows, cuts_of, reblocked
from modemap.estimators.checks import check_extremes
from modemap.estimators.points import Points
from modemap.estimators.posterior import Statistics
from modemap.estimators.rows import Rows, checked_block
from modemap.estimators.starts import start_of_points, start_of_rows
from modemap.kernels.arrays import FloatArray
from modemap.sketch import ColumnSketch

__all__ = [
    "Evidence",
    "evidence_of_array",
    "evidence_of_batches",
    "evidence_of_sketch",
    "evidence_of_spread",
]

SMALL_COLUMN = 1 << 14  # rows of one column that start as scikit-learn's do
MAX_REPEATED = 1 << 18  # rows that whole weights may be written out to for the start


class Evidence:
    """A sample, and the statistics that a start gives it.

    Attributes
    ----------
    sample : Points or Rows
    """

    def __init__(self, sample: Points | Rows, rows: Callable[[], Rows] | None = None) -> None:
        self.sample, self._rows = sample, rows

    def start(self, n_components: int, init_params: Any, random_state: RandomState) -> Statistics:
        """Return the statistics of the first responsibilities, in the sample's coordinates."""
        sample = self.sample
        if isinstance(sample, Rows) and self._rows is None:
            return start_of_rows(sample, n_components, init_params, random_state)
        by_name = isinstance(init_params, str)
        if self._rows is None:
            assert isinstance(sample, Points)  # noqa: S101  (for the type checker)
            return start_of_points(sample, n_components, init_params, random_state)
        if isinstance(sample, Points) and by_name and init_params == "kmeans":
            is_large = sample.total > SMALL_COLUMN or bool((sample.weights % 1 > 0).any())
            if is_large:
                return start_of_points(sample, n_components, init_params, random_state)
        rows = self._rows()
        found = start_of_rows(rows, n_components, init_params, random_state)
        return found._replace(centers=found.centers + (rows.center - sample.center))


def evidence_of_sketch(sketch: ColumnSketch) -> Evidence:
    """Return the evidence of a column's sketch.

    Raises
    ------
    ValueError
        If it holds no value, or one whose square overflows.
    """
    values, counts = sketch.values_and_counts()
    if not len(values):
        raise ValueError("X must hold a value that is not missing, got none")
    check_extremes(sketch.min, sketch.max)
    return Evidence(Points(values, counts.astype(np.float64)))


def evidence_of_array(X: NDArray[Any], weights: FloatArray | None, n_threads: int) -> Evidence:
    """Return the evidence of rows in memory, (n_samples, n_features)."""
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    is_whole = weights is not None and bool((weights % 1 == 0).all())
    if X.shape[1] > 1:
        if is_whole and weights is not None and weights.sum() <= MAX_REPEATED:
            repeated = np.repeat(X, weights.astype(np.int64), axis=0)
            return Evidence(Rows(lambda: [X], weights, n_threads), lambda: Rows(lambda: [repeated]))
        return Evidence(Rows(lambda: [X], weights, n_threads))
    shares = None
    if weights is not None and not is_whole:
        shares = _points_of(Blocks(len(X), lambda start, stop: iter([X[start:stop]])), weights)
    seen = ~np.isnan(X[:, 0])
    X, weights = X[seen], None if weights is None else weights[seen]
    if not len(X):
        raise ValueError("X must hold a value that is not missing, got none")
    if shares is None:
        sketch = ColumnSketch().update(X[:, 0], weights, n_threads=n_threads)
        sample = evidence_of_sketch(sketch).sample
        if weights is not None and weights.sum() <= SMALL_COLUMN:
            X, weights = np.repeat(X, weights.astype(np.int64), axis=0), None
    else:
        sample = shares
    return Evidence(sample, lambda: Rows(lambda: [X], weights, center=sample.center))


def evidence_of_batches(
    parts: Callable[[], Iterator[NDArray[Any]]], n_features: int, n_threads: int
) -> Evidence:
    """Return the evidence of parts, each (n_rows, n_features), as that of an array of their rows.

    Many features are cut at the same rows as an array's; one column becomes its sketch.
    """
    size = block_rows(n_features)
    if n_features > 1:
        return Evidence(Rows(lambda: reblocked(parts(), size), None, n_threads))
    sketch = ColumnSketch()
    for part in parts():
        sketch.update(part[:, 0], n_threads=n_threads)

    def seen() -> Iterator[NDArray[Any]]:
        return (part[~np.isnan(part[:, 0])] for part in parts())

    if 0 < sketch.n <= SMALL_COLUMN:
        return evidence_of_array(np.concatenate(list(seen())), None, n_threads)
    sample = evidence_of_sketch(sketch).sample
    return Evidence(
        sample, lambda: Rows(lambda: reblocked(seen(), size), None, center=sample.center)
    )


def evidence_of_spread(
    rows: Spread, n_features: int, weights: FloatArray | None, n_threads: int
) -> Evidence:
    """Return the evidence of rows that lie elsewhere, as that of an array of them.

    Few of them are brought here.
    """
    is_whole = weights is not None and bool((weights % 1 == 0).all())
    if n_features > 1:
        if is_whole and weights is not None and weights.sum() <= MAX_REPEATED:
            return evidence_of_array(_brought(rows), weights, n_threads)
        return Evidence(Rows(rows, weights, n_threads))
    sample: Points | Rows
    if weights is not None and not is_whole:
        sample = _points_of(rows, weights)
    else:
        cuts = cuts_of(rows.n_rows, block_rows(1))
        sketches = rows.runs(partial(_sketch_of, n_threads), cuts, weights)
        sketch = reduce(ColumnSketch.merge, sketches)
        if 0 < sketch.n <= SMALL_COLUMN:
            return evidence_of_array(_brought(rows), weights, n_threads)
        sample = evidence_of_sketch(sketch).sample

    def seen() -> Rows:
        """Return the rows here, in turn: asked for where a start looks at them one by one."""
        parts = list(_seen(rows, weights))
        kept = None if weights is None else np.concatenate([w for _, w in parts if w is not None])
        return Rows(lambda: [X for X, _ in parts], kept, center=sample.center)

    return Evidence(sample, seen)


def _seen(
    rows: Spread, weights: FloatArray | None
) -> Iterator[tuple[NDArray[Any], FloatArray | None]]:
    """Yield the values of a column that are there, and their weights."""
    start = 0
    for part in map(checked_block, rows.batches()):
        kept, w = ~np.isnan(part[:, 0]), None
        if weights is not None:
            w = weights[start : start + len(part)]
            kept &= w > 0
            w = w[kept]
        start += len(part)
        yield part[kept], w


def _brought(rows: Spread) -> NDArray[Any]:
    return np.concatenate([checked_block(part) for part in rows.batches()])


def _sketch_of(n_threads: int, blocks: Iterator[Numbered]) -> ColumnSketch:
    sketch = ColumnSketch()
    for _, X, weights in blocks:
        sketch.update(checked_block(X)[:, 0], weights, n_threads=n_threads)
    return sketch


def _points_of(rows: Spread, weights: FloatArray) -> Points:
    """Return the values of a column with their weights, which are not whole, added up."""
    cuts = cuts_of(rows.n_rows, block_rows(1), weights)
    values, masses = folded_blocks(rows, _weighed, _weighed_together, cuts, weights)
    if not len(values):
        raise ValueError("X must hold a value that is not missing, got none")
    check_extremes(values[0], values[-1])
    return Points(values, masses)


def _weighed(
    number: int, X: NDArray[Any], weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    del number
    assert weights is not None  # noqa: S101  (for the type checker)
    x = checked_block(X)[:, 0].astype(np.float64)
    counted = ~np.isnan(x) & (weights > 0)
    return _by_value(x[counted], weights[counted])


def _weighed_together(
    one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    values, masses = (np.concatenate(parts) for parts in zip(one, other, strict=True))
    return _by_value(values, masses)


def _by_value(values: FloatArray, masses: FloatArray) -> tuple[FloatArray, FloatArray]:
    distinct, places = np.unique(values, return_inverse=True)
    return distinct, np.bincount(places, masses, len(distinct)).astype(np.float64)
