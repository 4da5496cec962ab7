"""Axes to draw on: those given, or a new figure's."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from modemap.estimators.checks import check_integer

__all__ = ["FEW", "figure_of", "panel_axes", "panel_columns", "single_axes"]

FEW = 6  # panels that have room for titles and scales of the usual size


def figure_of(ax: Axes) -> Figure | SubFigure:
    """Return the figure that axes lie on."""
    figure = ax.figure
    assert figure is not None  # noqa: S101  (for the type checker)
    return figure


def single_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``size``, in inches."""
    if ax is not None:
        return ax
    _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def panel_columns(n_panels: int, n_columns: int | None, ratio: float = 1.0) -> int:
    """Return how many panels lie side by side: as asked, or for a page about as wide as high.

    ``ratio`` is a panel's width over its height.
    """
    if n_columns is not None:
        return min(check_integer("n_columns", n_columns, 1), n_panels)
    return min(max(1, ceil(sqrt(1.3 * n_panels / ratio))), n_panels)


def panel_axes(
    axes: Any, n_panels: int, n_columns: int, size: tuple[float, float]
) -> tuple[list[Axes], bool]:
    """Return axes for ``n_panels``, and whether their figure is new; a panel has ``size`` inches.

    Raises
    ------
    ValueError
        If axes are given, but not one for each panel.
    """
    if axes is not None:
        given: Sequence[Axes] = np.asarray(axes, dtype=object).ravel().tolist()
        if len(given) != n_panels:
            raise ValueError(f"axes must be one for each of {n_panels} panels, got {len(given)}")
        return list(given), False
    n_rows = ceil(n_panels / n_columns)
    figure, grid = plt.subplots(
        n_rows,
        n_columns,
        figsize=(size[0] * n_columns, size[1] * n_rows),
        squeeze=False,
        layout="constrained",
    )
    found = list(grid.ravel())
    for unused in found[n_panels:]:
        figure.delaxes(unused)
    return found[:n_panels], True
