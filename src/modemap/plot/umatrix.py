"""The U-matrix: where neighbouring units are far apart, the map has a border."""

from typing import Any, Self

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from numpy.typing import ArrayLike

from modemap.estimators.umatrix import neighbor_distances
from modemap.plot.fitted import map_of
from modemap.plot.maps import UnitLayout, checked_plane
from modemap.plot.pictured import dead_units, draw_alone

__all__ = ["UMatrixDisplay"]


class UMatrixDisplay:
    """U-matrix: the mean distance from each unit to its neighbours.

    Dark regions are alike; bright lines between them are the borders of clusters.

    Parameters
    ----------
    distances : array-like of shape (n_rows, n_columns)
        In the unit of the codebook; NaN is a missing value.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        A toroidal map has a dashed edge.
    unit_counts : array-like of shape (n_rows, n_columns), optional
        Rows of each unit; units of 0 rows have a cross.
    unit : str, optional
        Of the distances, for the scale; by default what distances are in.

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

    Raises
    ------
    ValueError
        If an array has another shape or holds infinities, or the grid cannot lie so.

    References
    ----------
    A. Ultsch and H. P. Siemon, Kohonen's self organizing feature maps for exploratory data
    analysis, INNC 1990.

    Examples
    --------
    >>> UMatrixDisplay([[1.0, 2.0], [2.0, 4.0]]).topology
    'rectangular'
    """

    def __init__(
        self,
        distances: ArrayLike,
        *,
        topology: str = "rectangular",
        boundary: str = "planar",
        unit_counts: ArrayLike | None = None,
        unit: str | None = None,
    ) -> None:
        self.distances = distances
        self.topology = topology
        self.boundary = boundary
        self.unit_counts = unit_counts
        self.unit = unit

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: str | Colormap = "cividis",
        norm: Normalize | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : Axes, optional
            Those of a new figure by default.
        cmap : str or Colormap, default="cividis"
        norm : Normalize, optional
            From the least to the greatest distance by default.
        colorbar : bool, default=True
            Whether to draw the scale.

        Returns
        -------
        UMatrixDisplay
            The display itself.
        """
        distances = checked_plane("distances", self.distances)
        self.ax_, self.figure_, self.units_, self.colorbar_ = draw_alone(
            ax,
            distances,
            UnitLayout(self.topology, self.boundary),
            title="U-matrix",
            label=f"mean distance to neighbours\n({self.unit or 'unit of the columns'})",
            cmap=cmap,
            norm=norm,
            colorbar=colorbar,
            is_dead=dead_units(self.unit_counts, distances.shape),
        )
        return self

    @classmethod
    def from_estimator(
        cls, som: Any, *, unit: str | None = None, ax: Axes | None = None, **settings: Any
    ) -> Self:
        """Draw the U-matrix of a fitted map.

        Parameters
        ----------
        som : SelfOrganizingMap, or a classifier or regressor on one
            Fitted. Distances are Euclidean, whatever its metric.
        unit : str, optional
            Of the distances.
        ax : Axes, optional
            Those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        UMatrixDisplay

        Raises
        ------
        NotFittedError
            If the map is not fitted.
        ValueError
            If ``som`` is no map.
        """
        som = map_of(som)
        shape = (som.n_rows_, som.n_columns_)
        distances = neighbor_distances(
            som.codebook_, *shape, topology=som.topology, boundary=som.boundary
        )
        display = cls(
            distances,
            topology=som.topology,
            boundary=som.boundary,
            unit_counts=som.unit_counts_.reshape(shape),
            unit=unit,
        )
        return display.plot(ax, **settings)
