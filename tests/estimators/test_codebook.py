"""Where maps start."""

import numpy as np
import pytest

from modemap.estimators.blocks import Blocks
from modemap.estimators.codebook import (
    covariance,
    on_principal_plane,
    on_samples,
    sides,
    within_ranges,
)
from modemap.estimators.samples import Samples
from modemap.estimators.som import SelfOrganizingMap


def parts(*arrays, weights=None):
    """Return arrays as samples in parts."""
    rows = Blocks(sum(map(len, arrays)), lambda _start, _stop: iter(arrays))
    return Samples(SelfOrganizingMap(), rows, weights, reset=True)


def test_covariance_agrees_with_numpy():
    """Mean and covariance are the weighted ones."""
    X = np.random.default_rng(0).normal(size=(3000, 3))
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=3000)

    mean, found = covariance(parts(X, weights=weights))

    np.testing.assert_allclose(mean, np.average(X, axis=0, weights=weights))
    np.testing.assert_allclose(found, np.cov(X.T, aweights=weights, bias=True))


def test_a_constant_feature_has_no_variance():
    """Not even one of rounding, as the mean of six times 0.1 would leave."""
    mean, found = covariance(parts(np.full((6, 1), 0.1)))

    assert (mean[0], found[0, 0]) == (0.1, 0.0)


def test_the_principal_plane_is_that_of_the_eigenvectors():
    """Corners lie two standard deviations from the mean along both components."""
    X = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 5.0, 2.0] + 10.0

    codebook = on_principal_plane(parts(X), (4, 7), 1).reshape(4, 7, 3)

    variances, axes = np.linalg.eigh(np.cov(X.T, bias=True))
    across, down = codebook[0, -1] - codebook[0, 0], codebook[-1, 0] - codebook[0, 0]
    np.testing.assert_allclose(np.linalg.norm(across), 4 * np.sqrt(variances[2]))
    np.testing.assert_allclose(np.linalg.norm(down), 4 * np.sqrt(variances[1]))
    np.testing.assert_allclose(abs(across @ axes[:, 2]), np.linalg.norm(across))
    np.testing.assert_allclose(abs(down @ axes[:, 1]), np.linalg.norm(down))
    np.testing.assert_allclose(codebook.mean(axis=(0, 1)), X.mean(axis=0))


def test_the_principal_plane_of_parts_is_that_of_the_whole():
    """However the samples are cut."""
    X = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 5.0, 2.0]

    whole, cut = (on_principal_plane(p, (3, 4), 1) for p in (parts(X), parts(X[:99], X[99:])))

    np.testing.assert_allclose(cut, whole)


def test_components_point_to_their_largest_positive_coefficient():
    """The map of mirrored data is not a mirrored map."""
    X = np.random.default_rng(0).normal(size=(500, 2)) * [5.0, 1.0]

    for rows in (X, -X):
        codebook = on_principal_plane(parts(rows), (2, 3), 1).reshape(2, 3, 2)
        assert codebook[0, 2, 0] > codebook[0, 0, 0]
        assert codebook[1, 0, 1] > codebook[0, 0, 1]


@pytest.mark.parametrize("n_samples", [2, 3, 40])
def test_samples_on_a_line_leave_no_second_direction(n_samples):
    """Rounding is no variance: units across the line are exactly equal."""
    X = np.linspace(0.1, 3.0, n_samples)[:, np.newaxis] * [0.37, 1.39, 0.05] + [0.3, 0.7, 1e3]

    codebook = on_principal_plane(parts(X), (3, 3), 1).reshape(3, 3, 3)

    np.testing.assert_array_equal(codebook, np.broadcast_to(codebook[:, :1], codebook.shape))
    assert np.ptp(codebook[:, 0, 1]) > 0


def test_draws_within_ranges_fill_them():
    """Every coordinate lies within its feature's range, and not all in one place."""
    codebook = within_ranges(np.array([0, 5]), np.array([1, 9]), 200, np.random.RandomState(0))

    assert (codebook >= [0, 5]).all()
    assert (codebook <= [1, 9]).all()
    assert (np.ptp(codebook, axis=0) > [0.9, 3.6]).all()


def test_draws_of_samples_are_different_ones():
    """As long as there are enough, from whatever part they are."""
    X = np.arange(12.0).reshape(-1, 1)

    codebook = on_samples(parts(X[:5], X[5:]), np.zeros(1), 12, np.random.RandomState(0))

    assert sorted(codebook.ravel()) == X.ravel().tolist()


def test_few_samples_are_drawn_more_than_once():
    """More units than samples is no error."""
    X = np.array([[1.0], [2.0]])

    codebook = on_samples(parts(X), np.zeros(1), 9, np.random.RandomState(0))

    assert set(codebook.ravel()) == {1.0, 2.0}


def test_a_missing_value_of_a_drawn_sample_is_that_of_the_center():
    """Units are complete."""
    X = np.array([[1.0, np.nan]])

    codebook = on_samples(parts(X), np.array([7.0, 8.0]), 1, np.random.RandomState(0))

    assert codebook.tolist() == [[1.0, 8.0]]


@pytest.mark.parametrize(
    ("weight", "given", "expected"),
    [
        (400.0, (None, None), (10, 10)),
        (400.0, (4, None), (4, 25)),
        (400.0, (None, 7), (15, 7)),
        (400.0, (3, 2), (3, 2)),
        (1.0, (None, None), (3, 3)),
    ],
)
def test_sides_left_out_follow_from_the_weight(weight, given, expected):
    """A map has five times the root of the weight as units, rounded up to whole rows."""
    assert sides(weight, *given) == expected
