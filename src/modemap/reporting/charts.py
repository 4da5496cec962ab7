"""Histograms as the paths of an SVG of WIDTH by HEIGHT, and trends as small ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modemap.reporting.story import Histogram

__all__ = ["HEIGHT", "TREND", "WIDTH", "Chart", "Tick", "chart", "ticks", "trend"]

WIDTH, HEIGHT = 360.0, 120.0
TREND = (120.0, 24.0)  # width and height
ROOM = 1.06  # above the highest bar
N_TICKS = 4  # about
ALIKE = 1e-12  # relative difference that rounding makes


@dataclass(frozen=True)
class Tick:
    """A mark on the axis."""

    x: float
    value: float


@dataclass(frozen=True)
class Chart:
    """A histogram, the curve its mixture expects, and its modes."""

    bars: str
    curve: str
    modes: list[tuple[float, float, float]]  # x of mean, and one std to each side; drawn ones only
    ticks: list[Tick]


def chart(histogram: Histogram) -> Chart:
    """Return the drawing of ``histogram``."""
    edges = histogram.edges
    low, width = float(edges[0]), float(edges[-1] - edges[0])
    top = ROOM * max(float(histogram.counts.max()), float(histogram.expected.max()), 1.0)

    def across(value: float) -> float:
        return float(np.clip((value - low) / width, 0, 1)) * WIDTH

    left = [across(edge) for edge in edges]
    bars = "".join(
        f"M{x:.1f} {HEIGHT:g}V{HEIGHT * (1 - n / top):.1f}H{right:.1f}V{HEIGHT:g}z"
        for x, right, n in zip(left[:-1], left[1:], histogram.counts, strict=True)
        if n
    )
    middles = [
        f"{(x + right) / 2:.1f} {HEIGHT * (1 - n / top):.1f}"
        for x, right, n in zip(left[:-1], left[1:], histogram.expected, strict=True)
    ]
    drawn = [mode for mode in histogram.modes if low <= mode.mean <= low + width]
    modes = [
        (across(mode.mean), across(mode.mean - mode.std), across(mode.mean + mode.std))
        for mode in drawn
    ]
    marks = [Tick(across(value), value) for value in ticks(low, low + width)]
    return Chart(bars, f"M{'L'.join(middles)}", modes, marks)


def ticks(low: float, high: float) -> list[float]:
    """Return round values between ``low`` and ``high``; ``low`` itself if there is no room."""
    if high - low <= ALIKE * max(abs(low), abs(high)):
        return [low]
    raw = (high - low) / N_TICKS
    scale = 10.0 ** np.floor(np.log10(raw))
    step = scale * next(factor for factor in (1, 2, 5, 10) if factor * scale >= raw * 0.999)
    first = np.ceil(low / step)
    return [float(n * step) for n in np.arange(first, np.floor(high / step) + 1)]


def trend(values: Sequence[float]) -> str:
    """Return the path through ``values``, one or more, from zero at the foot; the last is last."""
    width, height = TREND
    top = ROOM * max(*values, 0.0) or 1.0
    step = width / max(1, len(values) - 1)
    points = [f"{i * step:.1f} {height * (1 - value / top):.1f}" for i, value in enumerate(values)]
    return f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else "")
