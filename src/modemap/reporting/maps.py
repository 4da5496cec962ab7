"""Maps as the paths of an SVG: one unit of the grid is one unit of the drawing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modemap.reporting.story import MapPicture

__all__ = [
    "N_LEVELS",
    "Label",
    "Plane",
    "borders",
    "coarsened",
    "labels",
    "plane",
    "ridges",
    "squares",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_LEVELS = 16
MAX_SIDE = 64  # more units than this on a side are drawn together
FILL = 0.92  # of its cell that the fullest unit's square takes


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


def plane(values: FloatArray) -> Plane:
    """Return the cells of each level of ``values``, shape (n_rows, n_columns), by rank.

    Every level has about as many cells, so a few extreme units do not leave the rest in one colour.
    """
    ordered = np.unique(values)
    ranks = np.searchsorted(np.sort(values, axis=None), values, side="right") / values.size
    levels = np.minimum((ranks * N_LEVELS).astype(int), N_LEVELS - 1)
    return _plane(values, levels if len(ordered) > 1 else np.zeros_like(levels))


def ridges(values: FloatArray) -> Plane:
    """Return the cells of each level of ``values``, which are not negative, by logarithm."""
    smallest = values[values > 0].min(initial=np.inf)
    logs = np.log(np.maximum(values, smallest if np.isfinite(smallest) else 1.0))
    spread = float(np.ptp(logs)) or 1.0
    return _plane(values, np.minimum((logs - logs.min()) / spread * N_LEVELS, N_LEVELS - 1))


def _plane(values: FloatArray, levels: NDArray[np.generic]) -> Plane:
    paths: dict[int, list[str]] = {}
    for r, c, length, level in _runs(levels.astype(int)):
        paths.setdefault(level, []).append(f"M{c} {r}h{length}v1h-{length}z")
    drawn = [(level, "".join(cells)) for level, cells in sorted(paths.items())]
    return Plane(drawn, float(values.min()), float(np.median(values)), float(values.max()))


def _runs(levels: IntArray) -> Iterator[tuple[int, int, int, int]]:
    """Yield row, first column, length and level of each run of equal cells."""
    for r, row in enumerate(levels):
        starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))
        for c, end in zip(starts, [*starts[1:], len(row)], strict=True):
            yield r, int(c), int(end - c), int(row[c])


def borders(segments: IntArray) -> str:
    """Return the lines between units of different segments."""
    below = np.argwhere(segments[:-1] != segments[1:])
    beside = np.argwhere(segments[:, :-1] != segments[:, 1:])
    lines = [f"M{c} {r + 1}h1" for r, c in below] + [f"M{c + 1} {r}v1" for r, c in beside]
    return "".join(lines)


def squares(hits: IntArray, segments: IntArray) -> list[tuple[int, str]]:
    """Return for each segment its units as squares, their areas in proportion to the rows."""
    sides = FILL * np.sqrt(hits / max(int(hits.max()), 1))
    paths: dict[int, list[str]] = {}
    for (r, c), side in np.ndenumerate(sides):
        if side > 0:
            x, y = c + (1 - side) / 2, r + (1 - side) / 2
            square = f"M{x:.3g} {y:.3g}h{side:.3g}v{side:.3g}h-{side:.3g}z"
            paths.setdefault(int(segments[r, c]), []).append(square)
    return [(segment, "".join(cells)) for segment, cells in sorted(paths.items())]


def labels(segments: IntArray) -> list[Label]:
    """Return a place within each segment, the nearest to its middle."""
    found = []
    for segment in np.unique(segments):
        cells = np.argwhere(segments == segment)
        r, c = cells[np.argmin(np.square(cells - cells.mean(axis=0)).sum(axis=1))]
        found.append(Label(int(segment), c + 0.5, r + 0.5))
    return found


def coarsened(picture: MapPicture) -> tuple[MapPicture, int]:
    """Return a picture of at most MAX_SIDE cells on a side, and how many units a side of a cell is.

    A cell has the mean of its units' values, the sum of their rows, and its first unit's segment.
    """
    side = -(-max(picture.hits.shape) // MAX_SIDE)
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
    )
    return coarse, side
