"""Weighted points of one column, as expectation steps and starts of a mixture see them."""

from collections.abc import Callable

import numpy as np

from modemap.estimators.posterior import Posterior, Prior, Statistics, component_peaks
from modemap.kernels.arrays import FloatArray
from modemap.kernels.columns.points import moments

__all__ = ["Points"]


class Points:
    """Rising values with weights; a billion rows cost what their distinct values or bins cost.

    Attributes
    ----------
    center : ndarray of shape (1,)
        Weighted mean; :attr:`x` is relative to it.
    x, weights : ndarray of shape (n_points,)
    total : float
        Sum of the weights.
    """

    n_features = 1

    def __init__(self, values: FloatArray, weights: FloatArray) -> None:
        self.weights = np.asarray(weights, np.float64)
        self.total = float(self.weights.sum())
        first = values[0]
        mean = first + float(np.dot(self.weights, values - first)) / self.total
        self.center = np.array([mean])
        self.x = np.ascontiguousarray(values - mean)

    def covariance(self) -> FloatArray:
        """Return the variance of the rows, (1, 1); 0 of a single row."""
        rest = max(self.total - 1.0, 1.0)
        return np.array([[float(np.dot(self.weights, np.square(self.x))) / rest]])

    def step(self, posterior: Posterior, prior: Prior) -> Statistics:
        """Take an expectation step."""
        means, root = posterior.means[:, 0], posterior.cholesky.reshape(-1)
        halves = np.broadcast_to(0.5 * np.square(root), means.shape)
        peaks = component_peaks(posterior, prior)
        sums, entropy, likelihood = moments(
            self.x, self.weights, peaks, means, np.ascontiguousarray(halves)
        )
        return Statistics(
            sums[0],
            posterior.means,
            sums[1][:, np.newaxis],
            sums[2].reshape(-1, 1, 1),
            entropy,
            likelihood,
        )

    def gathered(self, shares: Callable[[int, int], FloatArray], n_components: int) -> Statistics:
        """Return the statistics of given responsibilities: ``shares(start, stop)`` of points."""
        resp = shares(0, len(self.x)) * self.weights[:, np.newaxis]
        counts = resp.sum(axis=0)
        sums = resp.T @ self.x
        centers = np.divide(sums, counts, out=np.zeros(n_components), where=counts > 0)
        off = self.x[:, np.newaxis] - centers
        return Statistics(
            counts,
            centers[:, np.newaxis],
            (resp * off).sum(axis=0)[:, np.newaxis],
            (resp * np.square(off)).sum(axis=0).reshape(-1, 1, 1),
        )
