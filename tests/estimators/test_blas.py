"""Threads of linear algebra: one while a fit runs, as many as before when it has ended."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from modemap.estimators import BayesianGaussianMixture, ModeNormalizer
from modemap.estimators.blas import one_blas_thread


def blas_threads():
    """Return the threads of each library of linear algebra."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("n_features", [1, 8, 30])
def test_threads_of_blas_change_no_bit_of_a_mixture(n_features):
    """Neither of the fit nor of scores, gaps or none, with sums that BLAS would cut."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, n_features)) + 3.0 * rng.integers(0, 3, 40_000)[:, None]
    gaps = X.copy()
    gaps[::3, 0] = np.nan
    fits, scores = [], []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            mixture = BayesianGaussianMixture(
                n_components=3, init_params="random", random_state=0, tol=1e9
            ).fit(X)
            fits.append(np.concatenate((mixture.means_.ravel(), mixture.covariances_.ravel())))
            scores.append([mixture.score_samples(rows) for rows in (X, gaps)])

    np.testing.assert_array_equal(*fits)
    np.testing.assert_array_equal(*scores)


def test_threads_of_blas_change_no_bit_of_modes():
    """A column's points are as many as BLAS would cut."""
    x = np.random.default_rng(0).normal(size=(60_000, 1))
    digests = set()
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            digests.add(ModeNormalizer(3, random_state=0, max_iter=5).fit(x).digest_)

    assert len(digests) == 1


def test_the_threads_are_as_many_as_before_when_a_fit_has_ended():
    """Also where it fails."""
    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            within = blas_threads()
        after = blas_threads()
        with pytest.raises(ValueError, match="n_components"):
            BayesianGaussianMixture(n_components=5).fit(np.eye(2))
        failed = blas_threads()

    assert set(within) == {1}
    assert set(after) == set(failed) == {2}
