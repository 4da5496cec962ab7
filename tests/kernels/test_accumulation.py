"""The adding kernel against its twin and against plain formulas."""

import numpy as np
import pytest

from modemap.kernels import add_scatter


@pytest.fixture
def rows():
    """Return 200 samples and their weights."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 4)), rng.uniform(size=200)


def scattered(add, X, weights, center):
    """Return what ``add`` makes of an empty scatter matrix."""
    scatter = np.zeros((X.shape[1], X.shape[1]))
    add(X, weights, center, scatter)
    return scatter


def test_add_scatter_agrees_with_the_twin_in_every_bit(rows):
    """The compiled loop and NumPy add the same products in the same order."""
    X, weights = rows
    center = X.mean(axis=0)

    found = scattered(add_scatter, X, weights, center)

    np.testing.assert_array_equal(found, scattered(add_scatter.portable, X, weights, center))


def test_add_scatter_fills_the_upper_triangle(rows):
    """The upper triangle holds the weighted products of deviations, the rest stays."""
    X, weights = rows
    center = X.mean(axis=0)

    found = scattered(add_scatter, X, weights, center)

    expected = (weights[:, None] * (X - center)).T @ (X - center)
    np.testing.assert_allclose(found, np.triu(expected), atol=1e-12)
