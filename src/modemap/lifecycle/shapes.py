"""The shape of each column: a histogram of its values beside what its modes expect."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.normalizer import ModeNormalizer
from modemap.reporting.story import Histogram, Mode
from modemap.sketch import ColumnSketch

__all__ = ["bin_edges", "histograms"]

FloatArray = NDArray[np.float64]

N_BINS = 60  # about
ALIKE = 1e-9  # relative difference of values that are drawn as one
TAILS = 0.005  # share of the values on each side that may lie beyond the picture


def histograms(
    sketches: Sequence[ColumnSketch], columns: Sequence[str], normalizer: ModeNormalizer
) -> list[Histogram]:
    """Return the histogram of each column with its modes, over all rows that its sketch counted."""
    edges = [bin_edges(s, d) for s, d in zip(sketches, normalizer.decimals_, strict=True)]
    longest = max(map(len, edges))
    padded = np.column_stack([np.pad(e, (0, longest - len(e)), mode="edge") for e in edges])
    shares = normalizer.cdf_columns(padded)
    drawn = []
    for j, (name, modes) in enumerate(zip(columns, normalizer.modes(), strict=True)):
        sketch, own = sketches[j], edges[j]
        below, *counts, above = sketch.histogram(own).tolist()
        drawn.append(
            Histogram(
                column=name,
                edges=own,
                counts=np.array(counts),
                expected=sketch.n * np.diff(shares[: len(own), j]),
                modes=sorted(
                    (Mode(mode["weight"], mode["mean"], mode["std"]) for mode in modes),
                    key=lambda mode: mode.mean,
                ),
                below=below,
                above=above,
                low=sketch.min,
                high=sketch.max,
            )
        )
    return drawn


def bin_edges(sketch: ColumnSketch, decimals: int | None) -> FloatArray:
    """Return edges of equal bins over all but the tails of a column.

    Where ``decimals`` write the values exactly, a bin holds a whole number of possible values: else
    neighbouring bins hold now one more, now one less, and the picture shows a comb.
    """
    low, high = sketch.quantiles((TAILS, 1 - TAILS)).tolist()
    step = 10.0**-decimals if decimals is not None else 0.0
    if high - low <= ALIKE * abs(low):
        room = max(0.5, ALIKE * abs(low))
        low, high = low - room, high + room
    if step and (high - low) / N_BINS > step / 8:
        width = step * np.ceil((high - low) / step / N_BINS)
        low = np.floor(low / step) * step - step / 2
        return np.asarray(low + width * np.arange(np.ceil((high - low) / width) + 1))
    return np.linspace(low, high, N_BINS + 1)
