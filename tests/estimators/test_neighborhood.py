"""Neighborhoods on the grid against the formulas they stand for."""

import numpy as np
import pytest

from modemap.estimators.neighborhood import radii, smoothed, strengths


def test_linear_radii_fall_evenly():
    """Each epoch takes the same step."""
    np.testing.assert_allclose(radii(5.0, 1.0, 5, "linear"), [5, 4, 3, 2, 1])


def test_exponential_radii_fall_by_the_same_factor():
    """Each epoch takes the same share."""
    np.testing.assert_allclose(radii(8.0, 1.0, 4, "exponential"), [8, 4, 2, 1])


@pytest.mark.parametrize("decay", ["linear", "exponential"])
def test_a_single_epoch_has_the_first_radius(decay):
    """There is no end to shrink to."""
    assert radii(3.0, 1.0, 1, decay).tolist() == [3.0]


def test_gaussian_strengths_follow_the_formula():
    """They fall with the square of the distance."""
    found = strengths(4, 1.5, "gaussian")

    np.testing.assert_allclose(found[1], np.exp(-np.array([1, 0, 1, 4]) / 4.5))


def test_bubble_strengths_are_one_up_to_the_radius():
    """They end at once."""
    assert strengths(5, 2.0, "bubble")[0].tolist() == [1, 1, 1, 0, 0]


def test_a_tiny_radius_leaves_each_unit_alone():
    """Nothing overflows on the way."""
    np.testing.assert_array_equal(strengths(3, 1e-200, "gaussian"), np.eye(3))


@pytest.mark.parametrize("neighborhood", ["gaussian", "bubble"])
def test_smoothing_by_axes_is_smoothing_over_the_grid(neighborhood):
    """The product of both factors is the neighborhood in two dimensions."""
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    along_rows, along_columns = (strengths(n, 1.2, neighborhood) for n in (3, 4))

    found = smoothed(values, along_rows, along_columns)

    whole = np.kron(along_rows, along_columns)
    np.testing.assert_allclose(found.reshape(12, 2), whole @ values.reshape(12, 2))
