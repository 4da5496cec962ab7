"""The modes of one column: a variational Bayesian Gaussian mixture in one dimension.

The updates are those of scikit-learn's ``BayesianGaussianMixture`` with its default priors, on the
standardised column. They run on distinct values with their counts, so a column of whole minutes
costs the same at a million rows as at a thousand. Nothing here depends on threads or on BLAS.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import RandomState
from scipy.special import betaln, digamma, gammaln

from modemap.kernels import FloatArray

__all__ = ["ColumnModes", "fit_column_modes"]

BLOCK = 8192  # values worked on at once
FLOOR = 1e-6  # added to every variance, of the column's own
SMALLEST_SPREAD = 1e-150  # squares of smaller deviations underflow
TOLERANCE = 1e-6  # of the lower bound, per row
LLOYD_STEPS = 100
LOG_2_PI = float(np.log(2 * np.pi))


class ColumnModes(NamedTuple):
    """A Gaussian mixture of one column, its components by rising mean."""

    weights: FloatArray  # (n_components,), summing to 1
    means: FloatArray  # (n_components,)
    stds: FloatArray  # (n_components,)
    lower_bounds: FloatArray  # (n_iter,), evidence lower bound after each iteration


class _Moments(NamedTuple):
    """Responsibilities added up over the values, (n_components,) each."""

    counts: FloatArray
    first: FloatArray  # of deviations from a center of each component
    second: FloatArray
    negative_entropy: float


class _Posterior(NamedTuple):
    """Parameters of the variational distribution, (n_components,) each.

    The priors of means and precisions weigh one row, so ``confidence`` is both the precision of the
    mean and the degrees of freedom.
    """

    stick_above: FloatArray
    stick_below: FloatArray
    confidence: FloatArray
    means: FloatArray
    variances: FloatArray


def fit_column_modes(
    values: FloatArray,
    counts: FloatArray,
    n_components: int,
    max_iter: int,
    random_state: RandomState,
) -> ColumnModes:
    """Fit a Dirichlet process mixture of at most ``n_components`` Gaussians.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Distinct values, rising.
    counts : ndarray of shape (n_values,)
        How often each occurs.
    n_components, max_iter : int
        Bounds; no more components than values are used.
    random_state : RandomState
        Draws the starting points of k-means.
    """
    total = counts.sum()
    center = values[0] + (counts * (values - values[0])).sum() / total
    spread = np.sqrt((counts * np.square(values - center)).sum() / total)
    scale = spread if spread > SMALLEST_SPREAD else 1.0
    x = (values - center) / scale
    prior_variance = 1.0 if scale == spread else 0.0

    concentration = 1.0 / min(n_components, len(x))
    labels = _start(x, counts, min(n_components, len(x)), random_state)
    moments, centers = _hard_moments(x, counts, labels)
    posterior = _posterior(moments, centers, concentration, prior_variance)
    bounds: list[float] = []
    for _ in range(max_iter):
        moments = _moments(x, counts, posterior)
        posterior = _posterior(moments, posterior.means, concentration, prior_variance)
        bounds.append(_lower_bound(posterior, moments.negative_entropy))
        if len(bounds) > 1 and abs(bounds[-1] - bounds[-2]) < TOLERANCE * total:
            break

    order = np.argsort(posterior.means, kind="stable")
    return ColumnModes(
        _weights(posterior)[order],
        center + scale * posterior.means[order],
        scale * np.sqrt(posterior.variances[order]),
        np.array(bounds),
    )


def _start(
    x: FloatArray, counts: FloatArray, n_clusters: int, random_state: RandomState
) -> list[slice]:
    """Cluster sorted values by k-means; return each cluster's slice, the heaviest first."""
    centers = np.sort(_spread_out(x, counts, n_clusters, random_state))
    mass = np.concatenate(([0.0], np.cumsum(counts)))
    first = np.concatenate(([0.0], np.cumsum(counts * x)))
    for _ in range(LLOYD_STEPS):
        cuts = _cuts(x, centers)
        masses, sums = np.diff(mass[cuts]), np.diff(first[cuts])
        moved = np.divide(sums, masses, out=centers.copy(), where=masses > 0)
        if np.array_equal(moved, centers):
            break
        centers = moved
    cuts = _cuts(x, centers)
    order = np.argsort(-np.diff(mass[cuts]), kind="stable")
    return [slice(int(cuts[k]), int(cuts[k + 1])) for k in order]


def _cuts(x: FloatArray, centers: FloatArray) -> np.ndarray:
    between = np.searchsorted(x, (centers[1:] + centers[:-1]) / 2)
    return np.concatenate(([0], between, [len(x)]))


def _spread_out(
    x: FloatArray, counts: FloatArray, n_clusters: int, random_state: RandomState
) -> FloatArray:
    """Draw values far from each other: greedy k-means++, the best of several draws a step."""
    n_trials = 2 + int(np.log(n_clusters))
    chosen = [_draw(counts, random_state.uniform(size=1))[0]]
    nearest = np.square(x - x[chosen[0]])
    while len(chosen) < n_clusters:
        drawn = _draw(counts * nearest, random_state.uniform(size=n_trials))
        left = [np.minimum(nearest, np.square(x - x[i])) for i in drawn]
        best = int(np.argmin([(counts * distances).sum() for distances in left]))
        chosen.append(drawn[best])
        nearest = left[best]
    return x[chosen]


def _draw(shares: FloatArray, uniforms: FloatArray) -> list[int]:
    steps = np.cumsum(shares)
    found = np.searchsorted(steps, uniforms * steps[-1], side="right")
    return [int(i) for i in np.minimum(found, len(shares) - 1)]


def _hard_moments(
    x: FloatArray, counts: FloatArray, labels: list[slice]
) -> tuple[_Moments, FloatArray]:
    masses = np.array([counts[part].sum() for part in labels])
    sums = np.array([(counts[part] * x[part]).sum() for part in labels])
    centers = np.divide(sums, masses, out=np.zeros_like(sums), where=masses > 0)
    second = np.array(
        [
            (counts[part] * np.square(x[part] - c)).sum()
            for part, c in zip(labels, centers, strict=True)
        ]
    )
    return _Moments(masses, np.zeros_like(sums), second, 0.0), centers


def _moments(x: FloatArray, counts: FloatArray, posterior: _Posterior) -> _Moments:
    """Take the expectation step, block by block; moments are about the posterior means."""
    n_components = len(posterior.means)
    log_constants = _log_constants(posterior)[:, np.newaxis]
    means, halves = posterior.means[:, np.newaxis], (0.5 / posterior.variances)[:, np.newaxis]
    n, first, second, entropy = *np.zeros((3, n_components)), 0.0
    for start in range(0, len(x), BLOCK):
        weights = counts[start : start + BLOCK]
        deviations = x[start : start + BLOCK] - means
        log_resp = log_constants - halves * np.square(deviations)
        log_resp -= log_resp.max(axis=0)
        log_resp -= np.log(np.exp(log_resp).sum(axis=0))
        resp = np.exp(log_resp)
        entropy += float((weights * (resp * log_resp).sum(axis=0)).sum())
        resp *= weights
        n += resp.sum(axis=1)
        first += (resp * deviations).sum(axis=1)
        second += (resp * np.square(deviations)).sum(axis=1)
    return _Moments(n, first, second, entropy)


def _posterior(
    moments: _Moments, centers: FloatArray, concentration: float, prior_variance: float
) -> _Posterior:
    """Take the maximisation step, from moments about ``centers``; the prior mean is 0."""
    n = moments.counts + 10 * np.finfo(np.float64).eps
    shift = moments.first / n
    sample_means = centers + shift
    sample_variances = np.maximum(moments.second / n - np.square(shift), 0.0) + FLOOR
    confidence = 1.0 + n
    pull = n / confidence  # how far the sample outweighs the prior mean
    scatter = prior_variance + n * sample_variances + pull * np.square(sample_means)
    heavier = np.append(np.cumsum(n[::-1])[-2::-1], 0.0)
    return _Posterior(
        1.0 + n, concentration + heavier, confidence, pull * sample_means, scatter / confidence
    )


def _log_constants(posterior: _Posterior) -> FloatArray:
    """Return the expected log weight and normalisation of each component."""
    above, below = posterior.stick_above, posterior.stick_below
    both = digamma(above + below)
    log_weights = digamma(above) - both + np.append(0.0, np.cumsum(digamma(below) - both)[:-1])
    confidence = posterior.confidence
    log_precisions = np.log(2.0) + digamma(0.5 * confidence) - 1.0 / confidence
    log_norms = np.log(confidence * posterior.variances) + LOG_2_PI
    constants: FloatArray = log_weights + 0.5 * (log_precisions - log_norms)
    return constants


def _lower_bound(posterior: _Posterior, negative_entropy: float) -> float:
    """Return the evidence lower bound, up to a constant."""
    confidence = posterior.confidence
    log_roots = -0.5 * np.log(confidence * posterior.variances)
    log_wishart = -(confidence * (log_roots + 0.5 * np.log(2.0)) + gammaln(0.5 * confidence)).sum()
    log_sticks = -betaln(posterior.stick_above, posterior.stick_below).sum()
    return float(-negative_entropy - log_wishart - log_sticks - 0.5 * np.log(confidence).sum())


def _weights(posterior: _Posterior) -> FloatArray:
    """Return the expected weights, the sticks broken one after another."""
    total = posterior.stick_above + posterior.stick_below
    left = np.append(1.0, np.cumprod((posterior.stick_below / total)[:-1]))
    weights = posterior.stick_above / total * left
    normalised: FloatArray = weights / weights.sum()
    return normalised
