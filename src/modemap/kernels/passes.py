"""Passes over all rows: chunks on plain threads, their results added in the order of the rows."""

from typing import NamedTuple

import numpy as np

from modemap.kernels.accumulation import add_by_unit, add_scatter
from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.chunks import map_chunks
from modemap.kernels.search import (
    best_matching_units,
    squared_distances,
    two_best_matching_units,
)

__all__ = [
    "UnitSums",
    "covariance",
    "nearest_units",
    "sums_by_unit",
    "two_nearest_units",
    "unit_distances",
]


class UnitSums(NamedTuple):
    """What an epoch of batch training needs of all rows."""

    sums: FloatArray  # (n_units, n_features), weighted samples
    totals: FloatArray  # (n_units,), weights
    distance: float  # weighted distances to the nearest unit


def nearest_units(
    X: FloatArray, codebook: FloatArray, n_threads: int = 1
) -> tuple[IntArray, FloatArray]:
    """Return each sample's nearest unit and its distance, both (n_samples,)."""
    features = np.ascontiguousarray(codebook.T)
    units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))

    def work(rows: slice) -> None:
        best_matching_units(X[rows], features, units[rows], distances[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return units, np.sqrt(distances, out=distances)


def two_nearest_units(
    X: FloatArray, codebook: FloatArray, n_threads: int = 1
) -> tuple[IntArray, IntArray]:
    """Return each sample's nearest and second nearest unit; the codebook has two units or more."""
    features = np.ascontiguousarray(codebook.T)
    first, second = np.empty(len(X), dtype=np.int64), np.empty(len(X), dtype=np.int64)

    def work(rows: slice) -> None:
        two_best_matching_units(X[rows], features, first[rows], second[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return first, second


def unit_distances(X: FloatArray, codebook: FloatArray, n_threads: int = 1) -> FloatArray:
    """Return the distance of every sample to every unit, (n_samples, n_units)."""
    features = np.ascontiguousarray(codebook.T)
    distances = np.empty((len(X), len(codebook)))

    def work(rows: slice) -> None:
        np.sqrt(squared_distances(X[rows], features), out=distances[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return distances


def sums_by_unit(
    X: FloatArray, weights: FloatArray, codebook: FloatArray, n_threads: int = 1
) -> UnitSums:
    """Return the weighted samples and weights added up by nearest unit."""
    features = np.ascontiguousarray(codebook.T)

    def work(rows: slice) -> UnitSums:
        n_rows = rows.stop - rows.start
        units, distances = np.empty(n_rows, dtype=np.int64), np.empty(n_rows)
        sums, totals = np.zeros(codebook.shape), np.zeros(len(codebook))
        best_matching_units(X[rows], features, units, distances)
        add_by_unit(X[rows], weights[rows], units, sums, totals)
        return UnitSums(sums, totals, float((weights[rows] * np.sqrt(distances)).sum()))

    sums, totals, distance = np.zeros(codebook.shape), np.zeros(len(codebook)), 0.0
    for part in map_chunks(work, len(X), n_threads):
        sums += part.sums
        totals += part.totals
        distance += part.distance
    return UnitSums(sums, totals, distance)


def covariance(
    X: FloatArray, weights: FloatArray, n_threads: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean (n_features,) and covariance (n_features, n_features) of ``X``."""
    n_features = X.shape[1]
    origin = X[0]  # deviations from a sample: those of a constant feature are exactly 0

    def add(rows: slice) -> FloatArray:
        deviations: FloatArray = (weights[rows, np.newaxis] * (X[rows] - origin)).sum(axis=0)
        return deviations

    def multiply(rows: slice) -> FloatArray:
        scatter = np.zeros((n_features, n_features))
        add_scatter(X[rows], weights[rows], center, scatter)
        return scatter

    total = weights.sum()
    center = origin + sum(map_chunks(add, len(X), n_threads), np.zeros(n_features)) / total
    upper = sum(map_chunks(multiply, len(X), n_threads), np.zeros((n_features, n_features)))
    return center, (upper + np.triu(upper, 1).T) / total
