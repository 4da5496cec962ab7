"""Add up samples: by unit for the map's epochs, and their products for its principal axes."""

import numpy as np

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.compilation import kernel

__all__ = ["add_by_unit", "add_scatter"]


def _add_by_unit(
    X: FloatArray, weights: FloatArray, units: IntArray, sums: FloatArray, totals: FloatArray
) -> None:
    np.add.at(sums, units, weights[:, np.newaxis] * X)
    np.add.at(totals, units, weights)


@kernel(portable=_add_by_unit)
def add_by_unit(
    X: FloatArray,  # in      (n_samples, n_features)
    weights: FloatArray,  # in      (n_samples,)
    units: IntArray,  # in      (n_samples,)
    sums: FloatArray,  # in out  (n_units, n_features)
    totals: FloatArray,  # in out  (n_units,)
) -> None:
    """Add each sample, times its weight, to the sums of its unit."""
    for i in range(X.shape[0]):
        unit, weight = units[i], weights[i]
        totals[unit] += weight
        for j in range(X.shape[1]):
            sums[unit, j] += weight * X[i, j]


def _add_scatter(
    X: FloatArray, weights: FloatArray, center: FloatArray, scatter: FloatArray
) -> None:
    centered = X - center
    for j in range(X.shape[1]):
        products = (weights * centered[:, j])[:, np.newaxis] * centered[:, j:]
        scatter[j, j:] += np.cumsum(products, axis=0)[-1]  # added row by row, as the loop does


@kernel(portable=_add_scatter)
def add_scatter(
    X: FloatArray,  # in      (n_samples, n_features)
    weights: FloatArray,  # in      (n_samples,)
    center: FloatArray,  # in      (n_features,)
    scatter: FloatArray,  # in out  (n_features, n_features), the upper triangle alone
) -> None:
    """Add the weighted products of each sample's deviations from ``center``."""
    n_features = X.shape[1]
    centered = np.empty(n_features)
    for i in range(X.shape[0]):
        for j in range(n_features):
            centered[j] = X[i, j] - center[j]
        for j in range(n_features):
            weighted = weights[i] * centered[j]
            for k in range(j, n_features):
                scatter[j, k] += weighted * centered[k]
