"""Tests of maps as drawings."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modemap.kernels import Grid
from modemap.reporting import maps
from modemap.reporting.cells import Cells
from modemap.reporting.maps import N_LEVELS, borders, coarsened, labels, plane, ridges, seam
from modemap.reporting.story import MapPicture
from tests.drawings import polygons

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
LATTICE = np.array([float(scale) for scale in re.findall(r"[\d.]+", maps.LATTICE)])
VALUES = arrays(np.float64, SHAPES, elements=st.floats(0, 2.0**40, width=32))


def area(paths: list[tuple[int, str]]) -> int:
    """Return how many cells are drawn."""
    return sum(int(width) for _, path in paths for width in re.findall(r"h(\d+)v1", path))


def picture_of(segments, hits=None, **grid) -> MapPicture:
    """Return a map of these segments, (n_rows, n_columns)."""
    segments = np.array(segments)
    hits = np.ones_like(segments) if hits is None else np.array(hits)
    return MapPicture(np.ones(segments.shape), hits, segments, {}, **grid)


@given(VALUES)
def test_every_cell_is_drawn_once(values):
    """Runs of equal levels cover the map, whatever the values."""
    for drawn in (plane(values), ridges(values)):
        assert area(drawn.paths) == values.size
        assert all(0 <= level < N_LEVELS for level, _ in drawn.paths)
        assert drawn.low <= drawn.middle <= drawn.high


@given(VALUES)
def test_every_hexagon_is_drawn_where_its_unit_lies(values):
    """As many hexagons as units, each with the corners of its cell."""
    cells = Cells(*values.shape, is_hexagonal=True)
    expected = cells.middles.reshape(-1, 1, 2) + np.array(cells.corners)

    for drawn in (plane(values, is_hexagonal=True), ridges(values, is_hexagonal=True)):
        found = [corners for _, path in drawn.paths for corners in polygons(path)]
        assert len(found) == values.size
        found.sort(key=lambda corners: (corners[0, 1], corners[0, 0]))
        np.testing.assert_allclose(np.array(found) * LATTICE, expected, atol=1e-3)


def test_levels_follow_the_values():
    """A larger value never has a lower level."""
    drawn = plane(np.array([[3.0, 1.0, 2.0, 100.0]]))

    levels = {int(path[1]): level for level, path in drawn.paths}
    assert levels[1] < levels[2] < levels[0] < levels[3]


def test_borders_part_segments():
    """One line for each pair of neighbours in different segments."""
    assert borders(picture_of([[0, 0], [0, 1]])) == "M1 1L1 2M2 1L1 1"
    assert borders(picture_of(np.zeros((3, 3), dtype=int))) == ""


def test_borders_of_hexagons_part_six_neighbours():
    """A unit in the middle of another segment has six lines around it, the corner unit two."""
    middle = picture_of([[0, 0, 0], [0, 1, 0], [0, 0, 0]], is_hexagonal=True)
    corner = picture_of([[1, 0, 0], [0, 0, 0], [0, 0, 0]], is_hexagonal=True)

    assert borders(middle).count("M") == 6
    assert borders(corner).count("M") == 2


def test_borders_across_a_seam_are_drawn_at_both_edges():
    """On a torus the corner unit has four neighbours or six, those beyond the edges among them."""
    segments = np.zeros((4, 4), dtype=int)
    segments[0, 0] = 1

    assert borders(picture_of(segments)).count("M") == 2
    assert borders(picture_of(segments, is_toroidal=True)).count("M") == 2 + 2 * 2
    hexagons = picture_of(segments, is_hexagonal=True, is_toroidal=True)
    assert borders(hexagons).count("M") == 2 + 4 * 2


def test_the_seam_goes_round_the_map():
    """One line for each side of a cell that no other cell of the drawing has."""
    square = picture_of(np.zeros((3, 5), dtype=int), is_toroidal=True)
    hexagons = picture_of(np.zeros((4, 5), dtype=int), is_hexagonal=True, is_toroidal=True)

    assert len(seam(square)) == 2 * (3 + 5)
    inner = len(Grid(4, 5, "hexagonal").edges())
    assert len(seam(hexagons)) == 6 * 20 - 2 * inner


def test_cells_grow_with_the_rows():
    """Areas are in proportion to rows, and a unit without rows has none."""
    for grid in ({}, {"is_hexagonal": True}):
        ((_, drawn),) = maps.hits(picture_of([[0, 0, 0]], [[4, 1, 0]], **grid))

        sizes = [np.ptp(corners, axis=0).prod() for corners in polygons(drawn)]
        assert len(sizes) == 2
        np.testing.assert_allclose(sizes[0] / sizes[1], 4, rtol=0.02)


def test_a_label_stands_on_its_segment():
    """Also where the middle of the segment belongs to another."""
    picture = picture_of([[0, 0, 0], [0, 1, 0], [0, 0, 0]])

    for label in labels(picture):
        assert picture.segments[int(label.y), int(label.x)] == label.segment


def test_a_segment_that_the_seam_cuts_has_two_labels():
    """Each piece of the drawing is named; so are two rows that a planar map could not part."""
    found = labels(picture_of([[0, 1, 0], [0, 1, 0]], is_toroidal=True))

    assert [(label.segment, label.x) for label in found] == [(0, 0.5), (0, 2.5), (1, 1.5)]


def test_a_scrap_of_a_segment_has_no_label():
    """A unit or two beyond the seam are told by their colour."""
    segments = np.zeros((10, 10), dtype=int)
    segments[:, :9] = 1
    segments[0, 0] = 0

    found = labels(picture_of(segments, is_toroidal=True))

    assert [(label.segment, label.x) for label in found if label.segment == 0] == [(0, 9.5)]


def test_a_coarse_map_loses_no_row():
    """Rows are summed, values averaged, and sides that do not divide are kept."""
    rng = np.random.default_rng(0)
    shape = (301, 150)
    hits, values = rng.integers(0, 5, shape), rng.random(shape)
    picture = MapPicture(values, hits, np.zeros(shape, dtype=int), {"delay": np.ones(shape)})

    coarse, side = coarsened(picture)

    assert side == 3
    assert coarse.hits.shape == coarse.segments.shape == (101, 50)
    assert coarse.hits.sum() == hits.sum()
    np.testing.assert_allclose(coarse.distances[0, 0], values[:3, :3].mean())
    np.testing.assert_allclose(coarse.planes["delay"], 1)


@pytest.mark.parametrize(
    ("side", "n_planes", "expected"),
    [(100, 20, 1), (100, 60, 2), (128, 6, 1), (129, 1, 2), (1000, 500, 45)],
)
def test_a_page_holds_so_many_cells(side, n_planes, expected):
    """A map of 100 x 100 units is drawn unit by unit, unless its columns are very many."""
    values = np.zeros((side, side))
    planes = dict.fromkeys(map(str, range(n_planes)), values)
    hits = np.ones((side, side), dtype=int)

    coarse, found = coarsened(MapPicture(values, hits, hits, planes))

    assert found == expected
    assert coarse.hits.size * (n_planes + 2) < 250_000 * 1.1  # cells at the edge may be cut
