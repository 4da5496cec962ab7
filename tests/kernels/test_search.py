"""The search kernels against their twins and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modemap.kernels import best_matching_units, two_best_matching_units
from modemap.kernels.search import squared_distances

VALUES = st.floats(-1e3, 1e3) | st.integers(-2, 2).map(float)  # the integers make ties


@st.composite
def samples_and_features(draw, min_units=1):
    """Draw samples (n, d) and a transposed codebook (d, m)."""
    n_samples, n_features = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    n_units = draw(st.integers(min_units, 40))
    X = draw(arrays(np.float64, (n_samples, n_features), elements=VALUES))
    features = draw(arrays(np.float64, (n_features, n_units), elements=VALUES))
    return X, features


def searched(search, X, features):
    """Return units and squared distances."""
    units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))
    search(X, features, units, distances)
    return units, distances


def searched_twice(search, X, features):
    """Return the first and the second unit."""
    first, second = np.empty((2, len(X)), dtype=np.int64)
    search(X, features, first, second)
    return first, second


@settings(deadline=None)
@given(samples_and_features())
def test_best_matching_units_agree_with_the_twin_in_every_bit(drawn):
    """The compiled loop and NumPy add in the same order, so nothing differs."""
    units, distances = searched(best_matching_units, *drawn)
    expected_units, expected_distances = searched(best_matching_units.portable, *drawn)

    np.testing.assert_array_equal(units, expected_units)
    np.testing.assert_array_equal(distances, expected_distances)


@settings(deadline=None)
@given(samples_and_features())
def test_best_matching_units_have_the_least_distance(drawn):
    """Distances equal the row minima of the full distance matrix."""
    X, features = drawn

    units, distances = searched(best_matching_units, X, features)

    expected = ((X[:, None] - features.T) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-12)
    np.testing.assert_allclose(expected[range(len(X)), units], distances, rtol=1e-12)


@settings(deadline=None)
@given(samples_and_features(min_units=2))
def test_two_best_matching_units_agree_with_the_twin(drawn):
    """A stable sort of all distances names the same two units."""
    found = searched_twice(two_best_matching_units, *drawn)
    expected = searched_twice(two_best_matching_units.portable, *drawn)

    np.testing.assert_array_equal(found, expected)


@settings(deadline=None)
@given(samples_and_features(min_units=2))
def test_the_first_of_two_is_the_best_matching_unit(drawn):
    """Both searches give the same nearest unit, and the second is another."""
    first, second = searched_twice(two_best_matching_units, *drawn)

    np.testing.assert_array_equal(first, searched(best_matching_units, *drawn)[0])
    assert (first != second).all()


@pytest.mark.parametrize("search", [best_matching_units, best_matching_units.portable])
def test_ties_go_to_the_lower_unit(search):
    """Of equal units the first is the nearest."""
    features = np.array([[1.0, 0.0, 0.0]])

    units, _ = searched(search, np.array([[0.0], [0.5], [2.0]]), features)

    assert units.tolist() == [1, 0, 0]


def test_squared_distances_take_no_product_of_large_numbers():
    """A large common offset costs no digits."""
    X, features = np.array([[1e9]]), np.array([[1e9 + 1, 1e9]])

    assert squared_distances(X, features).tolist() == [[1.0, 0.0]]


def test_the_twin_works_in_blocks(monkeypatch):
    """Blocks of a row each give what one block gives."""
    rng = np.random.default_rng(0)
    X, features = rng.normal(size=(10, 3)), rng.normal(size=(3, 7))
    whole = searched(best_matching_units.portable, X, features)

    monkeypatch.setattr("modemap.kernels.search.BLOCK_CELLS", 1)

    np.testing.assert_array_equal(searched(best_matching_units.portable, X, features), whole)
