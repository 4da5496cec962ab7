"""A map that was merely turned is turned back."""

import itertools

import numpy as np
import pytest

from modemap.reporting.alignment import Alignment, Turn
from modemap.reporting.cells import Cells
from modemap.reporting.story import MapPicture

MIRRORS = list(itertools.product([False, True], repeat=2))


def turned(numbers, turn):
    """Return the units of a map, as an array of their numbers, as ``turn`` shows them."""
    numbers = np.roll(numbers, turn.moved, axis=(0, 1))
    for axis in (0, 1):
        numbers = np.flip(numbers, axis) if turn.mirrored[axis] else numbers
    return numbers.T if turn.is_transposed else numbers


def rows_on(first, second, n, rng):
    """Return the units of rows on two square-celled maps that show the same numbers."""
    rows = rng.integers(0, first.size, n)
    return np.argsort(first, axis=None)[rows], np.argsort(second, axis=None)[rows]


@pytest.mark.parametrize("is_toroidal", [False, True])
@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("mirrored", MIRRORS)
def test_a_turned_map_is_found(mirrored, is_transposed, is_toroidal):
    """Every mirror image, with rows and columns exchanged or not, and on a torus moved too."""
    rng = np.random.default_rng(0)
    moved = (2, -1) if is_toroidal else (0, 0)
    second = np.arange(35).reshape(5, 7)
    first = turned(second, Turn(1.0, moved, mirrored, is_transposed))
    alignment = Alignment(Cells(*first.shape), Cells(5, 7), is_toroidal=is_toroidal)
    for _ in range(3):
        alignment.add(*rows_on(first, second, 400, rng))

    found = alignment.turn()

    np.testing.assert_array_equal(turned(second, found), first)
    assert found.agreement > 0.99


@pytest.mark.parametrize("mirrored", [(False, False), (True, True)])
def test_hexagons_of_a_torus_are_moved_by_even_rows(mirrored):
    """Other steps would put them between each other; the drawn places are those of the first."""
    cells = Cells(6, 5, is_hexagonal=True)
    rolled = np.roll(np.arange(30).reshape(6, 5), (2, 1), axis=(0, 1))
    turn = Turn(1.0, mirrored=mirrored)
    a, b, c, d, e, f = turn.matrix(*cells.size)
    x, y = cells.middles.reshape(-1, 2).T
    places = np.column_stack((a * x + c * y + e, b * x + d * y + f))  # as drawn, by place
    nearest = [np.argmin(np.square(cells.middles - place).sum(-1)) for place in places]
    first = np.empty(30, int)
    first[rolled.ravel()] = nearest
    alignment = Alignment(cells, cells, is_toroidal=True)
    alignment.add(first, np.arange(30))

    found = alignment.turn()

    assert (found.moved, found.mirrored) == ((2, 1), mirrored)


def test_the_matrix_keeps_the_map_in_its_frame():
    """Each corner of the plane is drawn on a corner of the turned plane."""
    width, height = 7.0, 5.0
    for mirrored, is_transposed in itertools.product(MIRRORS, [False, True]):
        a, b, c, d, e, f = Turn(1.0, (0, 0), mirrored, is_transposed).matrix(width, height)
        corners = {(a * x + c * y + e, b * x + d * y + f) for x in (0, width) for y in (0, height)}
        right, bottom = (height, width) if is_transposed else (width, height)
        assert corners == {(0, 0), (right, 0), (0, bottom), (right, bottom)}


def test_unrelated_maps_do_not_agree():
    """And rows that all lie in one unit, or no rows, turn nothing."""
    rng = np.random.default_rng(0)
    cells = Cells(8, 8)
    alignment = Alignment(cells, cells, is_toroidal=False)
    assert alignment.turn() == Turn(0.0)
    alignment.add(np.full(9, 3), np.full(9, 5))
    assert alignment.turn() == Turn(0.0)
    alignment.add(rng.integers(0, 64, 5000), rng.integers(0, 64, 5000))
    assert alignment.turn().agreement < 0.1


def test_a_picture_is_moved_across_its_seams():
    """All its arrays alike."""
    numbers = np.arange(6).reshape(2, 3)
    picture = MapPicture(numbers + 0.5, numbers, numbers, {"x": numbers * 2.0}, is_toroidal=True)

    moved = Turn(1.0, (1, 1)).rolled(picture)

    expected = [[5, 3, 4], [2, 0, 1]]
    assert moved.hits.tolist() == moved.segments.tolist() == expected
    assert moved.planes["x"].tolist() == (2.0 * np.array(expected)).tolist()
    assert moved.distances.tolist() == (np.array(expected) + 0.5).tolist()
