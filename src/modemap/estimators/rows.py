"""Rows of several columns, wherever they lie, as expectation steps of a mixture see them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, pairwise
from operator import add
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from modemap.estimators.alongside import alongside
from modemap.estimators.batches import Spread, folded_blocks
from modemap.estimators.blocks import block_rows, cuts_of, reblocked
from modemap.estimators.checks import check_magnitude
from modemap.estimators.expectation import Chunk, Step, Sums
from modemap.estimators.folding import folded
from modemap.estimators.posterior import Posterior, Prior, Statistics
from modemap.kernels.arrays import FloatArray

__all__ = ["Rows", "checked_block"]

GRID = 1 << 14  # rows of a chunk: fixed, so that threads and sums have one order


Result = TypeVar("Result")


class Block(NamedTuple):
    """Neighbouring rows, as many as :func:`~modemap.estimators.blocks.block_rows` says."""

    first: int  # number of the first of them
    X: NDArray[Any]  # (n, n_features)
    weights: FloatArray | None  # (n,), all above 0

    def pieces(self) -> Iterator["Block"]:
        """Yield the rows some thousand at a time, in C order: BLAS adds others up otherwise."""
        for start in range(0, len(self.X), GRID):
            rows = slice(start, start + GRID)
            weights = None if self.weights is None else self.weights[rows]
            yield Block(self.first + start, np.ascontiguousarray(self.X[rows]), weights)


class Rows:
    """Rows and their weights.

    Parameters
    ----------
    rows : callable or Spread
        Returns the rows in parts, (n_rows, n_features) of floats, each time in the same order; or
        has them elsewhere.
    weights : ndarray of shape (n_samples,) or None
        All above 0, but for rows elsewhere: of these a weight of 0 leaves them out.
    n_threads : int
        They change no digit: chunks and the order of their sums are fixed.
    center : ndarray of shape (n_features,) or None
        Weighted mean of complete rows, where it is known already.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        Weighted mean of what is observed; statistics are taken relative to it.
    n_samples, n_features : int
    total : float
        Sum of the weights of rows in which anything is observed.
    """

    def __init__(
        self,
        rows: Callable[[], Iterable[NDArray[Any]]] | Spread,
        weights: FloatArray | None = None,
        n_threads: int = 1,
        center: FloatArray | None = None,
    ) -> None:
        self._rows, self._weights, self._n_threads = rows, weights, n_threads
        if center is None:
            self._survey()
        else:
            self.center, self.n_features, self.is_complete = center, len(center), True
            self.n_samples = sum(len(block.X) for block in self._blocks())
            self.total = float(self.n_samples) if weights is None else float(weights.sum())

    def _survey(self) -> None:
        """Take the mean in one pass, relative to the first row that can be."""
        first = next(self._blocks(), None)
        if first is None or not len(first.X):
            raise ValueError("X must have at least one row, got none")
        self.n_features = first.X.shape[1]
        origin = np.nan_to_num(np.asarray(first.X[0], np.float64))
        found = self.folded(partial(_survey, origin), _added)
        if not (found.masses > 0).all():
            column = int(np.argmin(found.masses))
            raise ValueError(f"each column of X must hold a value, got none in column {column}")
        self.n_samples, self.total = found.n_samples, found.total
        masses = found.masses
        self.is_complete = bool(np.ptp(masses) == 0) and bool(masses[0] == self.total)
        self.center = origin + found.sums / masses

    def covariance(self) -> FloatArray:
        """Return the covariance of the rows, each pair of columns from where both are observed."""
        scatter, masses = self.folded(partial(_scatter, self.center), _added)
        if self.is_complete:
            return np.asarray(scatter / max(self.total - 1.0, 1.0))
        variances = np.diag(np.diag(scatter) / np.maximum(np.diag(masses) - 1.0, 1.0))
        full = scatter / np.maximum(masses - 1.0, 1.0)
        return full if _is_definite(full) else variances

    def step(self, posterior: Posterior, prior: Prior) -> Statistics:
        """Take an expectation step."""
        step = Step(posterior, prior, self.center, self.n_samples)
        work = partial(_stepped, step, self.is_complete, self._n_threads)
        return step.total(self.folded(work, _added))

    def gathered(
        self,
        shares: Callable[[int, int, FloatArray], NDArray[Any]],
        n_components: int,
        *,
        in_turn: bool = False,
    ) -> Statistics:
        """Return the statistics of responsibilities or labels, ``shares(start, stop, rows)``.

        The rows are relative to the center; what is missing stands at the mean of its column.
        ``in_turn`` asks for the shares of the rows in their order, in this process.
        """
        work = partial(_gathered, shares, self.center, n_components)
        if in_turn:
            counts, sums, scatters = folded(map(work, self._blocks()), _added)
        else:
            counts, sums, scatters = self.folded(work, _added)
        return Statistics(counts, np.zeros(sums.shape), sums, scatters)

    def thinned(self, limit: int) -> tuple[FloatArray, FloatArray | None, int]:
        """Return at most ``limit`` rows, evenly apart, their weights, and the step between them.

        What is missing stands at the mean of its column.
        """
        step = -(-self.n_samples // limit)
        picked = self.folded(partial(_picked, step, self.center), add)
        rows = np.concatenate([X for X, _ in picked])
        if self._weights is None:
            return rows, None, step
        return rows, np.concatenate([w for _, w in picked if w is not None]), step

    def folded(
        self, work: Callable[[Block], Result], add: Callable[[Result, Result], Result]
    ) -> Result:
        """Return what ``work`` makes of all blocks, added up in one order wherever they lie."""
        if not isinstance(self._rows, Spread):
            return folded(map(work, self._blocks()), add)
        size = block_rows(self.n_features)
        cuts = cuts_of(self._rows.n_rows, size, self._weights)
        return folded_blocks(self._rows, partial(_on_block, work, size), add, cuts, self._weights)

    def _blocks(self) -> Iterator[Block]:
        """Yield the rows here, block by block."""
        start, weights = 0, self._weights
        if isinstance(self._rows, Spread):
            parts: Iterable[NDArray[Any]] = _kept(self._rows, weights)
            weights = None if weights is None else weights[weights > 0]
        else:
            parts = self._rows()
        for X in _blocks_of(parts):
            stop = start + len(X)
            yield Block(start, X, None if weights is None else weights[start:stop])
            start = stop


def _blocks_of(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    parts = iter(parts)
    first = next(parts, None)
    if first is not None:
        yield from reblocked(chain([first], parts), block_rows(first.shape[1]))


def _kept(rows: Spread, weights: FloatArray | None) -> Iterator[NDArray[Any]]:
    """Yield rows that lie elsewhere, checked, without those of weight 0."""
    start = 0
    for part in rows.batches():
        X = checked_block(part)
        yield X if weights is None else X[weights[start : start + len(X)] > 0]
        start += len(X)


def checked_block(X: Any) -> NDArray[Any]:
    """Return rows that lie elsewhere, checked as those in memory are."""
    checked: NDArray[Any] = check_array(
        X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", input_name="X"
    )
    return checked


def _on_block(
    work: Callable[[Block], Result],
    size: int,
    number: int,
    X: NDArray[Any],
    weights: FloatArray | None,
) -> Result:
    X = checked_block(X)
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    return work(Block(number * size, X, weights))


class _Survey(NamedTuple):
    """What mean and size of rows follow from."""

    n_samples: int
    total: float
    sums: FloatArray  # (n_features,), relative to an origin
    masses: FloatArray  # (n_features,), weight of what is observed


def _survey(origin: FloatArray, block: Block) -> _Survey:
    total, sums, masses = 0.0, np.zeros(len(origin)), np.zeros(len(origin))
    for _, X, weights in block.pieces():
        check_magnitude(X)
        rows = np.asarray(X, np.float64)
        seen = ~np.isnan(rows)
        w = np.ones(len(rows)) if weights is None else weights
        sums += w @ np.where(seen, rows - origin, 0.0)
        masses += w @ seen
        total += float(w[seen.any(axis=1)].sum())
    return _Survey(len(block.X), total, sums, masses)


def _scatter(center: FloatArray, block: Block) -> tuple[FloatArray, FloatArray]:
    d = len(center)
    scatter, masses = np.zeros((d, d)), np.zeros((d, d))
    for _, X, weights in block.pieces():
        rows = np.asarray(X, np.float64) - center
        seen = ~np.isnan(rows)
        rows = np.where(seen, rows, 0.0)
        w = np.ones(len(rows)) if weights is None else weights
        scatter += (rows * w[:, np.newaxis]).T @ rows
        masses += (seen * w[:, np.newaxis]).T @ seen
    return scatter, masses


def _gathered(
    shares: Callable[[int, int, FloatArray], NDArray[Any]],
    center: FloatArray,
    n_components: int,
    block: Block,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    d = len(center)
    counts, sums = np.zeros(n_components), np.zeros((n_components, d))
    scatters = np.zeros((n_components, d, d))
    for first, X, weights in block.pieces():
        rows = np.nan_to_num(np.asarray(X, np.float64) - center)
        resp = shares(first, first + len(rows), rows)
        if resp.ndim == 1:
            found = _labelled(rows, resp, weights, n_components)
            counts, sums, scatters = counts + found[0], sums + found[1], scatters + found[2]
            continue
        if weights is not None:
            resp = resp * weights[:, np.newaxis]
        counts += resp.sum(axis=0)
        sums += resp.T @ rows
        for k in range(n_components):
            scatters[k] += (resp[:, k] * rows.T) @ rows
    return counts, sums, scatters


def _picked(
    step: int, center: FloatArray, block: Block
) -> list[tuple[FloatArray, FloatArray | None]]:
    rows = slice(-block.first % step, None, step)
    part = np.asarray(block.X[rows], np.float64)
    weights = None if block.weights is None else block.weights[rows]
    return [(np.where(np.isnan(part), center, part), weights)]


def _added(one: Any, other: Any) -> Any:
    """Return two results of equal fields together, field by field."""
    fields = [a + b for a, b in zip(one, other, strict=True)]
    return type(one)(*fields) if hasattr(one, "_fields") else tuple(fields)


def _stepped(step: Step, is_complete: bool, n_threads: int, block: Block) -> Sums:
    return step.sums(alongside(step.statistics, _chunks(block, is_complete), n_threads))


def _chunks(block: Block, is_complete: bool) -> Iterator[Chunk]:
    nothing = np.empty(0)
    for _, X, weights in block.pieces():
        w = nothing if weights is None else weights
        if is_complete:
            yield Chunk(X, w, None)
            continue
        seen = ~np.isnan(X)
        codes = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1)
        order = np.argsort(codes, kind="stable")
        cuts = [0, *(np.flatnonzero(np.diff(codes[order])) + 1).tolist(), len(order)]
        for low, high in pairwise(cuts):
            rows = order[low:high]
            observed = np.flatnonzero(seen[rows[0]])
            if len(observed):  # a row with nothing observed says nothing
                is_all = len(observed) == X.shape[1]
                picked = np.ascontiguousarray(X[np.ix_(rows, observed)])
                yield Chunk(picked, w[rows] if len(w) else w, None if is_all else observed)


def _labelled(
    rows: FloatArray, labels: NDArray[Any], weights: FloatArray | None, n_components: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return counts, sums and scatters of rows by label."""
    d = rows.shape[1]
    counts = np.bincount(labels, weights, n_components).astype(np.float64)
    sums, scatters = np.empty((n_components, d)), np.empty((n_components, d, d))
    for i in range(d):
        weighted = rows[:, i] if weights is None else rows[:, i] * weights
        sums[:, i] = np.bincount(labels, weighted, n_components)
        for j in range(i, d):
            found = np.bincount(labels, weighted * rows[:, j], n_components)
            scatters[:, i, j] = scatters[:, j, i] = found
    return counts, sums, scatters


def _is_definite(matrix: FloatArray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
