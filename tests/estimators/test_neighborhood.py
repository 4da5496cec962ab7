"""Neighborhoods on the grid against the formulas they stand for."""

from itertools import product

import numpy as np
import pytest

from modemap.estimators.neighborhood import Neighborhood, decayed, smoothed, updated
from modemap.kernels import (
    BOUNDARIES,
    NEIGHBORHOODS,
    TOPOLOGIES,
    Grid,
    UnitSums,
    strengths,
)

GRIDS = [Grid(4, 5, *kinds) for kinds in product(TOPOLOGIES, BOUNDARIES)]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("linear", [8, 5.75, 3.5, 1.25]),
        ("exponential", [8, 4.3088694, 2.3207944, 1.25]),
        ("inverse", [8, 2.8571429, 1.7391304, 1.25]),
    ],
)
def test_decays_follow_their_formulas(decay, expected):
    """They start and end where they are told, by equal steps, factors, or steps of the inverse."""
    found = decayed(8.0, 1.25, np.linspace(0.0, 1.0, 4), decay)

    np.testing.assert_allclose(found, expected)


def whole_matrix(grid, kind, radius):
    """Return the strengths between all units by the formulas, axis by axis where that is meant."""
    if not grid.is_hexagonal and kind in ("bubble", "triangle"):
        factors = (strengths(grid.axis(rows=rows), radius, kind) for rows in (True, False))
        return np.kron(*factors)
    squares = grid.distances() ** 2
    match kind:
        case "gaussian":
            return np.exp(-squares / (2 * radius**2))
        case "mexican_hat":
            return (1 - squares / radius**2) * np.exp(-squares / (2 * radius**2))
        case "bubble":
            return (np.sqrt(squares) <= radius * (1 + 1e-9)).astype(float)
        case _:
            return np.maximum(0, 1 - np.sqrt(squares) / radius)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", NEIGHBORHOODS)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_smoothing_is_the_product_with_all_strengths(grid, kind, n_threads):
    """Whichever way it is taken, by axes or by blocks of the matrix."""
    values = np.random.default_rng(0).normal(size=(20, 3))

    found = smoothed(values, Neighborhood(grid, kind, 1.2), n_threads)

    np.testing.assert_allclose(found, whole_matrix(grid, kind, 1.2) @ values, atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS)
def test_blocks_of_the_matrix_give_what_the_whole_gives(grid, monkeypatch):
    """A unit at a time is only slower."""
    values = np.random.default_rng(0).normal(size=(20, 3))
    neighborhood = Neighborhood(grid, "mexican_hat", 1.2)
    whole = smoothed(values, neighborhood, is_absolute=True)

    monkeypatch.setattr("modemap.estimators.neighborhood.BLOCK_CELLS", 1)

    np.testing.assert_array_equal(smoothed(values, neighborhood, is_absolute=True), whole)


def test_a_tiny_radius_leaves_each_unit_alone():
    """Nothing overflows on the way."""
    for kind in NEIGHBORHOODS:
        np.testing.assert_array_equal(
            strengths(Grid(1, 3).axis(rows=False), 1e-200, kind), np.eye(3)
        )


def test_the_mexican_hat_pushes_far_units_away():
    """A unit one and a half radii off goes the other way, but not out of the map."""
    sums, start = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]), np.array([[0.0], [0.0], [-9.0]])
    found = UnitSums(sums, np.array([1.0, 0.0, 0.0]), 0.0, 1)

    moved = updated(start, found, Neighborhood(Grid(1, 3), "mexican_hat", 1 / 1.5))

    assert moved.ravel().tolist() == [1.0, -1.0, -9.0]
