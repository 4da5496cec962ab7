"""The grid of a map: where its units lie on the plane, how far apart, and who neighbours whom.

Units are numbered row by row. On a hexagonal grid every second row is shifted by half a unit and
rows are sqrt(3) / 2 apart, so the six neighbours of a unit are all at distance 1. On a toroidal map
the last row continues in the first one and the last column in the first, and distances take the
shorter way round.
"""

from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray

__all__ = ["BOUNDARIES", "NEIGHBORHOODS", "TOPOLOGIES", "Grid", "Lattice", "strengths"]

TOPOLOGIES = ("rectangular", "hexagonal")
BOUNDARIES = ("planar", "toroidal")
NEIGHBORHOODS = ("gaussian", "bubble", "mexican_hat", "triangle")

ROW_HEIGHT = sqrt(3) / 2
WITHIN = 1.0 + 1e-12  # units at the very radius are within it
HALVES = 2  # steps of half a unit between two units of a row
DIAGONAL = 8  # neighbours of a unit, the diagonal ones among them


class Lattice(NamedTuple):
    """A grid as kernels read it: steps between two units by how far their indices are apart."""

    n_rows: int
    n_columns: int
    is_hexagonal: bool
    down: IntArray  # (2 * n_rows - 1,), steps from row to row, by index difference + n_rows - 1
    across: IntArray  # (3, 2 * n_columns - 1), by shift of the rows + 1 and index difference
    height: float  # length of a step down
    width: float  # length of a step across
    row: IntArray  # (n_units,), row of each unit: kernels divide by looking up


class Grid:
    """A grid of ``n_rows`` times ``n_columns`` units.

    Parameters
    ----------
    n_rows, n_columns : int
        Its sides, at least 1.
    topology : {"rectangular", "hexagonal"}
        How units are laid out.
    boundary : {"planar", "toroidal"}
        Whether it ends at its edges or continues at the opposite ones.

    Raises
    ------
    ValueError
        If a hexagonal torus has an odd number of rows: its last row would not fit its first.
    """

    def __init__(
        self,
        n_rows: int,
        n_columns: int,
        topology: str = "rectangular",
        boundary: str = "planar",
    ) -> None:
        self.n_rows, self.n_columns = n_rows, n_columns
        self.is_hexagonal = topology == "hexagonal"
        self.is_toroidal = boundary == "toroidal"
        if self.is_hexagonal and self.is_toroidal and n_rows % 2:
            raise ValueError(
                f"n_rows must be even on a hexagonal torus, whose rows alternate, got {n_rows}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.n_rows, self.n_columns

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.n_rows * self.n_columns

    @cached_property
    def positions(self) -> FloatArray:
        """Places of the units on the plane, (n_units, 2): down and across."""
        rows, columns = np.divmod(np.arange(self.n_units), self.n_columns)
        if not self.is_hexagonal:
            return np.column_stack((rows, columns)).astype(np.float64)
        return np.column_stack((rows * ROW_HEIGHT, columns + rows % 2 / 2))

    @cached_property
    def lattice(self) -> Lattice:
        """The same as steps between units."""
        down = np.abs(np.arange(1 - self.n_rows, self.n_rows))
        halves = 2 if self.is_hexagonal else 1
        across = halves * np.arange(1 - self.n_columns, self.n_columns)
        across = np.abs(across + np.arange(-1, 2)[:, np.newaxis] * self.is_hexagonal)
        if self.is_toroidal:
            down = np.minimum(down, self.n_rows - down)
            across = np.minimum(across, np.abs(halves * self.n_columns - across))
        height = ROW_HEIGHT if self.is_hexagonal else 1.0
        row = np.repeat(np.arange(self.n_rows), self.n_columns)
        return Lattice(*self.shape, self.is_hexagonal, down, across, height, 1.0 / halves, row)

    def axis(self, rows: bool) -> FloatArray:
        """Return distances along one axis of a rectangular grid, (n, n) for its n places."""
        n = self.n_rows if rows else self.n_columns
        places = np.arange(n)
        apart = np.abs(places[:, np.newaxis] - places)
        shortest: IntArray = np.minimum(apart, n - apart) if self.is_toroidal else apart
        return shortest.astype(np.float64)

    def distances(self, units: slice | IntArray = slice(None)) -> FloatArray:
        """Return distances on the plane from ``units`` to all units, (len(units), n_units)."""
        lattice, numbers = self.lattice, np.arange(self.n_units)
        rows, columns = np.divmod(numbers, self.n_columns)
        here_rows, here_columns = rows[units, np.newaxis], columns[units, np.newaxis]
        shift = (here_rows % 2 - rows % 2) * self.is_hexagonal
        down = lattice.down[here_rows - rows + self.n_rows - 1] * lattice.height
        across = lattice.across[shift + 1, here_columns - columns + self.n_columns - 1]
        distances: FloatArray = np.hypot(down, across * lattice.width)
        return distances

    def are_neighbors(self, one: IntArray, other: IntArray, n_neighbors: int) -> NDArray[np.bool_]:
        """Return whether units are neighbours or the same, pair by pair.

        On a rectangular grid a unit has 4 neighbours or, with the diagonal ones, 8; on a hexagonal
        grid 6, whatever ``n_neighbors`` says.
        """
        lattice = self.lattice
        (row, column), (other_row, other_column) = (
            np.divmod(units, self.n_columns) for units in (one, other)
        )
        shift = (row % 2 - other_row % 2) * self.is_hexagonal
        down = lattice.down[row - other_row + self.n_rows - 1]
        across = lattice.across[shift + 1, column - other_column + self.n_columns - 1]
        if self.is_hexagonal:  # across counts halves: (0, 2) beside and (1, 1) below are at 1
            near: NDArray[np.bool_] = (down + across <= HALVES) & (down <= 1)
        elif n_neighbors == DIAGONAL:
            near = np.maximum(down, across) <= 1
        else:
            near = down + across <= 1
        return near

    def edges(self, n_neighbors: int = 4) -> IntArray:
        """Return the pairs of neighbouring units, (n_edges, 2), the lower one first."""
        rows, columns = np.divmod(np.arange(self.n_units), self.n_columns)
        found = []
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                r, c = rows + down, columns + across
                if self.is_toroidal:
                    r, c = r % self.n_rows, c % self.n_columns
                there = (r >= 0) & (r < self.n_rows) & (c >= 0) & (c < self.n_columns)
                one, other = np.arange(self.n_units)[there], (r * self.n_columns + c)[there]
                ordered = one < other
                one, other = one[ordered], other[ordered]
                near = self.are_neighbors(one, other, n_neighbors)
                found.append(np.column_stack((one[near], other[near])))
        return np.unique(np.concatenate(found), axis=0)


def strengths(distances: FloatArray, radius: float, neighborhood: str) -> FloatArray:
    """Return how strongly units at these distances learn from each other.

    ``"gaussian"`` falls as ``exp(-distance ** 2 / (2 * radius ** 2))``; ``"mexican_hat"`` is that
    times ``1 - distance ** 2 / radius ** 2``, so that farther units are pushed away; ``"bubble"``
    is 1 up to ``radius`` and 0 beyond; ``"triangle"`` falls evenly to 0 at ``radius``.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        ratios = distances / radius
        if neighborhood == "bubble":
            return (ratios <= WITHIN).astype(np.float64)
        if neighborhood == "triangle":
            return np.maximum(0.0, 1.0 - ratios)
        squares = np.square(ratios)
        strength: FloatArray = np.exp(-0.5 * squares)
        if neighborhood == "mexican_hat":
            strength = np.where(strength > 0, strength * (1.0 - squares), 0.0)
    return strength
