"""Directions in which columns do not vary together, learned from sums over training rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from modemap.errors import DataError
from modemap.estimators.blas import one_blas_thread
from modemap.kernels import FloatArray

__all__ = ["Directions", "learn_directions"]

LEAST_SHARE = 1e-8  # of the variance, that a direction must have to be whitened


@dataclass(frozen=True)
class Directions:
    """Where rows are seen from their mean along directions at right angles.

    Parameters
    ----------
    mean : ndarray of shape (n_columns,)
        The training rows' mean.
    axes : ndarray of shape (n_columns, n_columns)
        The directions, one a column, that of most variance first.
    lengths : ndarray of shape (n_columns,)
        What counts as 1 along each direction.
    """

    mean: FloatArray
    axes: FloatArray
    lengths: FloatArray

    @property
    def log_lengths(self) -> float:
        """Sum of the logarithms of ``lengths``: what a log-density gains by the change of units."""
        return float(np.log(self.lengths).sum())

    def transform(self, X: FloatArray) -> FloatArray:
        """Return rows along the directions; a row has the same bits alone and among others."""
        return _times(X - self.mean, self.axes) / self.lengths

    def inverse_transform(self, X: FloatArray) -> FloatArray:
        """Return the rows that :meth:`transform` gave along the directions."""
        return _times(X * self.lengths, self.axes.T) + self.mean

    def by_column(self, differences: FloatArray) -> FloatArray:
        """Return differences along the directions, as long as they are, by the columns."""
        return _times(differences, self.axes.T)

    def covariances_before(self, covariances: FloatArray) -> FloatArray:
        """Return covariances along the directions, (..., n, n), as covariances of the columns."""
        back = self.lengths[:, np.newaxis] * self.axes.T
        before: FloatArray = back.T @ covariances @ back
        return (before + np.swapaxes(before, -1, -2)) / 2


def learn_directions(
    blocks: Iterable[FloatArray], columns: Sequence[str], *, whiten: bool
) -> Directions:
    """Return the principal directions of scaled training rows.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_rows, n_columns)
        The rows. Their sums are added up block by block, so equal blocks give equal bytes.
    columns : sequence of str
        The names of their columns.
    whiten : bool
        Whether the unit of each direction is its standard deviation.

    Returns
    -------
    Directions
        Each such that its largest part, the first of equals, is positive.

    Raises
    ------
    DataError
        If a direction to whiten has less than 1e-8 of the variance.
    """
    n_columns = len(columns)
    n_rows, sums, products = 0, np.zeros(n_columns), np.zeros((n_columns, n_columns))
    for X in blocks:
        n_rows += len(X)
        by_column = np.ascontiguousarray(X.T)
        sums += by_column.sum(axis=1)
        for j in range(n_columns):  # no BLAS: its threads would add in another order
            products[j, j:] += (by_column[j:] * by_column[j]).sum(axis=1)
    products = np.triu(products) + np.triu(products, 1).T
    mean = sums / n_rows
    with one_blas_thread():
        variances, axes = np.linalg.eigh(products / n_rows - np.outer(mean, mean))
    variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
    largest = np.abs(axes).argmax(axis=0)
    axes = np.ascontiguousarray(axes * np.where(axes[largest, range(n_columns)] < 0, -1.0, 1.0))
    lengths = np.ones(n_columns)
    if whiten:
        _check_spread(variances, axes, columns)
        lengths = np.sqrt(variances)
    return Directions(mean, axes, lengths)


def _check_spread(variances: FloatArray, axes: FloatArray, columns: Sequence[str]) -> None:
    total = variances.sum()
    if variances[-1] > LEAST_SHARE * total:
        return
    part = np.abs(axes[:, -1])
    among = [name for name, size in zip(columns, part, strict=True) if size > part.max() / 10]
    share = variances[-1] / total if total > 0 else 0.0
    raise DataError(
        f"columns {', '.join(among)}",
        f"to be whitened, each direction must have {LEAST_SHARE:g} of the variance",
        found=f"{share:.2g} along one of these columns: they are constant or tell the same",
        hint="leave one of them out of prepare.columns, or set prepare.decorrelate to pca",
    )


def _times(X: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return ``X @ matrix``, each row's sum in the order of columns."""
    product: FloatArray = X[:, :1] * matrix[0]
    for j in range(1, len(matrix)):
        product += X[:, j : j + 1] * matrix[j]
    return product
