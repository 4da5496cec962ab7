"""Where the units of a map stand before training."""

from functools import partial
from math import ceil, sqrt
from operator import add

import numpy as np
from numpy.random import RandomState

from modemap.estimators.samples import Part, Samples
from modemap.kernels import Deviations, FloatArray, IntArray, deviations, scatter

__all__ = ["covariance", "on_principal_plane", "on_samples", "sides", "within_ranges"]

SPREAD = 2.0  # standard deviations between the center of the plane and its edge
NEGLIGIBLE = 1e-12  # share of the largest variance below which a component is rounding alone
UNITS_PER_ROOT = 5.0  # units of a map whose sides are left out, for each root of the total weight


def sides(
    total_weight: float, n_rows: int | None = None, n_columns: int | None = None
) -> tuple[int, int]:
    """Return the sides of a map for samples of this total weight, keeping those that are given.

    A map has about five times the root of the number of samples as units, a rule of Vesanto's.
    It depends on weights alone, so that a weight of 2 counts as a sample twice.
    """
    n_units = UNITS_PER_ROOT * sqrt(total_weight)
    if n_rows is None and n_columns is None:
        n_rows = n_columns = max(1, ceil(sqrt(n_units)))
    return n_rows or max(1, ceil(n_units / (n_columns or 1))), n_columns or max(
        1, ceil(n_units / (n_rows or 1))
    )


def covariance(samples: Samples, n_threads: int = 1) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean (n_features,) and covariance (n_features, n_features) of all rows.

    A missing value counts as its feature's mean; the mean of a feature without any value is NaN.
    """
    first = (
        samples.first_row()
    )  # deviations from a sample: those of a constant feature are exactly 0
    origin = np.where(np.isnan(first), 0.0, first)
    found = samples.folded(partial(_deviations_of, origin, n_threads), Deviations.plus)
    with np.errstate(invalid="ignore"):
        center: FloatArray = origin + found.sums / found.observed
    upper = samples.folded(partial(_scatter_of, center, n_threads), np.add)
    return center, (upper + np.triu(upper, 1).T) / found.total


def _deviations_of(origin: FloatArray, n_threads: int, part: Part) -> Deviations:
    return deviations(part.X, part.weights, origin, n_threads)


def _scatter_of(center: FloatArray, n_threads: int, part: Part) -> FloatArray:
    return scatter(part.X, part.weights, center, n_threads)


def on_principal_plane(samples: Samples, shape: tuple[int, int], n_threads: int) -> FloatArray:
    """Spread the units evenly over the plane of the two largest principal components.

    The longer side of the grid follows the first component. Each component points to where its
    largest coefficient is positive, so that the map is never mirrored from run to run. Samples on a
    line leave the map no second direction. Missing values count as their feature's mean.
    """
    center, spread = covariance(samples, n_threads)
    variances, axes = np.linalg.eigh(spread)
    codebook = np.broadcast_to(center, (*shape, len(center))).copy()
    ranked = (0, 1) if shape[0] >= shape[1] else (1, 0)
    for rank, side in zip((-1, -2), ranked, strict=True):
        if -rank > len(center):
            continue
        axis = axes[:, rank] * np.sign(axes[np.abs(axes[:, rank]).argmax(), rank])
        variance = variances[rank] if variances[rank] > NEGLIGIBLE * variances[-1] else 0.0
        length = SPREAD * np.sqrt(variance)
        steps = np.linspace(-length, length, shape[side]) if shape[side] > 1 else np.zeros(1)
        codebook += np.expand_dims(np.multiply.outer(steps, axis), 1 - side)
    return codebook.reshape(-1, len(center))


def within_ranges(
    low: FloatArray, high: FloatArray, n_units: int, random_state: RandomState
) -> FloatArray:
    """Draw every coordinate of every unit evenly from the range of its feature."""
    codebook: FloatArray = random_state.uniform(low, high, (n_units, len(low)))
    return codebook


def on_samples(
    samples: Samples, center: FloatArray, n_units: int, random_state: RandomState
) -> FloatArray:
    """Put every unit on a sample drawn by weight, on different ones where there are enough.

    Missing values are those of ``center``.
    """
    weights = samples.kept_weights()
    is_repeated = bool(n_units > len(weights))
    drawn = random_state.choice(
        len(weights), n_units, replace=is_repeated, p=weights / weights.sum()
    )
    codebook = np.empty((n_units, len(center)))
    for units, rows in samples.folded(partial(_drawn_of, drawn), add):
        codebook[units] = rows
    return np.where(np.isnan(codebook), center, codebook)


def _drawn_of(drawn: IntArray, part: Part) -> list[tuple[IntArray, FloatArray]]:
    """Return which of the drawn samples are in ``part``, and these."""
    here = np.flatnonzero((drawn >= part.first) & (drawn < part.first + len(part.X)))
    return [(here, part.X[drawn[here] - part.first])]
