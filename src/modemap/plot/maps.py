"""One map of units on axes: a square or hexagon for each, seams, missing values, dead units."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, Normalize
from numpy.typing import ArrayLike, NDArray

from modemap.estimators.checks import check_choice
from modemap.kernels import BOUNDARIES, TOPOLOGIES, FloatArray, Grid
from modemap.plot.colours import DARK, GREY, MISSING
from modemap.reporting.cells import Cells

__all__ = ["UnitLayout", "checked_plane", "draw_units", "note", "outline", "scale_of", "size_of"]

PLANE = 2  # axes of an array over the grid
ROOM = 0.2  # around the map, in columns
MOST_TICKS = 8
EDGE = 0.4  # width of the line that closes the gap between cells, in points
ARM, HALF = 0.26, 0.07  # length and half the width of the arms of a dead unit's cross, in columns
CORNER = ((HALF, 0.0), (ARM, ARM - HALF), (ARM - HALF, ARM), (0.0, HALF))  # of its first quarter
RIM, MANY = (
    0.5,
    20,
)  # of it, in points, on a map of so many units on its longer side, thinner on more
LONG = 2.5  # a map so many times as wide as high has its scale below
INCHES = 4.4  # the longer side of a map on a figure of its own
THINNEST = 1.0


@dataclass(frozen=True)
class UnitLayout:
    """How units lie on the plane.

    Parameters
    ----------
    topology : {"rectangular", "hexagonal"}
    boundary : {"planar", "toroidal"}

    Raises
    ------
    ValueError
        If one of them is none of these.
    """

    topology: str
    boundary: str

    def __post_init__(self) -> None:
        check_choice("topology", self.topology, TOPOLOGIES)
        check_choice("boundary", self.boundary, BOUNDARIES)

    @property
    def is_toroidal(self) -> bool:
        """Whether opposite edges join."""
        return self.boundary == "toroidal"

    def cells(self, shape: tuple[int, ...]) -> Cells:
        """Return the cells of a map of this shape, (n_rows, n_columns)."""
        Grid(shape[0], shape[1], self.topology, self.boundary)  # refuses what does not fit
        return Cells(shape[0], shape[1], self.topology == "hexagonal")


def checked_plane(name: str, values: ArrayLike) -> FloatArray:
    """Return values over the grid as numbers, (n_rows, n_columns); NaN is a missing one.

    Raises
    ------
    ValueError
        If the shape is another, or a value is infinite.
    """
    plane = np.asarray(values, dtype=np.float64)
    if plane.ndim != PLANE or not plane.size:
        raise ValueError(f"{name} must have shape (n_rows, n_columns), got {plane.shape}")
    if np.isinf(plane).any():
        raise ValueError(f"{name} must hold no infinity, got {plane[np.isinf(plane)][0]}")
    return plane


def size_of(cells: Cells) -> tuple[float, float]:
    """Return the inches of a figure for one map with its scale."""
    width, height = cells.size
    inch = INCHES / max(width, height)
    wide, high = max(inch * width, THINNEST), max(inch * height, THINNEST)
    if is_long(cells):
        return wide, high + 1.3
    return max(wide + 1.6, 3.4), max(high, 2.6) + 0.8


def is_long(cells: Cells) -> bool:
    """Tell whether the map is so wide that its scale lies below it."""
    width, height = cells.size
    return width > LONG * height


def scale_of(planes: FloatArray) -> Normalize:
    """Return the scale from the least to the greatest value, NaN aside; 0 to 1 of none."""
    present = planes[np.isfinite(planes)]
    return Normalize(*((present.min(), present.max()) if present.size else (0.0, 1.0)))


def draw_units(
    ax: Axes,
    values: FloatArray,
    layout: UnitLayout,
    *,
    cmap: str | Colormap,
    norm: Normalize | None = None,
    is_dead: NDArray[np.bool_] | None = None,
    ticks: bool = True,
) -> PolyCollection:
    """Draw a cell for each unit in the colour of its value.

    Units without a value are grey and hatched, those that are dead, (n_rows, n_columns), have a
    cross, and the edge of a torus is dashed.
    """
    cells = layout.cells(values.shape)
    polygons = _polygons(cells)
    colours = colormaps[cmap] if isinstance(cmap, str) else cmap
    units = PolyCollection(
        list(polygons),
        array=np.ma.masked_invalid(values.ravel()),
        cmap=colours.with_extremes(bad=MISSING),
        norm=scale_of(values) if norm is None else norm,
        edgecolors="face",
        linewidths=EDGE,
        gid="units",
    )
    ax.add_collection(units)
    _hatch(ax, polygons[np.isnan(values.ravel())])
    if is_dead is not None:
        _cross(ax, cells.middles[is_dead], RIM * min(1.0, MANY / max(values.shape)))
    if layout.is_toroidal:
        edge = outline(cells)
        ax.plot(
            *edge.T, color=DARK, linestyle=(0, (4, 3)), linewidth=1.3, clip_on=False, gid="seam"
        )
    _frame(ax, cells, ticks=ticks)
    return units


def note(layout: UnitLayout, *, has_dead: bool, has_missing: bool, joint: str = "\n") -> str:
    """Return what the marks on a map mean, those of them that are there."""
    said = []
    if layout.is_toroidal:
        said.append("dashed edge: goes on at the opposite one")
    if has_dead:
        said.append("cross: no rows")
    if has_missing:
        said.append("hatched: no value")
    return joint.join(said)


def outline(cells: Cells) -> FloatArray:
    """Return the closed line around all cells, x and y, (n_points, 2)."""
    following = {}
    for side in range(cells.n_sides):
        at_edge = ~cells.is_inside(*cells.beyond(side))
        corners = np.array([cells.corners[side], cells.corners[(side + 1) % cells.n_sides]])
        for start, end in np.round(cells.middles[at_edge][:, np.newaxis] + corners, 6).tolist():
            following[tuple(start)] = tuple(end)
    first = place = next(iter(following))
    line = [first]
    while (place := following[place]) != first:
        line.append(place)
    return np.array([*line, first])


def _polygons(cells: Cells) -> FloatArray:
    """Return the corners of each cell, (n_units, n_sides, 2), row by row."""
    found: FloatArray = cells.middles.reshape(-1, 1, 2) + np.array(cells.corners)
    return found


def _hatch(ax: Axes, polygons: FloatArray) -> None:
    if len(polygons):
        ax.add_collection(
            PolyCollection(
                list(polygons),
                facecolors="none",
                edgecolors=GREY,
                linewidths=0.0,
                hatch="////",
                gid="missing",
            )
        )


def _cross(ax: Axes, middles: FloatArray, rim: float) -> None:
    """Draw a cross that grows with its cell, light and with a dark rim: seen on every colour."""
    if len(middles):
        turns = (((1, 0), (0, 1)), ((0, -1), (1, 0)), ((-1, 0), (0, -1)), ((0, 1), (-1, 0)))
        shape = np.concatenate([np.array(CORNER) @ np.array(turn).T for turn in turns])
        ax.add_collection(
            PolyCollection(
                list(middles[:, np.newaxis] + shape),
                facecolors="white",
                edgecolors=DARK,
                linewidths=rim,
                gid="dead",
            )
        )


def _frame(ax: Axes, cells: Cells, *, ticks: bool) -> None:
    width, height = cells.size
    ax.set(xlim=(-ROOM, width + ROOM), ylim=(height + ROOM, -ROOM), aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    columns = _few(cells.n_columns) if ticks else []
    rows = _few(cells.n_rows) if ticks else []
    ax.set_xticks(cells.middles[0, columns, 0], list(map(str, columns)))
    ax.set_yticks(cells.middles[rows, 0, 1], list(map(str, rows)))


def _few(length: int) -> list[int]:
    """Return the numbers of some rows or columns, evenly spaced from 0."""
    step = next(
        factor * 10**power
        for power in range(7)
        for factor in (1, 2, 5)
        if length <= factor * 10**power * MOST_TICKS
    )
    return list(range(0, length, step))
