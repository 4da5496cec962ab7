"""Where the units of a map stand before training."""

import numpy as np
from numpy.random import RandomState

from modemap.kernels import FloatArray, covariance

__all__ = ["on_principal_plane", "on_samples", "within_ranges"]

SPREAD = 2.0  # standard deviations between the center of the plane and its edge


def on_principal_plane(
    X: FloatArray, weights: FloatArray, shape: tuple[int, int], n_threads: int
) -> FloatArray:
    """Spread the units evenly over the plane of the two largest principal components.

    The longer side of the grid follows the first component. Each component points to where its
    largest coefficient is positive, so that the map is never mirrored from run to run.
    """
    center, scatter = covariance(X, weights, n_threads)
    variances, axes = np.linalg.eigh(scatter)
    codebook = np.broadcast_to(center, (*shape, len(center))).copy()
    sides = (0, 1) if shape[0] >= shape[1] else (1, 0)
    for rank, side in zip((-1, -2), sides, strict=True):
        if -rank > len(center):
            continue
        axis = axes[:, rank] * np.sign(axes[np.abs(axes[:, rank]).argmax(), rank])
        length = SPREAD * np.sqrt(max(variances[rank], 0.0))
        steps = np.linspace(-length, length, shape[side]) if shape[side] > 1 else np.zeros(1)
        codebook += np.expand_dims(np.multiply.outer(steps, axis), 1 - side)
    return codebook.reshape(-1, len(center))


def within_ranges(X: FloatArray, n_units: int, random_state: RandomState) -> FloatArray:
    """Draw every coordinate of every unit evenly from the range of its feature."""
    codebook: FloatArray = random_state.uniform(X.min(axis=0), X.max(axis=0), (n_units, X.shape[1]))
    return codebook


def on_samples(
    X: FloatArray, weights: FloatArray, n_units: int, random_state: RandomState
) -> FloatArray:
    """Put every unit on a sample drawn by weight, on different ones where there are enough."""
    share = weights / weights.sum()
    is_repeated = bool(n_units > np.count_nonzero(share))
    return X[random_state.choice(len(X), n_units, replace=is_repeated, p=share)]
