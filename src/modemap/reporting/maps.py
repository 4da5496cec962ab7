"""Maps as the paths of an SVG, on the plane of :class:`Cells`.

Hexagons are many. They are drawn on a lattice of half a column across and a third of a row down, on
which all their corners are whole numbers; ``LATTICE`` brings it onto the plane.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modemap.reporting.cells import RADIUS, Cells
from modemap.reporting.story import MapPicture

__all__ = [
    "LATTICE",
    "N_LEVELS",
    "Label",
    "Plane",
    "borders",
    "cells_of",
    "coarsened",
    "ground",
    "hits",
    "labels",
    "outline",
    "plane",
    "ridges",
    "seam",
    "view",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_LEVELS = 16
MAX_SIDE = 128  # more units than this on a side are drawn together
MAX_CELLS = 250_000  # of all pictures of a map together
FILL = 0.92  # of its cell that the fullest unit takes
ROOM = 0.2  # around a map whose edge is drawn
PIECE = 0.02  # share of the map from which on a second piece of a segment has its number too
LATTICE = f"scale(.5 {RADIUS / 2:.6f})"


@dataclass(frozen=True)
class Plane:
    """Values over a grid, by level of colour."""

    paths: list[tuple[int, str]]  # level, 0 to N_LEVELS - 1, and the cells of it
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Label:
    """Where the name of a segment is written."""

    segment: int
    x: float
    y: float


def cells_of(picture: MapPicture) -> Cells:
    """Return the cells of a picture."""
    n_rows, n_columns = picture.hits.shape
    return Cells(n_rows, n_columns, picture.is_hexagonal)


def view(picture: MapPicture) -> str:
    """Return the part of the plane that is shown: left, top, width and height."""
    width, height = cells_of(picture).size
    room = ROOM if picture.is_hexagonal or picture.is_toroidal else 0.0
    shown = (-room, -room, width + 2 * room, height + 2 * room)
    return " ".join(f"{round(value, 3):g}" for value in shown)


def plane(
    values: FloatArray, *, is_hexagonal: bool = False, among: FloatArray | None = None
) -> Plane:
    """Return the cells of each level of ``values``, shape (n_rows, n_columns), by rank.

    Every level has about as many cells, so a few extreme units do not leave the rest in one colour.
    Maps that are to be compared have their ranks ``among`` the values of all of them.
    """
    pool = np.sort(values if among is None else among, axis=None)
    ranks = np.searchsorted(pool, values, side="right") / pool.size
    levels = np.minimum((ranks * N_LEVELS).astype(int), N_LEVELS - 1)
    levels = levels if pool[0] < pool[-1] else np.zeros_like(levels)
    return _plane(levels, pool, is_hexagonal=is_hexagonal)


def ridges(
    values: FloatArray, *, is_hexagonal: bool = False, among: FloatArray | None = None
) -> Plane:
    """Return the cells of each level of ``values``, which are not negative, by logarithm."""
    pool = values if among is None else among
    smallest = pool[pool > 0].min(initial=np.inf)

    def logarithm(values: FloatArray) -> FloatArray:
        return np.log(np.maximum(values, smallest if np.isfinite(smallest) else 1.0))

    lowest = logarithm(pool).min()
    spread = float(logarithm(pool).max() - lowest) or 1.0
    levels = np.minimum((logarithm(values) - lowest) / spread * N_LEVELS, N_LEVELS - 1)
    return _plane(levels, pool, is_hexagonal=is_hexagonal)


def _plane(levels: NDArray[np.generic], pool: FloatArray, *, is_hexagonal: bool) -> Plane:
    paths: dict[int, list[str]] = {}
    if is_hexagonal:
        for (r, c), level in np.ndenumerate(levels.astype(int)):
            paths.setdefault(int(level), []).append(_hexagon(r, c))
    else:
        for r, c, length, level in _runs(levels.astype(int)):
            paths.setdefault(level, []).append(f"M{c} {r}h{length}v1h-{length}z")
    drawn = [(level, "".join(cells)) for level, cells in sorted(paths.items())]
    return Plane(drawn, float(pool.min()), float(np.median(pool)), float(pool.max()))


def _runs(levels: IntArray) -> Iterator[tuple[int, int, int, int]]:
    """Yield row, first column, length and level of each run of equal cells."""
    for r, row in enumerate(levels):
        starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))
        for c, end in zip(starts, [*starts[1:], len(row)], strict=True):
            yield r, int(c), int(end - c), int(row[c])


def _hexagon(row: int, column: int, side: float = 1.0) -> str:
    """Return a hexagon on the lattice, ``side`` times as large as its cell."""
    x, y = 2 * column + 1 + row % 2, 3 * row + 2 - 2 * side
    s, twice = f"{side:.3g}", f"{2 * side:.3g}"
    return f"M{x} {y:.5g}l{s} {s}v{twice}l-{s} {s}-{s}-{s}v-{twice}z"


def borders(picture: MapPicture) -> str:
    """Return the lines between neighbours of different segments; across a seam, at both edges."""
    cells, segments, lines = cells_of(picture), picture.segments, []
    for side in range(cells.n_sides):
        rows, columns = cells.beyond(side)
        inside = cells.is_inside(rows, columns)
        differ = segments != segments[rows % cells.n_rows, columns % cells.n_columns]
        once = inside & (1 <= side <= cells.n_sides // 2)
        lines += cells.sides(side, differ & (once | (~inside & picture.is_toroidal)))
    return "".join(lines)


def seam(picture: MapPicture) -> list[str]:
    """Return the edge of the map, side by side."""
    cells, lines = cells_of(picture), []
    for side in range(cells.n_sides):
        lines += cells.sides(side, ~cells.is_inside(*cells.beyond(side)))
    return lines


def outline(cells: Cells) -> str:
    """Return a cell around the origin."""
    return f"M{'L'.join(f'{x:.4g} {y:.4g}' for x, y in cells.corners)}z"


def ground(cells: Cells) -> str:
    """Return all cells, hexagons on their lattice."""
    if not cells.is_hexagonal:
        return f"M0 0h{cells.n_columns}v{cells.n_rows}h-{cells.n_columns}z"
    return "".join(_hexagon(r, c) for r, c in np.ndindex(cells.n_rows, cells.n_columns))


def hits(picture: MapPicture) -> list[tuple[int, str]]:
    """Return each segment's units as small cells, their areas in proportion to the rows."""
    sides = FILL * np.sqrt(picture.hits / max(int(picture.hits.max()), 1))
    paths: dict[int, list[str]] = {}
    for (r, c), side in np.ndenumerate(sides):
        if side > 0:
            cell = _hexagon(r, c, side) if picture.is_hexagonal else _square(r, c, side)
            paths.setdefault(int(picture.segments[r, c]), []).append(cell)
    return [(segment, "".join(cells)) for segment, cells in sorted(paths.items())]


def _square(row: int, column: int, side: float) -> str:
    x, y = column + (1 - side) / 2, row + (1 - side) / 2
    return f"M{x:.3g} {y:.3g}h{side:.3g}v{side:.3g}h-{side:.3g}z"


def labels(picture: MapPicture) -> list[Label]:
    """Return a place within each segment, the nearest to its middle.

    A seam cuts segments: each piece that is large enough has its label.
    """
    pieces, middles = _pieces(picture), cells_of(picture).middles
    found, seen = [], set()
    numbers, sizes = np.unique(pieces, return_counts=True)
    for piece, size in sorted(zip(numbers, sizes, strict=True), key=lambda one: -one[1]):
        is_there = pieces == piece
        segment = int(picture.segments[is_there][0])
        if segment in seen and size < PIECE * pieces.size:
            continue
        seen.add(segment)
        places = middles[is_there]
        x, y = places[np.argmin(np.square(places - places.mean(axis=0)).sum(axis=1))]
        found.append(Label(segment, round(float(x), 3), round(float(y), 3)))
    return sorted(found, key=lambda label: label.segment)


def _pieces(picture: MapPicture) -> IntArray:
    """Return for each cell which piece of its segment it is on, as the map is drawn."""
    cells, segments = cells_of(picture), picture.segments
    pieces = np.arange(segments.size).reshape(segments.shape)
    while True:
        joined = pieces.copy()
        for side in range(cells.n_sides):
            rows, columns = cells.beyond(side)
            there = rows % cells.n_rows, columns % cells.n_columns
            same = cells.is_inside(rows, columns) & (segments[there] == segments)
            joined = np.where(same, np.minimum(joined, joined[there]), joined)
        if (joined == pieces).all():
            return pieces
        pieces = joined


def coarsened(picture: MapPicture) -> tuple[MapPicture, int]:
    """Return a picture that a page can hold, and how many units a side of a cell is.

    A cell has the mean of its units' values, the sum of their rows, and its first unit's segment;
    cells of several units are square, whatever the units are.
    """
    n_cells = picture.hits.size * (len(picture.planes) + 2)
    side = max(
        math.ceil(max(picture.hits.shape) / MAX_SIDE), math.ceil(math.sqrt(n_cells / MAX_CELLS))
    )
    if side == 1:
        return picture, 1
    rows, columns = (np.arange(0, length, side) for length in picture.hits.shape)

    def summed(values: NDArray[np.generic]) -> FloatArray:
        return np.add.reduceat(np.add.reduceat(values.astype(float), rows, 0), columns, 1)

    n_units = summed(np.ones(picture.hits.shape))
    coarse = replace(
        picture,
        distances=summed(picture.distances) / n_units,
        hits=summed(picture.hits).astype(np.int64),
        segments=picture.segments[::side, ::side],
        planes={name: summed(values) / n_units for name, values in picture.planes.items()},
        is_hexagonal=False,
    )
    return coarse, side
