"""Tests of maps as drawings."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modemap.reporting.maps import N_LEVELS, borders, coarsened, labels, plane, ridges, squares
from modemap.reporting.story import MapPicture

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
VALUES = arrays(np.float64, SHAPES, elements=st.floats(0, 2.0**40, width=32))


def area(paths: list[tuple[int, str]]) -> int:
    """Return how many cells are drawn."""
    return sum(int(width) for _, path in paths for width in re.findall(r"h(\d+)v1", path))


@given(VALUES)
def test_every_cell_is_drawn_once(values):
    """Runs of equal levels cover the map, whatever the values."""
    for drawn in (plane(values), ridges(values)):
        assert area(drawn.paths) == values.size
        assert all(0 <= level < N_LEVELS for level, _ in drawn.paths)
        assert drawn.low <= drawn.middle <= drawn.high


def test_levels_follow_the_values():
    """A larger value never has a lower level."""
    drawn = plane(np.array([[3.0, 1.0, 2.0, 100.0]]))

    levels = {int(path[1]): level for level, path in drawn.paths}
    assert levels[1] < levels[2] < levels[0] < levels[3]


def test_borders_part_segments():
    """One line for each pair of neighbours in different segments."""
    assert borders(np.array([[0, 0], [0, 1]])) == "M1 1h1M1 1v1"
    assert borders(np.zeros((3, 3), dtype=int)) == ""


def test_squares_grow_with_the_rows():
    """Areas are in proportion to rows, and a unit without rows has none."""
    ((_, drawn),) = squares(np.array([[4, 1, 0]]), np.zeros((1, 3), dtype=int))

    sides = [float(side) for side in re.findall(r"h([\d.]+)v", drawn)]
    assert len(sides) == 2
    np.testing.assert_allclose(sides[0] ** 2 / sides[1] ** 2, 4)


def test_a_label_stands_on_its_segment():
    """Also where the middle of the segment belongs to another."""
    segments = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])

    for label in labels(segments):
        assert segments[int(label.y), int(label.x)] == label.segment


def test_a_coarse_map_loses_no_row():
    """Rows are summed, values averaged, and sides that do not divide are kept."""
    rng = np.random.default_rng(0)
    shape = (130, 65)
    hits, values = rng.integers(0, 5, shape), rng.random(shape)
    picture = MapPicture(values, hits, np.zeros(shape, dtype=int), {"delay": np.ones(shape)})

    coarse, side = coarsened(picture)

    assert side == 3
    assert coarse.hits.shape == coarse.segments.shape == (44, 22)
    assert coarse.hits.sum() == hits.sum()
    np.testing.assert_allclose(coarse.distances[0, 0], values[:3, :3].mean())
    np.testing.assert_allclose(coarse.planes["delay"], 1)
