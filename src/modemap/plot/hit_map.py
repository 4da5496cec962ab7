"""The hit map: how many rows each unit is the nearest to."""

from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.text import Text
from numpy.typing import ArrayLike

from modemap.estimators.umatrix import hit_map
from modemap.kernels import FloatArray, IntArray
from modemap.plot.colours import DARK
from modemap.plot.fitted import map_of
from modemap.plot.maps import UnitLayout, checked_plane
from modemap.plot.pictured import Drawn, dead_units, draw_alone

__all__ = ["HitMapDisplay"]

MOST_WRITTEN = 12  # units on a side of a map whose counts are written in
LONGEST = 4  # characters of a count that fit a cell
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue
LIGHT = 0.45  # above this luminance, text is dark


class HitMapDisplay:
    """Hit map: how many rows, or what weight of them, each unit is the nearest to.

    Parameters
    ----------
    unit_counts : array-like of shape (n_rows, n_columns)
        Rows of each unit, or their weight; units of 0 have a cross, NaN is a missing count.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        A toroidal map has a dashed edge.
    unit : str, default="rows"
        What was counted, for the scale.

    Attributes
    ----------
    ax_ : Axes
        The map's.
    figure_ : Figure
        Its figure.
    units_ : PolyCollection
        The cells, row by row.
    colorbar_ : Colorbar or None
        The scale.
    texts_ : list of Text
        The counts that are written in the cells.

    Raises
    ------
    ValueError
        If the array has another shape, holds infinities or negative counts, or the grid cannot lie
        so.

    Examples
    --------
    >>> HitMapDisplay([[3, 0], [1, 2]]).unit
    'rows'
    """

    def __init__(
        self,
        unit_counts: ArrayLike,
        *,
        topology: str = "rectangular",
        boundary: str = "planar",
        unit: str = "rows",
    ) -> None:
        self.unit_counts = unit_counts
        self.topology = topology
        self.boundary = boundary
        self.unit = unit

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: str | Colormap = "cividis",
        norm: Normalize | None = None,
        colorbar: bool = True,
        include_values: bool | None = None,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : Axes, optional
            Those of a new figure by default.
        cmap : str or Colormap, default="cividis"
        norm : Normalize, optional
            From 0 to the largest count by default.
        colorbar : bool, default=True
            Whether to draw the scale.
        include_values : bool, optional
            Whether to write counts in their cells; by default where they fit.

        Returns
        -------
        HitMapDisplay
            The display itself.
        """
        counts = checked_plane("unit_counts", self.unit_counts)
        largest = np.nanmax(counts) if np.isfinite(counts).any() else 0.0
        drawn = draw_alone(
            ax,
            counts,
            UnitLayout(self.topology, self.boundary),
            title="Hit map",
            label=f"{self.unit} of each unit",
            cmap=cmap,
            norm=Normalize(0.0, largest or 1.0) if norm is None else norm,
            colorbar=colorbar,
            is_dead=dead_units(counts, counts.shape),
        )
        self.ax_, self.figure_, self.units_, self.colorbar_ = drawn
        is_written = _fits(counts) if include_values is None else include_values
        self.texts_ = _written(drawn, counts, self._layout()) if is_written else []
        return self

    @classmethod
    def from_estimator(
        cls,
        som: Any,
        X: ArrayLike | None = None,
        *,
        unit: str | None = None,
        ax: Axes | None = None,
        **settings: Any,
    ) -> Self:
        """Draw how many rows each unit of a fitted map is the nearest to.

        Parameters
        ----------
        som : SelfOrganizingMap, or a classifier or regressor on one
            Fitted.
        X : array-like of shape (n_samples, n_features), optional
            The rows to count, scaled as the map's were; those of its training by default.
        unit : str, optional
            What is counted; by default ``"rows"``, or ``"weight"`` where the rows had weights.
        ax : Axes, optional
            Those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        HitMapDisplay

        Raises
        ------
        NotFittedError
            If the map is not fitted.
        ValueError
            If ``som`` is no map, or ``X`` is not of its columns.
        """
        som = map_of(som)
        if X is None:
            counts = som.unit_counts_.reshape(som.n_rows_, som.n_columns_)
        else:
            counts = hit_map(som.predict(X), som.n_rows_, som.n_columns_)
        layout = {"topology": som.topology, "boundary": som.boundary}
        return cls(counts, unit=unit or _counted(counts), **layout).plot(ax, **settings)

    @classmethod
    def from_predictions(
        cls,
        units: IntArray,
        n_rows: int,
        n_columns: int,
        *,
        topology: str = "rectangular",
        boundary: str = "planar",
        unit: str = "rows",
        ax: Axes | None = None,
        **settings: Any,
    ) -> Self:
        """Draw how often each unit is named.

        Parameters
        ----------
        units : ndarray of int, shape (n_samples,)
            As ``predict`` returns them.
        n_rows, n_columns : int
            The grid.
        topology, boundary, unit
            As the class takes them.
        ax : Axes, optional
            Those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        HitMapDisplay

        Raises
        ------
        ValueError
            If a unit is not on the map.
        """
        counts = hit_map(units, n_rows, n_columns)
        display = cls(counts, topology=topology, boundary=boundary, unit=unit)
        return display.plot(ax, **settings)

    def _layout(self) -> UnitLayout:
        return UnitLayout(self.topology, self.boundary)


def _counted(counts: FloatArray | IntArray) -> str:
    return "rows" if np.array_equal(counts, np.rint(counts)) else "weight"


def _fits(counts: FloatArray) -> bool:
    longest = max(len(_said(count)) for count in counts.ravel())
    return max(counts.shape) <= MOST_WRITTEN and longest <= LONGEST


def _said(count: float) -> str:
    return f"{count:.10g}" if count == np.rint(count) else f"{count:.3g}"


def _written(drawn: Drawn, counts: FloatArray, layout: UnitLayout) -> list[Text]:
    """Write the counts that are there and not 0, dark on light cells and light on dark ones."""
    middles = layout.cells(counts.shape).middles
    texts = []
    for place in np.argwhere(counts > 0):
        count = float(counts[tuple(place)])
        red_green_blue = drawn.units.to_rgba(np.array([count]))[0, :3]
        is_light = np.dot(LUMINANCE, red_green_blue) > LIGHT
        x, y = middles[tuple(place)]
        texts.append(
            drawn.ax.text(
                x,
                y,
                _said(count),
                color=DARK if is_light else "white",
                ha="center",
                va="center",
                fontsize="small",
                clip_on=True,
            )
        )
    return texts
