"""Add up products of samples, for the principal axes of a map."""

import numpy as np

from modemap.kernels.arrays import FloatArray
from modemap.kernels.compilation import kernel

__all__ = ["add_scatter"]


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
