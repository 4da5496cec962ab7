"""Where maps start."""

import numpy as np

from modemap.estimators.codebook import on_principal_plane, on_samples, within_ranges


def test_the_principal_plane_is_that_of_the_eigenvectors():
    """Corners lie two standard deviations from the mean along both components."""
    X = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 5.0, 2.0] + 10.0

    codebook = on_principal_plane(X, np.ones(500), (4, 7), 1).reshape(4, 7, 3)

    variances, axes = np.linalg.eigh(np.cov(X.T, bias=True))
    across, down = codebook[0, -1] - codebook[0, 0], codebook[-1, 0] - codebook[0, 0]
    np.testing.assert_allclose(np.linalg.norm(across), 4 * np.sqrt(variances[2]))
    np.testing.assert_allclose(np.linalg.norm(down), 4 * np.sqrt(variances[1]))
    np.testing.assert_allclose(abs(across @ axes[:, 2]), np.linalg.norm(across))
    np.testing.assert_allclose(abs(down @ axes[:, 1]), np.linalg.norm(down))
    np.testing.assert_allclose(codebook.mean(axis=(0, 1)), X.mean(axis=0))


def test_components_point_to_their_largest_positive_coefficient():
    """The map of mirrored data is not a mirrored map."""
    X = np.random.default_rng(0).normal(size=(500, 2)) * [5.0, 1.0]

    for rows in (X, -X):
        codebook = on_principal_plane(rows, np.ones(500), (2, 3), 1).reshape(2, 3, 2)
        assert codebook[0, 2, 0] > codebook[0, 0, 0]
        assert codebook[1, 0, 1] > codebook[0, 0, 1]


def test_draws_within_ranges_fill_them():
    """Every coordinate lies within its feature's range, and not all in one place."""
    X = np.array([[0.0, 5.0], [1.0, 9.0]])

    codebook = within_ranges(X, 200, np.random.RandomState(0))

    assert (codebook >= [0, 5]).all()
    assert (codebook <= [1, 9]).all()
    assert (np.ptp(codebook, axis=0) > [0.9, 3.6]).all()


def test_draws_of_samples_are_different_ones():
    """As long as there are enough."""
    X = np.arange(12.0).reshape(-1, 1)

    codebook = on_samples(X, np.ones(12), 12, np.random.RandomState(0))

    assert sorted(codebook.ravel()) == X.ravel().tolist()


def test_few_samples_are_drawn_more_than_once():
    """More units than samples is no error."""
    codebook = on_samples(np.array([[1.0], [2.0]]), np.ones(2), 9, np.random.RandomState(0))

    assert set(codebook.ravel()) == {1.0, 2.0}
