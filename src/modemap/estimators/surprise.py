"""Which columns make a row unlikely: the surprise of a whole row as a sum over its columns."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logsumexp

from modemap.kernels import FloatArray, IntArray

__all__ = ["Gaussians", "Undone", "column_surprise"]

N_ORDERS = 16  # drawn, and each of them backwards too
LOG_ROOT_2_PI = 0.5 * float(np.log(2 * np.pi))


class Gaussians(Protocol):
    """A fitted mixture of Gaussian components with full covariances."""

    scoring_weights_: FloatArray  # (n_components,)
    means_: FloatArray  # (n_components, n_features)
    covariances_: FloatArray  # (n_components, n_features, n_features)


@dataclass
class Undone:
    """The Gaussians of decorrelated columns as those of the columns before."""

    scoring_weights_: FloatArray
    means_: FloatArray
    covariances_: FloatArray


def column_surprise(mixture: Gaussians, X: FloatArray) -> FloatArray:
    """Share of each column in minus the log-likelihood of each row; a row's shares add up to it.

    Learning a row column by column, each value is as surprising as the values before it leave it
    unlikely. What a column adds depends on the order, so it is averaged over orders, half of them
    the others backwards: Shapley values of the log-density, by sampling. Whatever the orders, the
    sum is exact.

    Parameters
    ----------
    mixture : Gaussians
        Its weights, means and covariances, as :meth:`BayesianGaussianMixture.score_samples` has
        them.
    X : ndarray of shape (n_samples, n_features)
        Finite rows, scaled as the mixture's were.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        In nats.

    References
    ----------
    E. Song, B. Nelson, J. Staum, Shapley effects for global sensitivity analysis, SIAM/ASA J.
    Uncertainty Quantification 4 (2016).
    """
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(X.shape[1]) for _ in range(N_ORDERS)]
    shares = np.zeros(X.shape)
    for order in (*drawn, *(order[::-1] for order in drawn)):
        shares[:, order] += _surprise_in_order(mixture, X, order)
    return shares / (2 * N_ORDERS)


def _surprise_in_order(mixture: Gaussians, X: FloatArray, order: IntArray) -> FloatArray:
    """Return what each column adds after those before it in ``order``."""
    roots = np.linalg.cholesky(mixture.covariances_[:, order[:, None], order])
    offsets = (X[:, np.newaxis] - mixture.means_)[:, :, order]  # (samples, components, features)
    whitened = np.linalg.solve(roots, offsets.transpose(1, 2, 0))  # lower triangles: in order
    scales = np.log(np.diagonal(roots, axis1=1, axis2=2))[:, :, np.newaxis]
    steps = -0.5 * np.square(whitened) - scales - LOG_ROOT_2_PI
    weights = mixture.scoring_weights_[:, np.newaxis, np.newaxis]
    known = logsumexp(np.cumsum(steps, axis=1), axis=0, b=weights)  # of the columns so far
    shares: FloatArray = -np.diff(known, axis=0, prepend=0.0).T
    return shares
