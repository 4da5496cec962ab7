"""The modes of one column: a variational Bayesian Gaussian mixture of its standardised values."""

from typing import NamedTuple

import numpy as np
from numpy.random import RandomState

from modemap.estimators.iteration import Settings, iterated
from modemap.estimators.points import Points
from modemap.estimators.posterior import PROCESS, Prior, expected_weights, updated
from modemap.estimators.starts import start_of_points
from modemap.kernels.arrays import FloatArray
from modemap.sketch import ColumnSketch

__all__ = ["ColumnModes", "fit_column_modes"]

FLOOR = 1e-6  # added to every variance, of the column's own
SMALLEST_SPREAD = 1e-150  # squares of smaller deviations underflow
TOLERANCE = 1e-6  # of the lower bound, per row


class ColumnModes(NamedTuple):
    """A Gaussian mixture of one column, its components by falling weight."""

    weights: FloatArray  # (n_components,), summing to 1
    means: FloatArray  # (n_components,)
    stds: FloatArray  # (n_components,)
    lower_bounds: FloatArray  # (n_iter,), evidence lower bound after each iteration


def fit_column_modes(
    sketch: ColumnSketch, n_components: int, max_iter: int, random_state: RandomState
) -> ColumnModes:
    """Fit a Dirichlet process mixture of at most ``n_components`` Gaussians.

    Parameters
    ----------
    sketch : ColumnSketch
        Of the column; it holds a value.
    n_components, max_iter : int
        Bounds; no more components than distinct values are used.
    random_state : RandomState
        Draws the starting points of k-means.
    """
    values, counts = sketch.values_and_counts()
    points = Points(values, counts.astype(np.float64))
    spread = float(np.sqrt(np.dot(points.weights, np.square(points.x)) / points.total))
    is_spread = spread > SMALLEST_SPREAD
    scale = spread if is_spread else 1.0
    points.x = points.x / scale
    n_components = min(n_components, len(values))
    variance = np.array([[1.0 if is_spread else 0.0]])
    prior = Prior("full", PROCESS, 1.0 / n_components, 1.0, np.zeros(1), 1.0, variance, FLOOR)
    start = updated(start_of_points(points, n_components, "kmeans", random_state), prior)
    settings = Settings(TOLERANCE * points.total, max_iter)
    fit = iterated(points, start, prior, settings, -np.inf)
    weights = expected_weights(fit.posterior, prior)
    order = np.argsort(-weights, kind="stable")
    return ColumnModes(
        weights[order],
        points.center[0] + scale * fit.posterior.means[order, 0],
        scale * np.sqrt(fit.posterior.covariances[order, 0, 0]),
        np.array(fit.bounds),
    )
