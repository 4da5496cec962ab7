"""How a fit went, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from modemap.estimators import BayesianGaussianMixture
from modemap.kernels import FloatArray
from modemap.plot.colours import BLUE
from modemap.plot.fitted import map_of
from modemap.plot.panels import figure_of, panel_axes

__all__ = ["TrainingDisplay"]

SIZE = (5.0, 1.9)  # inches of a panel
LABELS = {
    "quantization_error": "quantization error\n(unit of the columns)",
    "topographic_error": "topographic error\n(share of rows)",
    "radius": "radius\n(units of the grid)",
    "lower_bound": "lower bound\n(nats)",
}
OF_MAPS = ("quantization_error", "topographic_error", "radius")
FEW_POINTS = 30  # of a curve that are marked


class TrainingDisplay:
    """Training: a curve over the epochs for each quantity, one above the other.

    Parameters
    ----------
    history : mapping of str to array-like of shape (n_iter,)
        The quantities in the order they are drawn; NaN leaves a gap.
    step : str, default="epoch"
        What the horizontal axis counts, from 1.

    Attributes
    ----------
    axes_ : ndarray of Axes, shape (n_quantities,)
        One for each quantity.
    figure_ : Figure
        Their figure.
    lines_ : list of Line2D
        The curves.

    Raises
    ------
    ValueError
        If there is no quantity, or one has no entry or another number of them than the first.

    Examples
    --------
    >>> list(TrainingDisplay({"radius": [2.0, 1.0]}).history)
    ['radius']
    """

    def __init__(self, history: Mapping[str, ArrayLike], *, step: str = "epoch") -> None:
        self.history = history
        self.step = step

    def plot(self, axes: Any = None, *, color: str = BLUE) -> Self:
        """Draw the curves.

        Parameters
        ----------
        axes : array-like of Axes, shape (n_quantities,), optional
            Those of a new figure by default.
        color : str, default="#0072b2"
            Of the curves.

        Returns
        -------
        TrainingDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``axes`` are not one for each quantity.
        """
        curves = _checked(self.history)
        panels, is_new = panel_axes(axes, len(curves), 1, SIZE)
        self.axes_ = np.array(panels, dtype=object)
        self.figure_ = figure_of(panels[0])
        self.lines_ = []
        for ax, (name, values) in zip(panels, curves.items(), strict=True):
            steps = np.arange(1, len(values) + 1)
            marker = "o" if len(values) <= FEW_POINTS else None
            self.lines_ += ax.plot(steps, values, color=color, marker=marker, markersize=3.5)
            ax.set_ylabel(LABELS.get(name, name.replace("_", " ")))
            ax.set_xlim(0.5, len(values) + 0.5)
            ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
            ax.grid(alpha=0.3)
            ax.spines[["top", "right"]].set_visible(False)
        _label(panels, self.step, is_stacked=is_new)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: Any = None, **settings: Any) -> Self:
        """Draw how a fit went.

        Parameters
        ----------
        estimator : SelfOrganizingMap, a classifier or regressor on one, or BayesianGaussianMixture
            Fitted. Of a map quantization error, topographic error and radius after each epoch are
            drawn, of a mixture the lower bound after each iteration.
        axes : array-like of Axes, optional
            Three for a map, one for a mixture; those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        TrainingDisplay

        Raises
        ------
        NotFittedError
            If it is not fitted.
        ValueError
            If it is none of these.
        """
        if isinstance(estimator, BayesianGaussianMixture):
            check_is_fitted(estimator)
            return cls({"lower_bound": estimator.lower_bounds_}, step="iteration").plot(
                axes, **settings
            )
        som = map_of(estimator)
        return cls({name: som.history_[name] for name in OF_MAPS}).plot(axes, **settings)


def _checked(history: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    curves = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    if not curves:
        raise ValueError("history must hold at least one quantity, got none")
    shapes = {name: values.shape for name, values in curves.items()}
    first = next(iter(curves.values()))
    if first.ndim != 1 or not first.size or len(set(shapes.values())) > 1:
        raise ValueError(f"history must hold one entry for each epoch, got shapes {shapes}")
    return curves


def _label(panels: Sequence[Axes], step: str, *, is_stacked: bool) -> None:
    """Name the horizontal axis: once of panels above each other, else on each."""
    for ax in panels[-1:] if is_stacked else panels:
        ax.set_xlabel(step)
    if is_stacked:
        for ax in panels[:-1]:
            ax.tick_params(labelbottom=False)
