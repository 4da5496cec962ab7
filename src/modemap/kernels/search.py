"""Search the codebook for the units nearest to each sample.

The distance is summed feature by feature in float64 and nothing is contracted or reordered, so the
compiled loop and its twin agree in every bit, and units equal brute force. The codebook comes
transposed: neighbouring units then lie side by side, and the loop over them fills vectors.
"""

import numpy as np

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.compilation import kernel

__all__ = ["best_matching_units", "two_best_matching_units"]

BLOCK_CELLS = 1 << 18  # distances a twin holds at once


def _distance_blocks(X: FloatArray, features: FloatArray) -> list[tuple[slice, FloatArray]]:
    step = max(1, BLOCK_CELLS // features.shape[1])
    return [
        (rows, squared_distances(X[rows], features))
        for rows in (slice(start, start + step) for start in range(0, len(X), step))
    ]


def squared_distances(X: FloatArray, features: FloatArray) -> FloatArray:
    """Return the squared distance of every sample to every unit, (n_samples, n_units)."""
    distances = np.zeros((len(X), features.shape[1]))
    for j, feature in enumerate(features):
        distances += np.square(X[:, j, np.newaxis] - feature)
    return distances


def _best_matching_units(
    X: FloatArray, features: FloatArray, units: IntArray, distances: FloatArray
) -> None:
    for rows, block in _distance_blocks(X, features):
        units[rows] = block.argmin(axis=1)
        distances[rows] = block.min(axis=1)


@kernel(portable=_best_matching_units)
def best_matching_units(
    X: FloatArray,  # in   (n_samples, n_features)
    features: FloatArray,  # in   (n_features, n_units), the codebook transposed
    units: IntArray,  # out  (n_samples,)
    distances: FloatArray,  # out  (n_samples,)
) -> None:
    """Write each sample's nearest unit and squared distance; ties go low."""
    n_features, n_units = features.shape
    sums = np.empty(n_units)
    for i in range(X.shape[0]):
        for k in range(n_units):
            sums[k] = (X[i, 0] - features[0, k]) ** 2
        for j in range(1, n_features):
            for k in range(n_units):
                sums[k] += (X[i, j] - features[j, k]) ** 2
        unit, nearest = 0, sums[0]
        for k in range(1, n_units):
            if sums[k] < nearest:
                unit, nearest = k, sums[k]
        units[i] = unit
        distances[i] = nearest


def _two_best_matching_units(
    X: FloatArray, features: FloatArray, first: IntArray, second: IntArray
) -> None:
    for rows, block in _distance_blocks(X, features):
        order = np.argsort(block, axis=1, kind="stable")
        first[rows], second[rows] = order[:, 0], order[:, 1]


@kernel(portable=_two_best_matching_units)
def two_best_matching_units(
    X: FloatArray,  # in   (n_samples, n_features)
    features: FloatArray,  # in   (n_features, n_units), the codebook transposed, n_units >= 2
    first: IntArray,  # out  (n_samples,)
    second: IntArray,  # out  (n_samples,)
) -> None:
    """Write each sample's nearest and second nearest unit; ties go low."""
    n_features, n_units = features.shape
    sums = np.empty(n_units)
    for i in range(X.shape[0]):
        for k in range(n_units):
            sums[k] = (X[i, 0] - features[0, k]) ** 2
        for j in range(1, n_features):
            for k in range(n_units):
                sums[k] += (X[i, j] - features[j, k]) ** 2
        unit, runner_up = (1, 0) if sums[1] < sums[0] else (0, 1)
        for k in range(2, n_units):
            if sums[k] < sums[runner_up]:
                if sums[k] < sums[unit]:
                    unit, runner_up = k, unit
                else:
                    runner_up = k
        first[i] = unit
        second[i] = runner_up
