"""Samples as training reads them: checked parts, again and again in the same order.

Arrays, and data larger than memory that come as :class:`Batches`, are cut at the same rows, so the
same samples give the same sums to the last bit. A sparse matrix is cut into blocks of rows that are
made dense one at a time.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from operator import add
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from modemap.estimators.batches import Batches, Spread, folded_blocks
from modemap.estimators.blocks import block_rows, cuts_of, reblocked
from modemap.estimators.checks import (
    FLOATS,
    check_magnitude,
    check_no_text,
    check_sample_weight,
    is_ready,
)
from modemap.estimators.folding import folded
from modemap.kernels import FloatArray, has_missing

__all__ = ["Part", "Samples", "checked_rows"]

BLOCK_BYTES = 8 << 20  # of a sparse matrix that are dense at once

Result = TypeVar("Result")


class Part(NamedTuple):
    """Some samples, checked."""

    X: FloatArray  # (n_samples, n_features), float32 or float64, C order
    weights: FloatArray  # (n_samples,), all above 0
    is_missing: bool  # whether a value is NaN
    first: int = 0  # number of the first of them


class Samples:
    """What an estimator is fitted on; all passes over it are :meth:`folded`, or go part by part.

    Parameters
    ----------
    model : BaseEstimator
        Takes note of the features of the first part.
    X : array-like, sparse matrix or Batches of shape (n_samples, n_features)
        The samples; NaN is a missing value.
    sample_weight : array-like of shape (n_samples,) or None
        Their weights, ones if None.
    reset : bool
        Whether the features are new to the model.
    is_whole : bool
        Whether an array is one part, however long: for what draws from all samples at once.
    """

    def __init__(
        self,
        model: BaseEstimator,
        X: Any,
        sample_weight: ArrayLike | None,
        *,
        reset: bool,
        is_whole: bool = False,
    ) -> None:
        self._model = model
        self._batches = X if isinstance(X, Batches) else None
        self._matrix: Any = None
        self._parts: list[Part] = []
        self._is_new = reset
        if self._batches is not None:
            self._weights = None if sample_weight is None else _weights(sample_weight)
            if isinstance(X, Spread) and self._weights is not None:
                _check_number(self._weights, X.n_rows)
            next(iter(self))  # so that the model knows its features
            return
        checked = _checked(model, X, reset=reset)
        self._weights = check_sample_weight(sample_weight, checked.shape[0])
        if issparse(checked):
            self._matrix = checked
        else:
            n_rows = len(checked) if is_whole else block_rows(checked.shape[1])
            self._parts = list(_cut([checked], self._weights, n_rows))

    def __len__(self) -> int:
        """Return the number of parts that are at hand, 0 where they are read or cut each time."""
        return len(self._parts)

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts, without samples of weight 0."""
        if self._batches is not None:
            yield from self._read()
        elif self._matrix is not None:
            step = max(1, BLOCK_BYTES // (8 * self._matrix.shape[1]))
            for start in range(0, self._matrix.shape[0], step):
                rows = slice(start, start + step)
                block = self._matrix[rows].toarray()
                yield from _cut([block], self._weights[rows], step)  # type: ignore[index]
        else:
            yield from self._parts

    def folded(
        self, work: Callable[[Part], Result], add: Callable[[Result, Result], Result]
    ) -> Result:
        """Return what ``work`` makes of all parts, added up in one order wherever they lie."""
        rows = self._batches
        if not isinstance(rows, Spread):
            return folded(map(work, self), add)
        size = block_rows(self._model.n_features_in_)
        cuts = cuts_of(rows.n_rows, size, self._weights)
        return folded_blocks(rows, partial(_on_part, work, size), add, cuts, self._weights)

    def first_row(self) -> FloatArray:
        """Return the first sample, (n_features,)."""
        first: FloatArray = next(iter(self)).X[0]
        return first

    def kept_weights(self) -> FloatArray:
        """Return the weights of all samples, without those of 0."""
        if isinstance(self._batches, Spread):
            weights = self._weights
            return np.ones(self._batches.n_rows) if weights is None else weights[weights > 0]
        return np.concatenate([part.weights for part in self])

    def _read(self) -> Iterator[Part]:
        """Yield the samples of the batches, cut as those of an array are."""
        batches = self._checked_batches()
        first = next(batches, None)
        if first is None:
            raise ValueError("X must have a batch with a row, got none")
        yield from _cut(chain([first], batches), self._weights, block_rows(first.shape[1]))

    def _checked_batches(self) -> Iterator[FloatArray]:
        assert self._batches is not None  # noqa: S101  (for the type checker)
        start, n_weights = 0, None if self._weights is None else len(self._weights)
        for batch in self._batches.batches():
            X = _checked(self._model, batch, reset=self._is_new)
            self._is_new = False
            start += X.shape[0]
            if n_weights is not None and start > n_weights:
                rule = "sample_weight must have a weight for each row"
                raise ValueError(f"{rule}, got {n_weights} only")
            yield X.toarray() if issparse(X) else X
        if self._weights is not None and start:
            _check_number(self._weights, start)

    def total_weight(self) -> float:
        """Return the sum of the weights."""
        total: float = self.folded(_weight_of, add)
        return total


def checked_rows(model: BaseEstimator, X: Any) -> Iterator[FloatArray]:
    """Yield the rows of ``X`` that a fitted model is asked about, sparse ones in dense blocks."""
    checked = _checked(model, X, reset=False)
    if not issparse(checked):
        _check_rows(checked)
        yield checked
        return
    step = max(1, BLOCK_BYTES // (8 * checked.shape[1]))
    for start in range(0, checked.shape[0], step):
        rows = checked[start : start + step].toarray()
        _check_rows(rows)
        yield rows


def _checked(model: BaseEstimator, X: Any, *, reset: bool) -> Any:
    if not reset and is_ready(X, model):
        checked = X
    else:
        check_no_text(X)
        checked = validate_data(
            model,
            X,
            reset=reset,
            dtype=FLOATS,
            order="C",
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
        )
    check_magnitude(checked.data if issparse(checked) else checked)
    return checked


def _cut(arrays: Iterable[FloatArray], weights: FloatArray | None, n_rows: int) -> Iterator[Part]:
    """Yield the samples of ``arrays``, without those of weight 0, in parts of ``n_rows``."""
    kept = None if weights is None else weights[weights > 0]
    start = 0
    for X in reblocked(_counted(arrays, weights), n_rows):
        stop = start + len(X)
        part_weights = np.ones(len(X)) if kept is None else kept[start:stop]
        yield Part(X, part_weights, _check_rows(X, start), start)
        start = stop


def _on_part(
    work: Callable[[Part], Result],
    size: int,
    number: int,
    X: NDArray[Any],
    weights: FloatArray | None,
) -> Result:
    """Check a block where it lies, as the batches are checked here, and work on it."""
    X = check_array(X, dtype=FLOATS, order="C", ensure_all_finite="allow-nan", input_name="X")
    check_magnitude(X)
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    first = number * size
    kept = np.ones(len(X)) if weights is None else weights
    return work(Part(X, kept, _check_rows(X, first), first))


def _weight_of(part: Part) -> float:
    return float(part.weights.sum())


def _counted(arrays: Iterable[FloatArray], weights: FloatArray | None) -> Iterator[FloatArray]:
    """Yield the samples that have a weight above 0."""
    start, is_all = 0, weights is None or bool((weights > 0).all())
    for X in arrays:
        yield X if is_all else X[weights[start : start + len(X)] > 0]  # type: ignore[index]
        start += len(X)


def _check_rows(X: FloatArray, first_row: int = 0) -> bool:
    """Refuse rows without a value; return whether any value is missing."""
    if not has_missing(X):
        return False
    is_empty = np.isnan(X).all(axis=1)
    if is_empty.any():
        row = first_row + int(np.flatnonzero(is_empty)[0])
        raise ValueError(f"X must have a value in each row, got NaN alone in row {row}")
    return True


def _check_number(weights: FloatArray, n_rows: int) -> None:
    if len(weights) != n_rows:
        raise ValueError(f"sample_weight must have shape ({n_rows},), got ({len(weights)},)")


def _weights(sample_weight: ArrayLike) -> FloatArray:
    return check_sample_weight(sample_weight, len(np.asarray(sample_weight)))
