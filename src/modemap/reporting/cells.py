"""The cells of a drawn map: squares side by side, or hexagons whose every second row is shifted.

One unit of the plane is the distance between two cells of a row; x grows to the right, y downwards.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SQUARE = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
RADIUS = 1 / sqrt(3)  # of a hexagon, from its middle to a corner
HALF = ((0.0, -RADIUS), (0.5, -RADIUS / 2), (0.5, RADIUS / 2))
HEXAGON = HALF + tuple((-x, -y) for x, y in HALF)

# For each side, from the first corner to the second and so on round the cell, the neighbour beyond
# it: rows down and columns to the right, the latter in even rows and in odd ones.
BEYOND_SQUARE = ((-1, 0, 0), (0, 1, 1), (1, 0, 0), (0, -1, -1))
BEYOND_HEXAGON = ((-1, 0, 1), (0, 1, 1), (1, 0, 1), (1, -1, 0), (0, -1, -1), (-1, -1, 0))


@dataclass(frozen=True)
class Cells:
    """A grid of ``n_rows`` times ``n_columns`` cells on the plane."""

    n_rows: int
    n_columns: int
    is_hexagonal: bool = False

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The corners of a cell as seen from its middle, clockwise from the top."""
        return HEXAGON if self.is_hexagonal else SQUARE

    @property
    def row_height(self) -> float:
        """How far rows are apart."""
        return 1.5 * RADIUS if self.is_hexagonal else 1.0

    @property
    def top(self) -> float:
        """How far below the upper edge the first row's middle lies."""
        return RADIUS if self.is_hexagonal else 0.5

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole."""
        shift = 0.5 if self.is_hexagonal and self.n_rows > 1 else 0.0
        return self.n_columns + shift, (self.n_rows - 1) * self.row_height + 2 * self.top

    @property
    def middles(self) -> FloatArray:
        """The middle of each cell, x and y, (n_rows, n_columns, 2)."""
        rows, columns = np.indices((self.n_rows, self.n_columns))
        shift = rows % 2 / 2 if self.is_hexagonal else 0.0
        return np.stack((columns + 0.5 + shift, rows * self.row_height + self.top), axis=-1)

    @property
    def n_sides(self) -> int:
        """How many sides a cell has."""
        return len(self.corners)

    def beyond(self, side: int) -> tuple[IntArray, IntArray]:
        """Return row and column of what lies beyond that side of each cell, also off the grid.

        Beyond the sides from 1 to ``n_sides // 2`` lie cells of the same row or the next: every
        pair of neighbours once.
        """
        down, in_even, in_odd = (BEYOND_HEXAGON if self.is_hexagonal else BEYOND_SQUARE)[side]
        rows, columns = np.indices((self.n_rows, self.n_columns))
        return rows + down, columns + np.where(rows % 2, in_odd, in_even)

    def is_inside(self, rows: IntArray, columns: IntArray) -> NDArray[np.bool_]:
        """Return which of these places are on the grid."""
        return (rows >= 0) & (rows < self.n_rows) & (columns >= 0) & (columns < self.n_columns)

    def sides(self, side: int, where: NDArray[np.bool_]) -> list[str]:
        """Return that side of the cells ``where``, (n_rows, n_columns), as lines of an SVG."""
        start, end = self.corners[side], self.corners[(side + 1) % self.n_sides]
        return [
            f"M{_few(x + start[0])} {_few(y + start[1])}L{_few(x + end[0])} {_few(y + end[1])}"
            for x, y in self.middles[where]
        ]


def _few(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
