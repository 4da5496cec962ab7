"""How to turn one map so that the same rows lie in the same places as on another.

A map has no top and no left: training may end in any of its mirror images, with rows for columns,
and on a torus anywhere.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from modemap.reporting.cells import Cells
from modemap.reporting.story import MapPicture

__all__ = ["AlignedMaps", "Alignment", "Turn"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Values = TypeVar("Values", FloatArray, IntArray)

SIGNS = np.array([1, -1])
EVEN = 2  # hexagons keep their places where they move by two rows


@dataclass(frozen=True)
class Turn:
    """What is done to a drawn map: its rows and columns are moved on, mirrored, then exchanged."""

    agreement: float  # between the places of a row on both maps: 1 the same, 0 unrelated
    moved: tuple[int, int] = (0, 0)  # by so many rows and columns, across the seams
    mirrored: tuple[bool, bool] = (False, False)  # top with bottom, left with right
    is_transposed: bool = False

    def rolled(self, picture: MapPicture) -> MapPicture:
        """Return ``picture`` moved across its seams, which an SVG's transform cannot do."""

        def roll(values: Values) -> Values:
            return np.roll(values, self.moved, axis=(0, 1))

        return replace(
            picture,
            distances=roll(picture.distances),
            hits=roll(picture.hits),
            segments=roll(picture.segments),
            planes={name: roll(values) for name, values in picture.planes.items()},
        )

    def matrix(
        self, width: float, height: float
    ) -> tuple[float, float, float, float, float, float]:
        """Return the rest as the six numbers of an SVG's matrix, for a plane of that size."""
        y, x = (-1.0 if mirrored else 1.0 for mirrored in self.mirrored)
        right, down = (width if x < 0 else 0.0), (height if y < 0 else 0.0)
        return (0, x, y, 0, down, right) if self.is_transposed else (x, 0, 0, y, right, down)


@dataclass(frozen=True)
class AlignedMaps:
    """Two maps of the same rows."""

    first: MapPicture
    second: MapPicture  # moved across its seams already
    turn: Turn  # of the second


class Alignment:
    """Collects where rows lie on two maps and finds the :class:`Turn` of the second.

    Between maps with edges the places of rows agree by their correlation; where the second is a
    torus, by the length of the mean of their differences as angles (N. I. Fisher, Statistical
    Analysis of Circular Data, 1993).
    """

    def __init__(self, first: Cells, second: Cells, *, is_toroidal: bool) -> None:
        self._places = [_places(cells) for cells in (first, second)]
        self._second, self._is_toroidal = second, is_toroidal
        self._n = 0
        self._sums = np.zeros((2, 2))  # of places, by map and axis
        self._products = np.zeros((4, 4))  # of both maps' axes with each other
        self._angles = np.zeros((2, 2, 2), complex)  # sign, axis of the first, of the second

    def add(self, first: IntArray, second: IntArray) -> None:
        """Count rows by their units on both maps, each of shape (n_rows,)."""
        one, other = (
            places[units] for places, units in zip(self._places, (first, second), strict=True)
        )
        self._n += len(one)
        self._sums += [one.sum(axis=0), other.sum(axis=0)]
        both = np.hstack((one, other))
        self._products += both.T @ both
        turned = [np.exp(2j * np.pi * places) for places in (one, other)]
        self._angles += [turned[0].T @ turned[1].conj(), turned[0].T @ turned[1]]

    def turn(self) -> Turn:
        """Return what brings the second map nearest to the first."""
        found = self._angles / max(self._n, 1) if self._is_toroidal else self._correlations()
        best = np.abs(found).argmax(axis=0)  # sign for each pair of axes
        strength = np.abs(found).max(axis=0)
        is_transposed = bool(strength[[0, 1], [1, 0]].sum() > strength[[0, 1], [0, 1]].sum())
        firsts = [1, 0] if is_transposed else [0, 1]  # axis of the first for each of the second
        signs = SIGNS[best[firsts, [0, 1]]]
        moved = (0, 0)
        if self._is_toroidal:
            angles = np.angle(found[best[firsts, [0, 1]], firsts, [0, 1]]) / (2 * np.pi)
            moved = self._cells(signs * angles)
        agreement = float(strength[firsts, [0, 1]].mean())
        mirrored = bool(signs[0] < 0), bool(signs[1] < 0)
        return Turn(agreement, moved, mirrored, is_transposed)

    def _correlations(self) -> FloatArray:
        """Return the correlations of each axis with each, negative ones for the other sign."""
        n, means = max(self._n, 1), self._sums.ravel() / max(self._n, 1)
        covariances = self._products / n - np.outer(means, means)
        roots = np.sqrt(np.maximum(np.diagonal(covariances), 0))
        scales = np.outer(roots, roots)
        found = np.divide(covariances, scales, out=np.zeros((4, 4)), where=scales > 1e-9)  # noqa: PLR2004
        positive: FloatArray = np.maximum([found[:2, 2:], -found[:2, 2:]], 0)
        return positive

    def _cells(self, shares: FloatArray) -> tuple[int, int]:
        cells = self._second
        step = EVEN if cells.is_hexagonal else 1
        return (
            step * round(float(shares[0]) * cells.n_rows / step),
            round(float(shares[1]) * cells.n_columns),
        )


def _places(cells: Cells) -> FloatArray:
    """Return each unit's way from the map's middle, down and right, in shares of its period."""
    away = cells.middles.reshape(-1, 2) - np.array(cells.size) / 2
    return away[:, ::-1] / (cells.n_rows * cells.row_height, cells.n_columns)
