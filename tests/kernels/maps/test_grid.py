"""Grids against the plane they stand for."""

from itertools import product

import numpy as np
import pytest

from modemap.kernels import BOUNDARIES, TOPOLOGIES, Grid

KINDS = list(product(TOPOLOGIES, BOUNDARIES))


def brute_force_distances(grid):
    """Return the shortest distances between all units and their copies beyond the edges."""
    height = np.sqrt(3) / 2 if grid.is_hexagonal else 1.0
    turns = (-1, 0, 1) if grid.is_toroidal else (0,)
    places = grid.positions
    shortest = np.full((grid.n_units, grid.n_units), np.inf)
    for down, across in product(turns, turns):
        moved = places + np.array([down * grid.n_rows * height, across * grid.n_columns])
        shortest = np.minimum(shortest, np.linalg.norm(places[:, None] - moved, axis=2))
    return shortest


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("shape", [(6, 5), (2, 7), (4, 1), (2, 2)])
def test_distances_take_the_shortest_way(shape, kinds):
    """Across the edges of a torus, and by the places of hexagons."""
    grid = Grid(*shape, *kinds)

    np.testing.assert_allclose(grid.distances(), brute_force_distances(grid), atol=1e-12)
    np.testing.assert_array_equal(grid.distances(slice(1, 3)), grid.distances()[1:3])


@pytest.mark.parametrize("kinds", KINDS)
def test_neighbors_are_the_units_nearby(kinds):
    """Six at distance 1 on hexagons; four at 1 or eight up to the diagonal on squares."""
    grid = Grid(6, 5, *kinds)
    distances = brute_force_distances(grid)

    for n_neighbors, reach in ((4, 1.01), (8, 1.01 if grid.is_hexagonal else 1.5)):
        near = np.argwhere(np.triu((distances < reach) & (distances > 0)))
        np.testing.assert_array_equal(grid.edges(n_neighbors), near)
        units = np.divmod(np.arange(900), 30)
        np.testing.assert_array_equal(
            grid.are_neighbors(*units, n_neighbors).reshape(30, 30), distances < reach
        )


def test_units_within_a_torus_have_all_their_neighbors():
    """No unit lies at an edge."""
    for kinds, n in ((("hexagonal", "toroidal"), 6), (("rectangular", "toroidal"), 4)):
        edges = Grid(6, 5, *kinds).edges()
        assert np.bincount(edges.ravel()).tolist() == [n] * 30


def test_every_second_row_of_hexagons_is_shifted():
    """By half a unit, and rows are closer than columns."""
    places = Grid(3, 2, "hexagonal").positions

    np.testing.assert_allclose(places[:, 1], [0, 1, 0.5, 1.5, 0, 1])
    np.testing.assert_allclose(places[:, 0], np.repeat([0, 1, 2], 2) * np.sqrt(0.75))


def test_a_hexagonal_torus_has_an_even_number_of_rows():
    """An odd one would join two rows that are shifted alike."""
    with pytest.raises(ValueError, match=r"n_rows must be even on a hexagonal torus, .*, got 5"):
        Grid(5, 4, "hexagonal", "toroidal")
