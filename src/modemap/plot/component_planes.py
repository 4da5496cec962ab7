"""Component planes: each column's value in every unit, one map for each column."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from modemap.estimators.umatrix import component_planes
from modemap.kernels import FloatArray
from modemap.plot.fitted import map_of
from modemap.plot.maps import UnitLayout, draw_units, is_long, note, scale_of
from modemap.plot.names import checked_names, chosen, names_of, shortened
from modemap.plot.panels import FEW, figure_of, panel_axes, panel_columns
from modemap.plot.pictured import dead_units, draw_scale

__all__ = ["ComponentPlanesDisplay"]

PLANES = 3  # axes of an array of planes
ALONE, LARGE, SMALL = 4.2, 3.0, 1.7  # inches of a panel: a single one, of few, of many
LONGEST = {True: 28, False: 18}  # characters of a title, of few panels and of many


class ComponentPlanesDisplay:
    """Component planes: the value of each column in every unit.

    Parameters
    ----------
    planes : array-like of shape (n_features, n_rows, n_columns)
        Values of each column; NaN is a missing one.
    names : sequence of str, optional
        Of the columns; ``x0``, ``x1`` and so on by default.
    units : mapping of str to str, optional
        Unit of the columns that have one, by name.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        A toroidal map has dashed edges.
    unit_counts : array-like of shape (n_rows, n_columns), optional
        Rows of each unit; units of 0 rows have a cross.

    Attributes
    ----------
    axes_ : ndarray of Axes, shape (n_features,)
        One for each column.
    figure_ : Figure
        Their figure.
    units_ : list of PolyCollection
        The cells of each column, row by row.
    colorbars_ : list of Colorbar
        The scales.

    Raises
    ------
    ValueError
        If an array has another shape or holds infinities, names are too few or too many, or the
        grid cannot lie so.

    Examples
    --------
    >>> ComponentPlanesDisplay([[[1.0, 2.0]]], names=["delay"], units={"delay": "min"}).names
    ['delay']
    """

    def __init__(
        self,
        planes: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        topology: str = "rectangular",
        boundary: str = "planar",
        unit_counts: ArrayLike | None = None,
    ) -> None:
        self.planes = planes
        self.names = names
        self.units = units
        self.topology = topology
        self.boundary = boundary
        self.unit_counts = unit_counts

    def plot(
        self,
        axes: Any = None,
        *,
        n_columns: int | None = None,
        cmap: str | Colormap = "viridis",
        norm: Normalize | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the planes.

        Parameters
        ----------
        axes : array-like of Axes, shape (n_features,), optional
            Those of a new figure by default.
        n_columns : int, optional
            Panels side by side on a new figure.
        cmap : str or Colormap, default="viridis"
        norm : Normalize, optional
            One scale for all columns; by default each has its own, from its least to its greatest
            value.
        colorbar : bool, default=True
            Whether to draw the scales.

        Returns
        -------
        ComponentPlanesDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``axes`` are not one for each column.
        """
        planes = _checked(self.planes)
        names = checked_names(self.names, len(planes))
        layout = UnitLayout(self.topology, self.boundary)
        is_dead = dead_units(self.unit_counts, planes.shape[1:])
        panels, is_new = _panels(axes, planes, layout, n_columns)
        self.axes_ = np.array(panels, dtype=object)
        self.figure_ = figure_of(panels[0])
        self.units_, self.colorbars_ = [], []
        is_few = len(planes) <= FEW
        for ax, name, plane in zip(panels, names, planes, strict=True):
            scale = scale_of(plane) if norm is None else norm
            cells = draw_units(
                ax, plane, layout, cmap=cmap, norm=scale, is_dead=is_dead, ticks=False
            )
            ax.set_title(shortened(name, LONGEST[is_few]), fontsize="medium" if is_few else 8)
            self.units_.append(cells)
            if colorbar:
                below = is_long(layout.cells(plane.shape))
                bar = draw_scale(ax, cells, is_below=below, label=(self.units or {}).get(name, ""))
                bar.locator = MaxNLocator(5 if is_few else 3)
                bar.ax.tick_params(labelsize=9 if is_few else 6, length=2)
                bar.update_ticks()
                self.colorbars_.append(bar)
        marks = note(
            layout,
            has_dead=is_dead is not None and bool(is_dead.any()),
            has_missing=bool(np.isnan(planes).any()),
            joint="\n" if len(planes) == 1 or not is_new else "; ",
        )
        if marks:
            self._tell(marks, is_new=is_new)
        return self

    @classmethod
    def from_estimator(
        cls,
        som: Any,
        *,
        columns: Sequence[str | int] | None = None,
        names: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        scaler: Any = None,
        axes: Any = None,
        **settings: Any,
    ) -> Self:
        """Draw the component planes of a fitted map.

        Parameters
        ----------
        som : SelfOrganizingMap, or a classifier or regressor on one
            Fitted.
        columns : sequence of str or int, optional
            Names or numbers of the columns to draw; all by default.
        names : sequence of str, optional
            Of all columns; by default those the map saw in ``fit``, else ``x0`` and so on.
        units : mapping of str to str, optional
            Unit of the columns that have one, by name.
        scaler : transformer, optional
            What scaled the rows before the map saw them: by its ``inverse_transform`` the planes
            are in the columns' own units.
        axes : array-like of Axes, optional
            One for each column drawn; those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        ComponentPlanesDisplay

        Raises
        ------
        NotFittedError
            If the map is not fitted.
        ValueError
            If ``som`` is no map, names are too few or too many, or a column is not there.
        """
        som = map_of(som)
        codebook: FloatArray = som.codebook_
        if scaler is not None:
            codebook = np.asarray(scaler.inverse_transform(codebook), dtype=np.float64)
        shape = (som.n_rows_, som.n_columns_)
        named = names_of(som, names, codebook.shape[1])
        places = chosen(columns, named)
        display = cls(
            component_planes(codebook, *shape)[places],
            names=[named[place] for place in places],
            units=units,
            topology=som.topology,
            boundary=som.boundary,
            unit_counts=som.unit_counts_.reshape(shape),
        )
        return display.plot(axes, **settings)

    def _tell(self, marks: str, *, is_new: bool) -> None:
        """Write what the marks mean, below the new figure or the last of the axes given."""
        if is_new:
            self.figure_.supxlabel(marks, fontsize="small")
        else:
            self.axes_[-1].set_xlabel(marks, fontsize="small")


def _checked(planes: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(planes, dtype=np.float64)
    if found.ndim != PLANES or not found.size:
        raise ValueError(
            f"planes must have shape (n_features, n_rows, n_columns), got {found.shape}"
        )
    if np.isinf(found).any():
        raise ValueError(f"planes must hold no infinity, got {found[np.isinf(found)][0]}")
    return found


def _panels(
    axes: Any, planes: FloatArray, layout: UnitLayout, n_columns: int | None
) -> tuple[list[Axes], bool]:
    """Return axes, those of a new figure as wide and high as a map with its scale needs."""
    cells = layout.cells(planes.shape[1:])
    width, height = cells.size
    side = ALONE if len(planes) == 1 else LARGE if len(planes) <= FEW else SMALL
    if is_long(cells):  # title, scale and its numbers take as much as the map
        size = (1.4 * side, 1.4 * side * height / width + (1.0 if side > SMALL else 0.7))
    else:
        size = (
            side * max(min(width / height, 1.0), 0.5) + 0.5,
            side * min(height / width, 1.0) + 0.3,
        )
    ratio = size[0] / size[1]
    return panel_axes(axes, len(planes), panel_columns(len(planes), n_columns, ratio), size)
