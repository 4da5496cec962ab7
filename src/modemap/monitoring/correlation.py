"""Correlations of ranks: they change where columns keep their shares and lose their company.

Values become ranks among the reference's rows, so neither units nor outliers matter. Whether chance
explains a difference is answered by Bernstein's inequality, which holds at any number of rows: at
five hundred columns the tail in question is one in a hundred million, where no approximation does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modemap.kernels.arrays import FloatArray
from modemap.monitoring.cells import Cells

__all__ = ["Change", "Correlations", "correlate", "largest_change"]

STEEPEST = 0.95  # correlations count as this at most: beyond it, ranks are too coarse to tell


@dataclass(frozen=True)
class Correlations:
    """Rank correlations of columns, with what bounds their error.

    Attributes
    ----------
    columns : sequence of str
    values : ndarray of shape (n_columns, n_columns)
        0 of a constant column.
    pairs : ndarray of shape (n_columns, n_columns)
        Rows that have both values.
    kurtosis, bound : ndarray of shape (n_columns,)
        Fourth moment and largest size of the standardised ranks.
    """

    columns: Sequence[str]
    values: FloatArray
    pairs: FloatArray
    kurtosis: FloatArray
    bound: FloatArray

    def only(self, columns: Sequence[str]) -> "Correlations":
        """Return those of ``columns`` alone."""
        places = [self.columns.index(name) for name in columns]
        across = np.ix_(places, places)
        return Correlations(
            list(columns),
            self.values[across],
            self.pairs[across],
            self.kurtosis[places],
            self.bound[places],
        )


@dataclass(frozen=True)
class Change:
    """The pair of columns whose correlation changed most, beside what chance may do."""

    columns: tuple[str, str]
    before: float
    after: float
    threshold: float  # difference that is significant
    effect: float  # in nats, as a stability index
    p_value: float  # an upper bound, for this pair alone
    n_pairs: int
    n_reference: int
    n: int

    @property
    def by_chance(self) -> float:
        """The effect that a difference of just :attr:`threshold` has, going the same way."""
        step = np.copysign(self.threshold, self.after - self.before)
        before = np.array(self.before)
        return float(_effect(before, np.clip(before + step, -1, 1)))


def correlate(sample: FloatArray, columns: Sequence[str], cells: Sequence[Cells]) -> Correlations:
    """Return the correlations of a sample of rows, (n_rows, n_columns), NaN where missing.

    Parameters
    ----------
    sample : ndarray of shape (n_rows, n_columns)
    columns : sequence of str
    cells : sequence of Cells
        Of the reference; they rank the values.
    """
    scores = np.empty(sample.shape)
    for j, cell in enumerate(cells):
        ranks = cell.ranks(sample[:, j])
        is_known = ~np.isnan(ranks)
        if is_known.any():
            ranks -= ranks[is_known].mean()
            spread = np.sqrt(np.mean(np.square(ranks[is_known])))
            scores[:, j] = ranks / spread if spread > 0 else 0.0 * ranks
        else:
            scores[:, j] = np.nan
    is_known = ~np.isnan(scores)
    n_known = is_known.sum(axis=0)
    scores = np.where(is_known, scores, 0.0)
    known = is_known.astype(np.float64)
    pairs = np.full((len(columns),) * 2, float(len(sample))) if known.all() else known.T @ known
    values = scores.T @ scores / np.maximum(pairs, 1)
    return Correlations(
        list(columns),
        np.clip(values, -1, 1),
        pairs,
        np.sum(np.square(np.square(scores)), axis=0) / np.maximum(n_known, 1),
        np.abs(scores).max(axis=0, initial=0.0),
    )


def largest_change(
    reference: Correlations, current: Correlations, level: float, min_effect: float
) -> Change | None:
    """Return the pair that comes nearest to being significant and large; None without a pair.

    Parameters
    ----------
    level : float
        Probability of any significant pair where nothing has changed.
    min_effect : float
        In nats.
    """
    n_columns = len(reference.columns)
    n_pairs = n_columns * (n_columns - 1) // 2
    if not n_pairs:
        return None
    variances, reaches = (
        first + second if i == 0 else np.maximum(first, second)
        for i, (first, second) in enumerate(zip(_errors(reference), _errors(current), strict=True))
    )
    threshold = _threshold(variances, reaches, level / n_pairs)
    difference = np.abs(current.values - reference.values)
    effect = _effect(reference.values, current.values)
    nearness = np.minimum(difference / threshold, np.sqrt(effect / min_effect))
    nearness[np.tril_indices(n_columns)] = -1
    i, j = divmod(int(np.argmax(nearness)), n_columns)
    size = difference[i, j]
    tail = 2 * np.exp(-(size**2) / (2 * (variances[i, j] + reaches[i, j] * size / 3)))
    return Change(
        columns=(reference.columns[i], reference.columns[j]),
        before=float(reference.values[i, j]),
        after=float(current.values[i, j]),
        threshold=float(threshold[i, j]),
        effect=float(effect[i, j]),
        p_value=float(min(tail, 1.0)),
        n_pairs=n_pairs,
        n_reference=int(reference.pairs[i, j]),
        n=int(current.pairs[i, j]),
    )


def _errors(found: Correlations) -> tuple[FloatArray, FloatArray]:
    """Return bounds of the variance of each correlation, and of what one row adds to it."""
    n_rows = np.maximum(found.pairs, 1)
    variance = np.sqrt(np.outer(found.kurtosis, found.kurtosis)) / n_rows
    return variance, np.outer(found.bound, found.bound) / n_rows


def _threshold(variances: FloatArray, reaches: FloatArray, level: float) -> FloatArray:
    """Return the difference that Bernstein's inequality gives at most ``level``."""
    nats = np.log(2 / level)
    linear = reaches * nats / 3
    found = linear + np.sqrt(np.square(linear) + 2 * variances * nats)
    return np.asarray(np.maximum(found, np.finfo(float).tiny))


def _effect(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the symmetric divergence of two normal pairs with these rank correlations, in nats."""
    rho, other = (
        np.clip(2 * np.sin(np.pi * values / 6), -STEEPEST, STEEPEST) for values in (before, after)
    )
    inverse = 1 / (1 - np.square(rho)) + 1 / (1 - np.square(other))
    return np.asarray(np.maximum((1 - rho * other) * inverse - 2, 0.0))
