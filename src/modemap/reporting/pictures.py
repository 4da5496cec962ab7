"""Pictures of training and of models as PNG files, the same bytes for the same numbers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from modemap.reporting.cells import Cells

__all__ = [
    "Points",
    "draw_calibration",
    "draw_component_planes",
    "draw_curves",
    "draw_fronts",
    "draw_map",
    "draw_modes",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Counts = tuple[FloatArray, IntArray]  # values, and how often each occurs

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"  # told apart by colour-blind eyes too
COLUMNS_PER_ROW = 3
MOST_NAMED = 12  # columns in a legend
N_BINS = 120


def draw_curves(path: Path, curves: Mapping[str, Sequence[float]], xlabel: str) -> None:
    """Draw each curve over 1, 2, … in a panel of its own."""
    with _panels(path, len(curves), 1) as panels:
        for axes, (name, values) in zip(panels, curves.items(), strict=True):
            axes.plot(np.arange(1, len(values) + 1), values, color=BLUE)
            axes.set_ylabel(name)
            axes.set_xlabel(xlabel)
            axes.grid(alpha=0.3)


def draw_map(path: Path, planes: Mapping[str, FloatArray]) -> None:
    """Draw values of units, each of shape (n_rows, n_columns), as maps side by side."""
    draw_component_planes(path, planes, n_columns=len(planes))


def draw_component_planes(
    path: Path,
    planes: Mapping[str, FloatArray],
    n_columns: int = COLUMNS_PER_ROW,
    *,
    is_hexagonal: bool = False,
) -> None:
    """Draw one map for each column: its value in the codebook, shape (n_rows, n_columns)."""
    draw = _hexagons if is_hexagonal else _squares
    with _panels(path, -(-len(planes) // n_columns), n_columns) as panels:
        for axes, (name, plane) in zip(panels, planes.items(), strict=False):
            image = draw(axes, plane)
            axes.set_title(name)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.figure.colorbar(image, ax=axes, fraction=0.046)
        for axes in panels[len(planes) :]:
            axes.set_axis_off()


def _squares(axes: Axes, plane: FloatArray) -> AxesImage:
    return axes.imshow(plane, cmap="viridis", interpolation="nearest")


def _hexagons(axes: Axes, plane: FloatArray) -> PolyCollection:
    n_rows, n_columns = plane.shape
    cells = Cells(n_rows, n_columns, is_hexagonal=True)
    corners = cells.middles.reshape(-1, 1, 2) + np.array(cells.corners)
    hexagons = PolyCollection(
        list(corners), array=plane.ravel(), cmap="viridis", edgecolors="face", linewidths=0.6
    )
    axes.add_collection(hexagons)
    width, height = cells.size
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    return hexagons


def draw_modes(path: Path, columns: Mapping[str, tuple[Counts, FloatArray]]) -> None:
    """Draw the histogram of each column's values with the means of its modes, shape (n_modes,)."""
    with _panels(path, -(-len(columns) // COLUMNS_PER_ROW), COLUMNS_PER_ROW) as panels:
        for axes, (name, ((values, counts), means)) in zip(panels, columns.items(), strict=False):
            axes.hist(values, bins=N_BINS, weights=counts, color=GREY, log=True)
            for mean in means:
                axes.axvline(mean, color=ORANGE, linewidth=1)
            axes.set_title(f"{name}: {len(means)} modes")
        for axes in panels[len(columns) :]:
            axes.set_axis_off()


def draw_calibration(path: Path, transforms: Mapping[str, Counts]) -> None:
    """Draw the share of rows below each predicted share, one line for each column.

    Predicted shares are rising. Where columns are many, only the farthest from perfect are named.
    """
    curves = {name: _observed(*counts) for name, counts in transforms.items()}
    far = {name: float(np.abs(x - y).max()) for name, (x, y) in curves.items()}
    named = sorted(far, key=lambda name: -far[name])[:MOST_NAMED]
    with _panels(path, 1, 1) as (axes,):
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfect")
        for name, curve in curves.items():
            axes.plot(*curve, label=name if name in named else None)
        axes.set_xlabel("predicted share of rows below")
        axes.set_ylabel("observed share")
        axes.legend(fontsize="small")


def _observed(places: FloatArray, counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the curve through all rows in their order: tied ones are a step of two points."""
    steps = np.cumsum(counts)
    ends = np.column_stack((steps - counts, steps - 1)).ravel()
    return np.repeat(places, 2), ends / max(int(steps[-1]) - 1, 1)


@dataclass(frozen=True)
class Points:
    """Points of a plane, (n,) each; those of the front are joined, the present and best marked."""

    xlabel: str
    ylabel: str
    x: FloatArray
    y: FloatArray
    is_front: NDArray[np.bool_]
    present: tuple[float, float]
    best: tuple[float, float] | None


def draw_fronts(path: Path, panels: Sequence[Points]) -> None:
    """Draw trials in the planes of their objectives, side by side."""
    with _panels(path, 1, len(panels)) as drawn:
        for axes, points in zip(drawn, panels, strict=True):
            axes.scatter(points.x, points.y, color=GREY, s=16, label="trials")
            order = np.argsort(points.x[points.is_front], kind="stable")
            front = (points.x[points.is_front][order], points.y[points.is_front][order])
            axes.plot(*front, color=BLUE, marker="o", markersize=4, linewidth=1, label="front")
            axes.plot(*points.present, color="black", marker="x", linestyle="", label="present")
            if points.best is not None:
                axes.plot(
                    *points.best,
                    color=ORANGE,
                    marker="*",
                    markersize=12,
                    linestyle="",
                    label="best",
                )
            axes.set_xlabel(points.xlabel)
            axes.set_ylabel(points.ylabel)
            axes.grid(alpha=0.3)
            axes.legend(fontsize="small")


@contextmanager
def _panels(path: Path, n_rows: int, n_columns: int) -> Iterator[list[Axes]]:
    figure = Figure(figsize=(4.2 * n_columns, 3.2 * n_rows), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    yield list(figure.subplots(n_rows, n_columns, squeeze=False).ravel())
    figure.savefig(path, format="png", metadata={"Software": None})
