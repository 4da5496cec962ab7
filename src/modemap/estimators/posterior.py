"""The variational posterior of a Gaussian mixture, from the statistics of its rows.

The updates and the bound are those of scikit-learn's ``BayesianGaussianMixture``, so equal starts
give equal fits. Means are kept relative to a point near the data, which costs no digits far from
zero.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, digamma, gammaln

from modemap.kernels.arrays import FloatArray

__all__ = [
    "PROCESS",
    "Posterior",
    "Prior",
    "Statistics",
    "component_peaks",
    "expected_weights",
    "log_weights",
    "lower_bound",
    "plug_in",
    "precisions",
    "updated",
]

PROCESS = "dirichlet_process"
LOG_2_PI = float(np.log(2 * np.pi))
TINY = 10 * np.finfo(np.float64).eps  # added to every count, as in scikit-learn


class Prior(NamedTuple):
    """What is believed before any row, in coordinates relative to the rows' center."""

    covariance_type: str
    concentration_type: str
    concentration: float
    mean_precision: float
    mean: FloatArray  # (n_features,)
    degrees_of_freedom: float
    covariance: FloatArray  # as the covariances of one component
    regularization: float


class Statistics(NamedTuple):
    """What a maximisation step needs of all rows."""

    counts: FloatArray  # (n_components,)
    centers: FloatArray  # (n_components, n_features), about which the others are taken
    sums: FloatArray  # (n_components, n_features)
    scatters: FloatArray  # (n_components, n_features, n_features), or of the diagonals alone
    entropy: float = 0.0  # sum of r log r, less the entropy of what was filled in
    log_likelihood: float = 0.0  # sum of log densities


class Posterior(NamedTuple):
    """The parameters of a fit; the fields are scikit-learn's attributes."""

    concentration: tuple[FloatArray, FloatArray] | FloatArray
    mean_precision: FloatArray
    means: FloatArray
    degrees_of_freedom: FloatArray
    covariances: FloatArray
    cholesky: FloatArray


def updated(statistics: Statistics, prior: Prior) -> Posterior:
    """Take a maximisation step.

    Raises
    ------
    ValueError
        If a covariance is not positive definite.
    """
    n = statistics.counts + TINY
    moved = statistics.sums / n[:, np.newaxis]
    sample_means = statistics.centers + moved
    precision = prior.mean_precision + n
    pull = prior.mean_precision * prior.mean + n[:, np.newaxis] * sample_means
    means = pull / precision[:, np.newaxis]
    off = sample_means - prior.mean
    scatters = _scatters(statistics, n, moved, prior.covariance_type)
    if prior.covariance_type == "tied":
        freedom, covariances = _tied(scatters, n, off, precision, prior)
    else:
        freedom, covariances = _separate(scatters, n, off, precision, prior)
    concentration = _concentration(n, prior)
    cholesky = _precision_cholesky(covariances, prior.covariance_type)
    return Posterior(concentration, precision, means, freedom, covariances, cholesky)


def component_peaks(posterior: Posterior, prior: Prior) -> FloatArray:
    """Return the expected log weight and log density of each component at its mean."""
    n_features = posterior.means.shape[1]
    log_gauss = _log_roots(posterior, prior) - 0.5 * n_features * LOG_2_PI
    halves = 0.5 * (posterior.degrees_of_freedom - np.arange(n_features)[:, np.newaxis])
    log_lambda = n_features * np.log(2.0) + digamma(halves).sum(axis=0)
    expected = 0.5 * (log_lambda - n_features / posterior.mean_precision)
    peaks: FloatArray = log_weights(posterior, prior) + log_gauss + expected
    return peaks


def plug_in(posterior: Posterior, prior: Prior, weights: FloatArray) -> FloatArray:
    """Return the log weight and log density of each component at its mean, of a point estimate."""
    n_features = posterior.means.shape[1]
    log_roots = _log_roots(posterior, prior)
    log_roots = log_roots + 0.5 * n_features * np.log(posterior.degrees_of_freedom)
    logs = np.log(np.maximum(weights, np.finfo(np.float64).tiny))
    peaks: FloatArray = logs + log_roots - 0.5 * n_features * LOG_2_PI
    return peaks


def log_weights(posterior: Posterior, prior: Prior) -> FloatArray:
    """Return the expected logarithms of the weights."""
    if prior.concentration_type == PROCESS:
        above, below = posterior.concentration
        both = digamma(above + below)
        left = np.append(0.0, np.cumsum(digamma(below) - both)[:-1])
        process: FloatArray = digamma(above) - both + left
        return process
    concentration = np.asarray(posterior.concentration)
    logs: FloatArray = digamma(concentration) - digamma(concentration.sum())
    return logs


def expected_weights(posterior: Posterior, prior: Prior) -> FloatArray:
    """Return the weights, sticks broken one after another for a Dirichlet process."""
    weights = np.asarray(posterior.concentration)
    if prior.concentration_type == PROCESS:
        above, below = posterior.concentration
        total = above + below
        weights = above / total * np.append(1.0, np.cumprod((below / total)[:-1]))
    normalised: FloatArray = weights / weights.sum()
    return normalised


def precisions(posterior: Posterior, prior: Prior) -> FloatArray:
    """Return the inverse covariances, in the shape of the covariances."""
    root = posterior.cholesky
    if prior.covariance_type in {"full", "tied"}:
        return np.asarray(root @ np.swapaxes(root, -1, -2))
    return np.square(root)


def lower_bound(posterior: Posterior, prior: Prior, entropy: float) -> float:
    """Return the evidence lower bound without its constant terms."""
    n_components, n_features = posterior.means.shape
    freedom = np.atleast_1d(posterior.degrees_of_freedom)
    log_dets = np.atleast_1d(_log_roots(posterior, prior))
    halves = 0.5 * (freedom - np.arange(n_features)[:, np.newaxis])
    log_wishart = -(
        freedom * log_dets + freedom * n_features * 0.5 * np.log(2.0) + gammaln(halves).sum(axis=0)
    )
    total = log_wishart.sum() * (n_components if prior.covariance_type == "tied" else 1)
    if prior.concentration_type == PROCESS:
        norm = -betaln(*posterior.concentration).sum()
    else:
        concentration = np.asarray(posterior.concentration)
        norm = gammaln(concentration.sum()) - gammaln(concentration).sum()
    spread = 0.5 * n_features * np.log(posterior.mean_precision).sum()
    return float(-entropy - total - norm - spread)


def _log_roots(posterior: Posterior, prior: Prior) -> FloatArray:
    """Return half the log determinants of the Wishart's scale matrices."""
    root, n_features = posterior.cholesky, posterior.means.shape[1]
    if prior.covariance_type in {"full", "tied"}:
        logs = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    elif prior.covariance_type == "diag":
        logs = np.log(root).sum(axis=1)
    else:
        logs = n_features * np.log(root)
    scaled: FloatArray = logs - 0.5 * n_features * np.log(posterior.degrees_of_freedom)
    return scaled


def _concentration(n: FloatArray, prior: Prior) -> tuple[FloatArray, FloatArray] | FloatArray:
    if prior.concentration_type == PROCESS:
        after = np.append(np.cumsum(n[::-1])[-2::-1], 0.0)
        return 1.0 + n, prior.concentration + after
    return np.asarray(prior.concentration + n)


def _scatters(
    statistics: Statistics, n: FloatArray, moved: FloatArray, covariance_type: str
) -> FloatArray:
    """Return the scatters about the sample means, full or of the diagonals."""
    if statistics.scatters.ndim == moved.ndim:
        return np.maximum(statistics.scatters - n[:, np.newaxis] * np.square(moved), 0.0)
    outer = n[:, np.newaxis, np.newaxis] * (moved[:, :, np.newaxis] * moved[:, np.newaxis])
    scatters: FloatArray = statistics.scatters - outer
    if covariance_type in {"full", "tied"}:
        return scatters
    return np.maximum(np.diagonal(scatters, axis1=1, axis2=2), 0.0)


def _separate(
    scatters: FloatArray, n: FloatArray, off: FloatArray, precision: FloatArray, prior: Prior
) -> tuple[FloatArray, FloatArray]:
    freedom = prior.degrees_of_freedom + n
    pull = n * prior.mean_precision / precision
    if prior.covariance_type == "full":
        ridge = prior.regularization * np.eye(off.shape[1])
        covariances = prior.covariance + scatters + n[:, np.newaxis, np.newaxis] * ridge
        covariances += pull[:, np.newaxis, np.newaxis] * (
            off[:, :, np.newaxis] * off[:, np.newaxis]
        )
        return freedom, covariances / freedom[:, np.newaxis, np.newaxis]
    diagonals = scatters + n[:, np.newaxis] * prior.regularization
    diagonals = diagonals + pull[:, np.newaxis] * np.square(off)
    if prior.covariance_type == "diag":
        return freedom, (prior.covariance + diagonals) / freedom[:, np.newaxis]
    return freedom, (prior.covariance + diagonals.mean(axis=1)) / freedom


def _tied(
    scatters: FloatArray, n: FloatArray, off: FloatArray, precision: FloatArray, prior: Prior
) -> tuple[FloatArray, FloatArray]:
    n_components, n_features = off.shape
    total = n.sum()
    freedom = np.asarray(prior.degrees_of_freedom + total / n_components)
    sample = scatters.sum(axis=0) / total + prior.regularization * np.eye(n_features)
    pull = prior.mean_precision / n_components * ((n / precision) * off.T) @ off
    covariance = prior.covariance + sample * total / n_components + pull
    return freedom, covariance / freedom


def _precision_cholesky(covariances: FloatArray, covariance_type: str) -> FloatArray:
    """Return upper triangles whose products with their transposes are the precisions."""
    try:
        if covariances.shape[-1:] == (1,) and (covariances > 0).all():
            return 1.0 / np.sqrt(covariances)  # of one column, whatever the type
        if covariance_type in {"full", "tied"}:
            roots = np.asarray(np.linalg.cholesky(covariances), np.float64)
            return np.swapaxes(_inverses(roots), -1, -2)
    except np.linalg.LinAlgError:
        covariances = np.full(1, -1.0)
    if not (covariances > 0).all():
        raise ValueError(
            "covariances must be positive definite, got one that is not: decrease n_components, "
            "increase reg_covar, or scale the features"
        )
    return 1.0 / np.sqrt(covariances)


def _inverses(roots: FloatArray) -> FloatArray:
    """Return the inverses of lower triangles, (..., d, d), row by row, of all of them at once.

    LAPACK takes them one by one and wakes its threads for each: milliseconds for a 2 x 2 matrix.
    """
    inverses = np.zeros_like(roots)
    for j in range(roots.shape[-1]):
        inverses[..., j, :j] = -np.einsum(
            "...i,...ij->...j", roots[..., j, :j], inverses[..., :j, :j]
        )
        inverses[..., j, j] = 1.0
        inverses[..., j, : j + 1] /= roots[..., j, j, np.newaxis]
    return inverses
