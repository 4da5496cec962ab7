"""Weighted points of one column, sorted by value: expectation steps and k-means without rows."""

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.compilation import is_compiled

__all__ = ["k_means_cuts", "moments"]

BLOCK = 8192
MAX_STEPS = 300


def moments(
    x: FloatArray, weights: FloatArray, peaks: FloatArray, means: FloatArray, halves: FloatArray
) -> tuple[FloatArray, float, float]:
    """Take the expectation step where log densities are ``peaks - halves * (x - means)^2``.

    Returns
    -------
    sums : ndarray of shape (3, n_components)
        Weights, first and second moments about the means, each point shared by responsibility.
    entropy, log_likelihood : float
        Weighted sums over the points of r log r and of the log density.
    """
    sums, totals = np.zeros((3, len(peaks))), np.zeros(2)
    if is_compiled():
        from modemap.kernels.columns.expectation import expected_moments  # noqa: PLC0415

        expected_moments(x, weights, peaks, means, halves, sums, totals)
    else:
        _portable_moments(x, weights, peaks, means, halves, sums, totals)
    return sums, float(totals[0]), float(totals[1])


def k_means_cuts(
    x: FloatArray, weights: FloatArray, n_clusters: int, uniforms: FloatArray
) -> NDArray[np.intp]:
    """Cluster sorted points by k-means; return where the clusters begin, and the end.

    Greedy k-means++ draws the starting points. In one dimension clusters are intervals, so a step
    needs prefix sums alone. A cluster may be empty.

    Parameters
    ----------
    x, weights : ndarray of shape (n,)
        Points, rising, and their weights.
    n_clusters : int
    uniforms : ndarray of shape (n_clusters, n_trials)
        Between 0 and 1: the draws of k-means++.
    """
    steps = np.zeros((3, len(x) + 1))
    for power in range(3):
        np.cumsum(weights * x**power, out=steps[power, 1:])
    centers = _spread_out(x, weights, steps, n_clusters, uniforms)
    cuts = _cuts(x, centers)
    for _ in range(MAX_STEPS):
        masses, sums = np.diff(steps[0][cuts]), np.diff(steps[1][cuts])
        centers = np.divide(sums, masses, out=centers, where=masses > 0)
        moved = _cuts(x, centers)
        if np.array_equal(moved, cuts):
            break
        cuts = moved
    return cuts


def _spread_out(
    x: FloatArray,
    weights: FloatArray,
    steps: FloatArray,
    n_clusters: int,
    uniforms: FloatArray,
) -> FloatArray:
    chosen = [x[_drawn(steps[0], uniforms[0, :1])[0]]]
    nearest = np.square(x - chosen[0])
    for draws in uniforms[1:n_clusters]:
        places = _drawn(np.append(0.0, np.cumsum(weights * nearest)), draws)
        left = [np.minimum(nearest, np.square(x - x[place])) for place in places]
        best = int(np.argmin([np.dot(weights, distances) for distances in left]))
        chosen.append(x[places[best]])
        nearest = left[best]
    return np.sort(np.array(chosen))


def _drawn(steps: FloatArray, uniforms: FloatArray) -> IntArray:
    places = np.searchsorted(steps[1:], uniforms * steps[-1], side="right")
    drawn: IntArray = np.minimum(places, len(steps) - 2)
    return drawn


def _cuts(x: FloatArray, centers: FloatArray) -> NDArray[np.intp]:
    between = np.searchsorted(x, (centers[1:] + centers[:-1]) / 2)
    return np.concatenate(([0], between, [len(x)]))


def _portable_moments(
    x: FloatArray,
    weights: FloatArray,
    peaks: FloatArray,
    means: FloatArray,
    halves: FloatArray,
    sums: FloatArray,
    totals: FloatArray,
) -> None:
    for start in range(0, len(x), BLOCK):
        part = weights[start : start + BLOCK]
        distances = x[start : start + BLOCK] - means[:, np.newaxis]
        scores = peaks[:, np.newaxis] - halves[:, np.newaxis] * np.square(distances)
        top = scores.max(axis=0)
        norms = top + np.log(np.exp(scores - top).sum(axis=0))
        log_resp = scores - norms
        resp = np.exp(log_resp) * part
        totals += (resp * log_resp).sum(), (part * norms).sum()
        sums[0] += resp.sum(axis=1)
        sums[1] += (resp * distances).sum(axis=1)
        sums[2] += (resp * np.square(distances)).sum(axis=1)
