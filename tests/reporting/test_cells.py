"""Tests of the cells of a drawn map."""

import math
import re

import numpy as np
import pytest

from modemap.kernels import BOUNDARIES, TOPOLOGIES, Grid
from modemap.reporting.cells import Cells

SHAPES = [(1, 1), (1, 4), (4, 1), (2, 3), (4, 4), (6, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_lies_beyond_a_side_is_a_neighbour_on_the_grid(shape, topology, boundary):
    """The sides of all cells lead to the neighbours that the map was trained with, and no other."""
    grid, cells = Grid(*shape, topology, "planar"), Cells(*shape, topology == "hexagonal")
    if boundary == "toroidal" and shape[0] % 2 == 0:
        grid = Grid(*shape, topology, "toroidal")
    units = np.arange(grid.n_units).reshape(shape)

    found = set()
    for side in range(cells.n_sides):
        rows, columns = cells.beyond(side)
        there = cells.is_inside(rows, columns) | grid.is_toroidal
        other = units[rows % shape[0], columns % shape[1]]
        found |= set(zip(units[there].tolist(), other[there].tolist(), strict=True))

    edges = grid.edges().tolist()
    assert {pair for pair in found if pair[0] < pair[1]} == {tuple(edge) for edge in edges}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_cells_lie_where_their_units_do(topology):
    """Middles are the positions of the grid, every second row of hexagons shifted to the right."""
    middles = Cells(4, 3, topology == "hexagonal").middles

    places = middles.reshape(-1, 2)[:, ::-1] - middles[0, 0, ::-1]
    np.testing.assert_allclose(places, Grid(4, 3, topology, "planar").positions, atol=1e-12)


@pytest.mark.parametrize("is_hexagonal", [False, True])
def test_neighbours_share_a_side(is_hexagonal):
    """A side lies halfway between two middles, and has the length of every other."""
    cells = Cells(4, 5, is_hexagonal)
    where = np.zeros((4, 5), dtype=bool)
    where[1, 2] = True

    lengths = set()
    for side in range(cells.n_sides):
        rows, columns = cells.beyond(side)
        (line,) = cells.sides(side, where)
        x, y, to_x, to_y = map(float, re.findall(r"-?[\d.]+", line))
        halfway = (cells.middles[1, 2] + cells.middles[rows[1, 2], columns[1, 2]]) / 2
        np.testing.assert_allclose([(x + to_x) / 2, (y + to_y) / 2], halfway, atol=1e-3)
        lengths.add(round(math.hypot(to_x - x, to_y - y), 2))
    assert lengths == ({0.58} if is_hexagonal else {1.0})


def test_a_grid_of_hexagons_ends_with_its_last_corner():
    """Width and height reach as far as the cells do."""
    for cells in (Cells(1, 3, True), Cells(4, 3, True), Cells(4, 3)):
        corners = cells.middles[:, :, np.newaxis] + np.array(cells.corners)

        np.testing.assert_allclose(corners.reshape(-1, 2).max(axis=0), cells.size)
        np.testing.assert_allclose(corners.reshape(-1, 2).min(axis=0), 0, atol=1e-12)
