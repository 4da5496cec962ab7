"""The adding kernels against their twins and against plain formulas."""

import numpy as np
import pytest

from modemap.kernels import add_by_unit, add_scatter


@pytest.fixture
def rows():
    """Return 200 samples, their weights and their units."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 4)), rng.uniform(size=200), rng.integers(0, 6, size=200)


def added_by_unit(add, X, weights, units):
    """Return what ``add`` makes of empty sums."""
    sums, totals = np.zeros((7, X.shape[1])), np.zeros(7)
    add(X, weights, units, sums, totals)
    return sums, totals


def scattered(add, X, weights, center):
    """Return what ``add`` makes of an empty scatter matrix."""
    scatter = np.zeros((X.shape[1], X.shape[1]))
    add(X, weights, center, scatter)
    return scatter


def test_add_by_unit_agrees_with_the_twin_in_every_bit(rows):
    """The compiled loop and NumPy add the same rows in the same order."""
    sums, totals = added_by_unit(add_by_unit, *rows)
    expected_sums, expected_totals = added_by_unit(add_by_unit.portable, *rows)

    np.testing.assert_array_equal(sums, expected_sums)
    np.testing.assert_array_equal(totals, expected_totals)


def test_add_by_unit_adds_weighted_rows(rows):
    """Each unit gets the weighted sum of its rows, one without rows gets nothing."""
    X, weights, units = rows

    sums, totals = added_by_unit(add_by_unit, *rows)

    for unit in range(7):
        own = units == unit
        np.testing.assert_allclose(sums[unit], weights[own] @ X[own], atol=1e-12)
        np.testing.assert_allclose(totals[unit], weights[own].sum())


def test_add_by_unit_adds_to_what_is_there(rows):
    """Two calls add up."""
    X, weights, units = rows
    sums, totals = added_by_unit(add_by_unit, X, weights, units)
    once = sums.copy()

    add_by_unit(X, weights, units, sums, totals)

    np.testing.assert_allclose(sums, 2 * once)


def test_add_scatter_agrees_with_the_twin_in_every_bit(rows):
    """The compiled loop and NumPy add the same products in the same order."""
    X, weights, _ = rows
    center = X.mean(axis=0)

    found = scattered(add_scatter, X, weights, center)

    np.testing.assert_array_equal(found, scattered(add_scatter.portable, X, weights, center))


def test_add_scatter_fills_the_upper_triangle(rows):
    """The upper triangle holds the weighted products of deviations, the rest stays."""
    X, weights, _ = rows
    center = X.mean(axis=0)

    found = scattered(add_scatter, X, weights, center)

    expected = (weights[:, None] * (X - center)).T @ (X - center)
    np.testing.assert_allclose(found, np.triu(expected), atol=1e-12)
