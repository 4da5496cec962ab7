"""The metrics of maps against brute force, on cases whose answer is known."""

from itertools import product

import numpy as np
import pytest

from modemap.kernels import BOUNDARIES, NEIGHBORHOODS, TOPOLOGIES, Grid, strengths
from modemap.metrics import (
    dead_unit_share,
    distortion,
    quantization_error,
    topographic_error,
)


@pytest.fixture(name="X")
def samples():
    """Return 500 samples of three features."""
    return np.random.default_rng(0).normal(size=(500, 3))


@pytest.fixture
def codebook():
    """Return the units of a map of 3 x 4."""
    return np.random.default_rng(1).normal(size=(12, 3))


def test_quantization_error_is_the_mean_distance(X, codebook):
    """It equals the mean of the row minima of the full distance matrix."""
    expected = np.sqrt(((X[:, None] - codebook) ** 2).sum(axis=2)).min(axis=1).mean()

    assert quantization_error(X, codebook) == pytest.approx(expected)


def test_quantization_error_of_the_codebook_is_zero(codebook):
    """Every unit is its own nearest unit."""
    assert quantization_error(codebook, codebook) == 0.0


def test_topographic_error_counts_pairs_that_are_not_neighbors(X, codebook):
    """It equals the share found by sorting all distances."""
    order = ((X[:, None] - codebook) ** 2).sum(axis=2).argsort(axis=1)
    places = np.stack(np.divmod(order[:, :2], 4), axis=-1)
    apart = np.abs(places[:, 0] - places[:, 1]).max(axis=1) > 1

    assert topographic_error(X, codebook, 3, 4) == pytest.approx(apart.mean())


def test_all_eight_units_around_are_neighbors():
    """A diagonal step is one step."""
    codebook = np.array([[0.0], [9.0], [9.0], [1.0]])

    assert topographic_error(np.array([[0.4]]), codebook, 2, 2) == 0.0


def test_the_end_of_a_row_is_no_neighbor_of_the_next_row():
    """Units that follow each other in the codebook may lie far apart on the grid."""
    codebook = np.array([[9.0], [9.0], [0.0], [1.0], [9.0], [9.0]])

    assert topographic_error(np.array([[0.4]]), codebook, 2, 3) == 1.0


def test_the_two_nearest_units_are_those_of_the_metric():
    """By direction the sample lies between units that are far apart, by distance it does not."""
    codebook = np.array([[10.0, 10.0], [1.0, 0.0], [9.0, 9.5]])
    X = np.array([[1.0, 1.0]])

    assert topographic_error(X, codebook, 1, 3) == 0.0
    assert topographic_error(X, codebook, 1, 3, metric="cosine") == 1.0


def test_a_single_unit_keeps_all_neighborhoods():
    """Where there is no second unit there is no error."""
    assert topographic_error(np.array([[0.4]]), np.array([[1.0]]), 1, 1) == 0.0


def test_dead_unit_share_counts_units_without_samples():
    """Two of five units have samples."""
    assert dead_unit_share(np.array([1, 4, 4]), 5) == pytest.approx(0.6)


def test_without_samples_all_units_are_dead():
    """No sample, no living unit."""
    assert dead_unit_share(np.array([], dtype=np.int64), 3) == 1.0


@pytest.mark.parametrize("kinds", list(product(TOPOLOGIES, BOUNDARIES)))
@pytest.mark.parametrize("n_neighbors", [4, 8])
def test_topographic_error_knows_the_grid(X, kinds, n_neighbors):
    """Neighbours are those on the plane, across the seams of a torus too."""
    codebook = np.random.default_rng(1).normal(size=(24, 3))
    grid = Grid(4, 6, *kinds)
    reach = 1.5 if n_neighbors == 8 and not grid.is_hexagonal else 1.01

    found = topographic_error(
        X, codebook, 4, 6, topology=kinds[0], boundary=kinds[1], n_neighbors=n_neighbors
    )

    pairs = ((X[:, None] - codebook) ** 2).sum(axis=2).argsort(axis=1)[:, :2]
    expected = np.mean([grid.distances()[one, other] > reach for one, other in pairs])
    assert 0 < found == pytest.approx(expected)


@pytest.mark.parametrize("neighborhood", NEIGHBORHOODS)
def test_distortion_follows_its_formula(X, codebook, neighborhood, monkeypatch):
    """Sample by sample and unit by unit."""
    monkeypatch.setattr("modemap.metrics.maps.BLOCK_CELLS", 1000)
    grid = Grid(3, 4, "hexagonal")
    total = 0.0
    for x in X:
        squares = ((x - codebook) ** 2).sum(axis=1)
        apart = grid.distances()[squares.argmin()]
        total += float(strengths(apart, 1.3, neighborhood) @ squares)

    found = distortion(
        X, codebook, 3, 4, radius=1.3, neighborhood=neighborhood, topology="hexagonal"
    )

    assert found == pytest.approx(total / len(X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantization_error(np.empty((0, 2)), np.ones((1, 2))), "X must have two dim"),
        (lambda: quantization_error(np.ones(2), np.ones((1, 2))), "X must have two dimensions"),
        (lambda: quantization_error(np.ones((1, 3)), np.ones((1, 2))), "X must have 2 features"),
        (lambda: quantization_error(np.full((1, 2), np.nan), np.ones((1, 2))), "X must be finite"),
        (lambda: quantization_error(np.ones((1, 1)), np.array([[np.inf]])), "codebook must be fin"),
        (lambda: topographic_error(np.ones((1, 1)), np.ones((4, 1)), 2, 3), "n_columns = 6 rows"),
        (
            lambda: topographic_error(np.ones((1, 1)), np.ones((4, 1)), 2, 2, n_neighbors=6),
            "n_neighbors must be 4 or 8, got 6",
        ),
        (
            lambda: distortion(np.ones((1, 1)), np.ones((4, 1)), 2, 3, radius=1.0),
            "n_columns = 6 rows, got 4",
        ),
        (lambda: dead_unit_share(np.array([4]), 4), "units must be from 0 to 3, got 4 to 4"),
        (lambda: dead_unit_share(np.array([-1]), 4), "units must be from 0 to 3"),
        (lambda: dead_unit_share(np.array([0]), 0), "n_units must be >= 1, got 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()
