"""Tests of the columns' shares in a row's surprise."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.surprise import column_surprise


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
