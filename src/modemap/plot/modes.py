"""The modes of columns over the histogram of their values."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from scipy.special import ndtr
from sklearn.utils.validation import check_is_fitted

from modemap.estimators import BayesianGaussianMixture, ModeNormalizer
from modemap.estimators.checks import check_number
from modemap.estimators.columns import columns_of
from modemap.estimators.encoding import learned_decimals
from modemap.kernels import FloatArray
from modemap.plot.colours import DARK, PALE, SERIES
from modemap.plot.names import checked_names, chosen, names_of, shortened
from modemap.plot.panels import FEW, figure_of, panel_axes, panel_columns
from modemap.reporting.bins import bin_edges
from modemap.sketch import ColumnSketch

__all__ = ["ColumnDensity", "ModesDisplay"]

LARGE, SMALL = (4.2, 2.9), (2.3, 1.5)  # inches of a panel, of few and of many
LONGEST = {True: 36, False: 20}  # characters of a title, of few panels and of many
MOST_NAMED = 8  # modes in a legend
PER_BIN = 6  # points of a curve


class ColumnDensity(NamedTuple):
    """A column's histogram and the modes of its mixture, in the column's own unit."""

    edges: FloatArray  # (n_bins + 1,), rising
    counts: FloatArray  # (n_bins,), rows in each bin
    n: float  # rows with a value, those beyond the edges among them
    weights: FloatArray  # (n_modes,), shares of the mixture
    means: FloatArray  # (n_modes,)
    stds: FloatArray  # (n_modes,)

    @property
    def heights(self) -> FloatArray:
        """Density of the rows in each bin, (n_bins,), in 1 over the unit."""
        found: FloatArray = self.counts / (self.n * np.diff(self.edges))
        return found

    def curves(self) -> tuple[FloatArray, FloatArray]:
        """Return places (n_points,), and there the density of each mode, (n_modes, n_points).

        A density is the mean over a bin's width about the place, as the histogram's is: modes
        narrower than a bin stay comparable with it.
        """
        n_points = PER_BIN * len(self.counts) + 1
        x = np.linspace(self.edges[0], self.edges[-1], n_points)
        half = (self.edges[1] - self.edges[0]) / 2
        means, stds = self.means[:, np.newaxis], self.stds[:, np.newaxis]
        shares = ndtr((x + half - means) / stds) - ndtr((x - half - means) / stds)
        return x, self.weights[:, np.newaxis] * shares / (2 * half)


class ModesDisplay:
    """Modes: the histogram of each column, and over it the density of each of its modes.

    Parameters
    ----------
    columns : sequence of ColumnDensity
        One for each column; a tuple of the same fields will do.
    names : sequence of str, optional
        Of the columns; ``x0``, ``x1`` and so on by default.
    units : mapping of str to str, optional
        Unit of the columns that have one, by name.

    Attributes
    ----------
    axes_ : ndarray of Axes, shape (n_columns,)
        One for each column.
    figure_ : Figure
        Their figure.
    bars_ : list of StepPatch
        The histograms.
    lines_ : list of list of Line2D
        Of each column the curves of its modes.

    Raises
    ------
    ValueError
        If there is no column, names are too few or too many, or arrays do not fit each other.

    References
    ----------
    L. Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019.

    Examples
    --------
    >>> column = ([0.0, 1.0, 2.0], [3, 1], 4, [1.0], [0.5], [0.4])
    >>> ModesDisplay([column], names=["delay"]).names
    ['delay']
    """

    def __init__(
        self,
        columns: Sequence[ColumnDensity | tuple[Any, ...]],
        *,
        names: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
    ) -> None:
        self.columns = columns
        self.names = names
        self.units = units

    def plot(
        self,
        axes: Any = None,
        *,
        n_columns: int | None = None,
        log: bool = False,
        legend: bool | None = None,
    ) -> Self:
        """Draw the histograms and modes.

        Parameters
        ----------
        axes : array-like of Axes, shape (n_columns,), optional
            Those of a new figure by default.
        n_columns : int, optional
            Panels side by side on a new figure.
        log : bool, default=False
            Whether the density's axis is logarithmic: rare values are seen then.
        legend : bool, optional
            Whether to write weight, mean and standard deviation of each mode; by default where
            columns and modes are few.

        Returns
        -------
        ModesDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``axes`` are not one for each column.
        """
        columns = [_checked(column) for column in self.columns]
        if not columns:
            raise ValueError("columns must hold at least one column, got none")
        names = checked_names(self.names, len(columns))
        is_few = len(columns) <= FEW
        size = LARGE if is_few else SMALL
        side = panel_columns(len(columns), n_columns, size[0] / size[1])
        panels, _ = panel_axes(axes, len(columns), side, size)
        self.axes_ = np.array(panels, dtype=object)
        self.figure_ = figure_of(panels[0])
        self.bars_, self.lines_ = [], []
        for ax, name, column in zip(panels, names, columns, strict=True):
            bars, lines = _draw(ax, column, log=log)
            self.bars_.append(bars)
            self.lines_.append(lines)
            unit = (self.units or {}).get(name, "")
            _frame(ax, name, unit, column, is_few=is_few)
            if is_few and len(lines) <= MOST_NAMED if legend is None else legend:
                ax.legend(handles=lines, fontsize="x-small", frameon=False)
        if not is_few:
            self.figure_.supylabel("density (1 / unit of the column)", fontsize="small")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        columns: Sequence[str | int] | None = None,
        names: Sequence[str] | None = None,
        units: Mapping[str, str] | None = None,
        min_weight: float = 0.005,
        axes: Any = None,
        **settings: Any,
    ) -> Self:
        """Draw the modes of a fitted model over the histograms of ``X``.

        Parameters
        ----------
        estimator : ModeNormalizer or BayesianGaussianMixture
            Fitted. Of a normaliser those modes are drawn that take values, of a mixture of several
            columns the margins of its components.
        X : array-like, frame, table, ColumnSketch or sequence of ColumnSketch
            Rows of shape (n_samples, n_features), in the unit of the fit, or sketches of all their
            columns; NaN is left out.
        columns : sequence of str or int, optional
            Names or numbers of the columns to draw; all by default.
        names : sequence of str, optional
            Of all columns; by default those seen in ``fit``, else ``x0`` and so on.
        units : mapping of str to str, optional
            Unit of the columns that have one, by name.
        min_weight : float, default=0.005
            Lighter components of a mixture are not drawn.
        axes : array-like of Axes, optional
            One for each column drawn; those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        ModesDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it is none of the two, ``X`` has another number of columns, or one without values.
        """
        modes = _modes_of(estimator, min_weight)
        sketches = _sketches(X)
        if len(sketches) != len(modes):
            raise ValueError(f"X must have {len(modes)} columns, got {len(sketches)}")
        named = names_of(estimator, names, len(modes))
        places = chosen(columns, named)
        found = [_counted(sketches[place], modes[place], named[place]) for place in places]
        display = cls(found, names=[named[place] for place in places], units=units)
        return display.plot(axes, **settings)


def _modes_of(estimator: Any, min_weight: float) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return weights, means and standard deviations of the modes of each column."""
    if isinstance(estimator, ModeNormalizer):
        parts = ("weight", "mean", "std")
        return [
            tuple(np.array([mode[part] for mode in column]) for part in parts)  # type: ignore[misc]
            for column in estimator.modes()
        ]
    if isinstance(estimator, BayesianGaussianMixture):
        check_is_fitted(estimator)
        weights = estimator.weights_
        is_drawn = (weights >= check_number("min_weight", min_weight, 0, 1)) | (
            weights == weights.max()
        )
        stds = _stds(estimator)
        return [
            (weights[is_drawn], means[is_drawn], stds[is_drawn, j])
            for j, means in enumerate(estimator.means_.T)
        ]
    raise ValueError(
        "estimator must be a ModeNormalizer or BayesianGaussianMixture, "
        f"got {type(estimator).__name__}"
    )


def _stds(mixture: BayesianGaussianMixture) -> FloatArray:
    """Return the standard deviation of each component in each column, whatever its covariances."""
    shape, covariances = mixture.means_.shape, mixture.covariances_
    if mixture.covariance_type == "full":
        variances = np.diagonal(covariances, axis1=1, axis2=2)
    elif mixture.covariance_type == "tied":
        variances = np.diagonal(covariances)
    elif mixture.covariance_type == "spherical":
        variances = covariances[:, np.newaxis]
    else:
        variances = covariances
    return np.sqrt(np.broadcast_to(variances, shape))


def _sketches(X: Any) -> list[ColumnSketch]:
    if isinstance(X, ColumnSketch):
        return [X]
    if isinstance(X, list | tuple) and X and isinstance(X[0], ColumnSketch):
        return list(X)
    columns = columns_of(X)
    if columns is not None:
        return [ColumnSketch().update(array) for array in columns.arrays]
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2:  # noqa: PLR2004
        raise ValueError(f"X must have shape (n_samples, n_features), got {rows.shape}")
    return [ColumnSketch().update(column) for column in rows.T]


def _counted(
    sketch: ColumnSketch, modes: tuple[FloatArray, FloatArray, FloatArray], name: str
) -> ColumnDensity:
    if not sketch.n:
        raise ValueError(f"each column of X must hold a value, got none in {name}")
    values, _ = sketch.values_and_counts()
    edges = bin_edges(sketch, learned_decimals(values) if sketch.is_exact else None)
    counts = sketch.histogram(edges)[1:-1].astype(np.float64)
    return ColumnDensity(edges, counts, sketch.n, *modes)


def _checked(column: ColumnDensity | tuple[Any, ...]) -> ColumnDensity:
    edges, counts, n, *modes = column
    arrays = [np.asarray(part, dtype=np.float64) for part in (edges, counts, *modes)]
    found = ColumnDensity(arrays[0], arrays[1], float(n), *arrays[2:])
    if len(found.edges) != len(found.counts) + 1 or not (np.diff(found.edges) > 0).all():
        raise ValueError(
            "edges must rise and be one more than counts, "
            f"got {len(found.edges)} edges of {len(found.counts)} counts"
        )
    lengths = [len(part) for part in arrays[2:]]
    if len(set(lengths)) > 1:
        raise ValueError(f"weights, means and stds must be of one length, got {lengths}")
    if not (found.stds > 0).all():
        raise ValueError(f"stds must be > 0, got {found.stds.min()}")
    return found


def _draw(ax: Axes, column: ColumnDensity, *, log: bool) -> tuple[Any, list[Any]]:
    """Draw the histogram, each mode, and all of them together."""
    bars = ax.stairs(column.heights, column.edges, fill=True, color=PALE, gid="histogram")
    x, curves = column.curves()
    lines = []
    for number, (curve, weight, mean, std) in enumerate(
        zip(curves, column.weights, column.means, column.stds, strict=True)
    ):
        color = SERIES[number % len(SERIES)]
        style = "-" if number < len(SERIES) else "--"
        label = f"{100 * weight:.3g} %: {mean:.4g} ± {std:.3g}"
        lines += ax.plot(x, curve, color=color, linestyle=style, linewidth=1.4, label=label)
        if not log:
            ax.fill_between(x, curve, color=color, alpha=0.18, linewidth=0)
    if len(curves) > 1:
        ax.plot(x, curves.sum(axis=0), color=DARK, linewidth=0.9, linestyle=":", gid="mixture")
    if log:
        least = 0.5 / (column.n * np.diff(column.edges).max())  # half a row in a bin
        ax.set_yscale("log")
        ax.set_ylim(bottom=least)
    else:
        ax.set_ylim(bottom=0)
    return bars, lines


def _frame(ax: Axes, name: str, unit: str, column: ColumnDensity, *, is_few: bool) -> None:
    ax.set_xlim(column.edges[0], column.edges[-1])
    ax.set_title(shortened(name, LONGEST[is_few]), fontsize="medium" if is_few else 8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(unit, fontsize="medium" if is_few else 7)
    if is_few:
        ax.set_ylabel(f"density (1 / {unit or 'unit'})")
    else:
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(which="both", labelsize=6, left=False, labelleft=False)
