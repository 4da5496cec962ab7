"""Distances in float64, summed feature by feature: the measure of all faster searches.

A value that is missing, NaN, adds nothing: a distance is that over the observed features. The
codebook comes transposed, so that neighbouring units lie side by side and loops over them vectorise
without changing the order of any sum. Euclidean distances stay squared.
"""

import math

import numpy as np

from modemap.kernels.compilation import jit

__all__ = [
    "COSINE",
    "distance_to_row",
    "distances_to_units",
    "nearest_row",
    "nearest_two",
    "nearest_unit",
    "row_distances",
    "squared_distance",
]

EUCLIDEAN, MANHATTAN, CHEBYSHEV, COSINE = 0, 1, 2, 3


@jit
def distance_to_row(x, w, metric):  # type: ignore[no-untyped-def]
    """Return the distance from a sample to a unit, both (n_features,)."""
    total, length_x, length_w = 0.0, 0.0, 0.0
    for j in range(w.size):
        value = np.float64(x[j])
        if math.isnan(value):
            continue
        if metric == COSINE:
            total += value * w[j]
            length_x += value * value
            length_w += w[j] * w[j]
        elif metric == CHEBYSHEV:
            total = max(total, abs(value - w[j]))
        elif metric == MANHATTAN:
            total += abs(value - w[j])
        else:
            total += (value - w[j]) * (value - w[j])
    if metric == COSINE:
        length = math.sqrt(length_x) * math.sqrt(length_w)
        return max(0.0, 1.0 - total / length) if length > 0.0 else 1.0
    return total


@jit
def squared_distance(x, w):  # type: ignore[no-untyped-def]
    """Return the squared distance of a complete sample, in four sums that run side by side."""
    a = b = c = d = 0.0
    whole = w.size // 4 * 4
    for j in range(0, whole, 4):
        a += (x[j] - w[j]) * (x[j] - w[j])
        b += (x[j + 1] - w[j + 1]) * (x[j + 1] - w[j + 1])
        c += (x[j + 2] - w[j + 2]) * (x[j + 2] - w[j + 2])
        d += (x[j + 3] - w[j + 3]) * (x[j + 3] - w[j + 3])
    for j in range(whole, w.size):
        a += (x[j] - w[j]) * (x[j] - w[j])
    return (a + b) + (c + d)


@jit
def nearest_row(x, codebook, metric):  # type: ignore[no-untyped-def]
    """Return the nearest row of ``codebook``, as it lies."""
    unit, low = 0, distance_to_row(x, codebook[0], metric)
    for k in range(1, codebook.shape[0]):
        distance = distance_to_row(x, codebook[k], metric)
        if distance < low:
            unit, low = k, distance
    return unit


@jit
def row_distances(x, features, metric, lengths, distances):  # type: ignore[no-untyped-def]
    """Write the distance from one sample to each unit."""
    distances[:] = 0.0
    lengths[:] = 0.0
    length_x = 0.0
    for j in range(features.shape[0]):
        value, feature = np.float64(x[j]), features[j]
        if math.isnan(value):
            continue
        if metric == COSINE:
            length_x += value * value
            for k in range(feature.size):
                distances[k] += value * feature[k]
                lengths[k] += feature[k] * feature[k]
        elif metric == CHEBYSHEV:
            for k in range(feature.size):
                distances[k] = max(distances[k], abs(value - feature[k]))
        elif metric == MANHATTAN:
            for k in range(feature.size):
                distances[k] += abs(value - feature[k])
        else:
            for k in range(feature.size):
                distances[k] += (value - feature[k]) * (value - feature[k])
    if metric == COSINE:
        for k in range(distances.size):
            length = math.sqrt(length_x) * math.sqrt(lengths[k])
            distances[k] = max(0.0, 1.0 - distances[k] / length) if length > 0.0 else 1.0


@jit
def nearest_unit(x, features, metric, lengths, distances):  # type: ignore[no-untyped-def]
    """Return the nearest unit of a sample; ``lengths`` and ``distances`` are scratch (n_units,)."""
    row_distances(x, features, metric, lengths, distances)
    unit, low = 0, distances[0]
    for k in range(1, distances.size):
        if distances[k] < low:
            unit, low = k, distances[k]
    return unit


@jit
def nearest_two(  # type: ignore[no-untyped-def]
    X,  # in   (n_samples, n_features)
    features,  # in   (n_features, n_units) float64, the codebook transposed, n_units >= 2
    metric,  # in   number of the metric
    units,  # out  (n_samples, 2) int64
):
    """Write the nearest and the second nearest unit of each sample; ties go low."""
    lengths, distances = np.empty(features.shape[1]), np.empty(features.shape[1])
    for i in range(X.shape[0]):
        row_distances(X[i], features, metric, lengths, distances)
        first, second = (1, 0) if distances[1] < distances[0] else (0, 1)
        for k in range(2, distances.size):
            if distances[k] < distances[second]:
                if distances[k] < distances[first]:
                    first, second = k, first
                else:
                    second = k
        units[i, 0] = first
        units[i, 1] = second


@jit
def distances_to_units(  # type: ignore[no-untyped-def]
    X,  # in   (n_samples, n_features)
    features,  # in   (n_features, n_units) float64, the codebook transposed
    metric,  # in   number of the metric
    distances,  # out  (n_samples, n_units)
):
    """Write the distance of each sample to each unit."""
    lengths = np.empty(features.shape[1])
    for i in range(X.shape[0]):
        row_distances(X[i], features, metric, lengths, distances[i])
