"""A single map with its scale, its title and what its marks mean."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure, SubFigure
from numpy.typing import ArrayLike, NDArray

from modemap.kernels import FloatArray
from modemap.plot.maps import UnitLayout, checked_plane, draw_units, is_long, note, size_of
from modemap.plot.panels import figure_of, single_axes

__all__ = ["Drawn", "dead_units", "draw_alone", "draw_scale"]


class Drawn(NamedTuple):
    """What was drawn of a map."""

    ax: Axes
    figure: Figure | SubFigure
    units: PolyCollection
    colorbar: Colorbar | None


def dead_units(counts: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return which units have no rows, (n_rows, n_columns); None where rows were not counted.

    Raises
    ------
    ValueError
        If ``counts`` has another shape than the map, or one is negative.
    """
    if counts is None:
        return None
    found = checked_plane("unit_counts", counts)
    if found.shape != shape:
        raise ValueError(f"unit_counts must have the shape of the map, {shape}, got {found.shape}")
    if (found < 0).any():
        raise ValueError(f"unit_counts must be >= 0, got {found.min()}")
    return np.asarray(found == 0)


def draw_alone(
    ax: Axes | None,
    values: FloatArray,
    layout: UnitLayout,
    *,
    title: str,
    label: str,
    cmap: str | Colormap,
    norm: Normalize | None,
    colorbar: bool,
    is_dead: NDArray[np.bool_] | None,
) -> Drawn:
    """Draw one map with its title and, if asked for, its scale with ``label``."""
    cells = layout.cells(values.shape)
    ax = single_axes(ax, size_of(cells))
    units = draw_units(ax, values, layout, cmap=cmap, norm=norm, is_dead=is_dead)
    ax.set_title(title)
    marks = note(
        layout,
        has_dead=is_dead is not None and bool(is_dead.any()),
        has_missing=bool(np.isnan(values).any()),
    )
    ax.set_xlabel("column" + (f"\n{marks}" if marks else ""))
    ax.set_ylabel("row")
    bar = draw_scale(ax, units, is_below=is_long(cells), label=label) if colorbar else None
    return Drawn(ax, figure_of(ax), units, bar)


def draw_scale(ax: Axes, units: PolyCollection, *, is_below: bool, label: str) -> Colorbar:
    """Draw the colours of the units beside the map, or below it."""
    bar = figure_of(ax).colorbar(
        units,
        ax=ax,
        label=label,
        location="bottom" if is_below else "right",
        pad=0.02,
        aspect=40 if is_below else 20,
    )
    bar.outline.set_visible(False)
    return bar
