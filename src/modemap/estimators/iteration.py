"""Iterate a fit: expectation and maximisation until the bound stands still; the best of starts."""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from modemap.estimators.posterior import Posterior, Prior, Statistics, lower_bound, updated
from modemap.kernels.arrays import FloatArray

__all__ = ["HINT", "Fit", "Sample", "Settings", "iterated"]

HINT = "scale the features, the weights or the priors nearer to 1"


class Sample(Protocol):
    """Rows or points that a mixture is fitted to."""

    center: FloatArray
    total: float
    n_features: int

    def step(self, posterior: Posterior, prior: Prior) -> Statistics:
        """Take an expectation step."""

    def covariance(self) -> FloatArray:
        """Return the covariance of the rows."""


class Settings(NamedTuple):
    """When to stop."""

    tol: float  # of the whole bound
    max_iter: int
    report: Callable[[int, float, float], None] | None = None  # iteration, bound, change


class Fit(NamedTuple):
    """One start, iterated."""

    posterior: Posterior
    bounds: list[float]
    converged: bool


def iterated(
    sample: Sample, start: Posterior, prior: Prior, settings: Settings, bound: float
) -> Fit:
    """Improve ``start``, whose bound was ``bound``, until it changes by less than ``tol``.

    Raises
    ------
    ValueError
        If a covariance collapses, or the bound is no number any more.
    """
    posterior, bounds = start, []
    for n_iter in range(1, settings.max_iter + 1):
        statistics = sample.step(posterior, prior)
        posterior = updated(statistics, prior)
        bounds.append(lower_bound(posterior, prior, statistics.entropy))
        if not math.isfinite(bounds[-1]):
            raise ValueError(f"the lower bound must be finite, got {bounds[-1]}: {HINT}")
        change, bound = bounds[-1] - bound, bounds[-1]
        if settings.report is not None:
            settings.report(n_iter, bound, change)
        if abs(change) < settings.tol:
            return Fit(posterior, bounds, converged=True)
    return Fit(posterior, bounds, converged=False)
