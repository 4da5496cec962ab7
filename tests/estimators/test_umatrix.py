"""Tests of the U-matrix."""

import numpy as np

from modemap.estimators.umatrix import neighbor_distances


def test_agrees_with_a_walk_over_the_grid():
    """Each value is the mean over the neighbours that there are."""
    codebook = np.random.default_rng(0).normal(size=(12, 3))

    found = neighbor_distances(codebook, 3, 4)

    for row in range(3):
        for column in range(4):
            around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
            there = [r * 4 + c for r, c in around if 0 <= r < 3 and 0 <= c < 4]
            steps = np.linalg.norm(codebook[there] - codebook[row * 4 + column], axis=1)
            np.testing.assert_allclose(found[row, column], steps.mean())


def test_a_single_unit_has_no_distance():
    """A map without neighbours is flat, not an error."""
    assert neighbor_distances(np.array([[5.0]]), 1, 1).tolist() == [[0.0]]
