"""Tests of the columns' shares in a row's surprise."""

from itertools import combinations
from math import factorial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.surprise import column_surprise

TOLERANCE = 0.05  # of a row's surprise: how far a share of sampled orders may be from the exact one


@pytest.fixture
def mixture():
    """Return three correlated components in four columns."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 4, 4))
    return SimpleNamespace(
        scoring_weights_=np.array([0.5, 0.3, 0.2]),
        means_=rng.normal(size=(3, 4)),
        covariances_=roots @ roots.transpose(0, 2, 1) + np.eye(4),
    )


def test_shares_add_up_to_the_log_density(mixture):
    """Nothing of a row's surprise is lost or counted twice, however strange the row."""
    X = np.random.default_rng(1).normal(size=(50, 4)) * np.geomspace(1, 1e3, 50)[:, None]

    shares = column_surprise(mixture, X)

    densities = [
        multivariate_normal(mean, covariance).logpdf(X)
        for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True)
    ]
    expected = np.logaddexp.reduce(np.log(mixture.scoring_weights_)[:, None] + densities, axis=0)
    np.testing.assert_allclose(shares.sum(axis=1), -expected)


def test_shares_of_a_fitted_mixture_add_up_to_its_score():
    """What a mixture says of a row is what its columns' shares come to."""
    X = np.random.default_rng(2).standard_t(4, (400, 3)) @ np.diag([1.0, 5.0, 0.1])
    mixture = BayesianGaussianMixture(n_components=4, random_state=0, max_iter=300).fit(X)

    shares = column_surprise(mixture, X)

    np.testing.assert_allclose(shares.sum(axis=1), -mixture.score_samples(X), rtol=1e-9)


def test_independent_columns_answer_for_themselves():
    """Without correlation a column's share is the surprise of its own value."""
    single = SimpleNamespace(
        scoring_weights_=np.ones(1),
        means_=np.array([[1.0, -2.0]]),
        covariances_=np.diag([4.0, 9.0])[None],
    )
    X = np.array([[1.0, 40.0], [-9.0, 0.0]])

    shares = column_surprise(single, X)

    np.testing.assert_allclose(shares, -norm([1.0, -2.0], [2.0, 3.0]).logpdf(X))


def test_the_column_that_was_moved_is_blamed(mixture):
    """A value pushed far out takes most of what the row gains in surprise."""
    usual = mixture.means_[:1]
    strange = usual + np.array([0, 0, 30, 0])

    gained = (column_surprise(mixture, strange) - column_surprise(mixture, usual))[0]

    assert gained.argmax() == 2
    assert gained[2] > 0.5 * gained.sum()


def shapley_values(value, n_columns):
    """Return exact Shapley values, (n_samples, n_columns), of ``value`` of a set of columns."""
    found = []
    for j in range(n_columns):
        others = [column for column in range(n_columns) if column != j]
        found.append(
            sum(
                (value((*known, j)) - value(known))
                * factorial(size)
                * factorial(n_columns - size - 1)
                / factorial(n_columns)
                for size in range(n_columns)
                for known in combinations(others, size)
            )
        )
    return np.column_stack(found)


def surprise_of(mixture, X):
    """Return a function of a set of columns: minus the log-density of their values alone."""

    def value(columns):
        if not columns:
            return np.zeros(len(X))
        j = sorted(columns)
        densities = [
            multivariate_normal(mean[j], covariance[np.ix_(j, j)]).logpdf(X[:, j])
            for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True)
        ]
        logs = np.log(mixture.scoring_weights_)[:, None] + np.reshape(densities, (-1, len(X)))
        return -np.logaddexp.reduce(logs, axis=0)

    return value


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_sampled_shares_are_close_to_exact_ones(mixture, scale):
    """Of all 16 sets of four columns; the shares are off by a few hundredths of the surprise."""
    X = scale * np.random.default_rng(3).normal(size=(200, 4))

    sampled = column_surprise(mixture, X)

    exact = shapley_values(surprise_of(mixture, X), 4)
    np.testing.assert_allclose(exact.sum(axis=1), sampled.sum(axis=1))
    off = np.abs(sampled - exact) / sampled.sum(axis=1, keepdims=True)
    assert off.max() < TOLERANCE
    assert off.mean() < TOLERANCE / 5


def test_two_columns_have_exact_shares():
    """Both orders are asked, so nothing is left to sampling."""
    pair = SimpleNamespace(
        scoring_weights_=np.array([0.6, 0.4]),
        means_=np.array([[0.0, 1.0], [3.0, -2.0]]),
        covariances_=np.array([[[1.0, 0.8], [0.8, 2.0]], [[0.5, -0.2], [-0.2, 1.0]]]),
    )
    X = np.random.default_rng(4).normal(scale=3, size=(50, 2))

    np.testing.assert_allclose(
        column_surprise(pair, X), shapley_values(surprise_of(pair, X), 2), atol=1e-9
    )


def test_independent_columns_have_the_values_of_shap():
    """Less their mean over a background, shares are the interventional values of SHAP.

    There a column that is not known takes the values of the background rows instead.
    """
    rng = np.random.default_rng(5)
    single = SimpleNamespace(
        scoring_weights_=np.ones(1),
        means_=rng.normal(size=(1, 5)),
        covariances_=np.diag(rng.uniform(0.5, 4, 5))[None],
    )
    X, background = rng.normal(scale=4, size=(20, 5)), rng.normal(scale=2, size=(64, 5))
    density = multivariate_normal(single.means_[0], single.covariances_[0])

    def value(columns):
        rows = np.repeat(background[None], len(X), axis=0)
        rows[:, :, list(columns)] = X[:, None, list(columns)]
        return -density.logpdf(rows).mean(axis=1)

    shares = column_surprise(single, X) - column_surprise(single, background).mean(axis=0)

    np.testing.assert_allclose(shares, shapley_values(value, 5), rtol=1e-9, atol=1e-9)
