"""Where the units of a map stand before training."""

from collections.abc import Iterable
from math import ceil, sqrt

import numpy as np
from numpy.random import RandomState

from modemap.estimators.samples import Part
from modemap.kernels import FloatArray, covariance

__all__ = ["on_principal_plane", "on_samples", "sides", "within_ranges"]

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


def on_principal_plane(
    samples: Iterable[Part], shape: tuple[int, int], n_threads: int
) -> FloatArray:
    """Spread the units evenly over the plane of the two largest principal components.

    The longer side of the grid follows the first component. Each component points to where its
    largest coefficient is positive, so that the map is never mirrored from run to run. Samples on a
    line leave the map no second direction. Missing values count as their feature's mean.
    """
    center, scatter = covariance(samples, n_threads)
    variances, axes = np.linalg.eigh(scatter)
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
    samples: Iterable[Part], center: FloatArray, n_units: int, random_state: RandomState
) -> FloatArray:
    """Put every unit on a sample drawn by weight, on different ones where there are enough.

    Missing values are those of ``center``.
    """
    weights = np.concatenate([part.weights for part in samples])
    is_repeated = bool(n_units > len(weights))
    drawn = random_state.choice(
        len(weights), n_units, replace=is_repeated, p=weights / weights.sum()
    )
    codebook = np.empty((n_units, len(center)))
    start = 0
    for part in samples:
        here = (drawn >= start) & (drawn < start + len(part.X))
        codebook[here] = part.X[drawn[here] - start]
        start += len(part.X)
    return np.where(np.isnan(codebook), center, codebook)
