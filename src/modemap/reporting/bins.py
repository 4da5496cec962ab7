"""The bins of a histogram: as wide as each other, over all but the tails of a column."""

import numpy as np
from numpy.typing import NDArray

from modemap.sketch import ColumnSketch

__all__ = ["N_BINS", "bin_edges"]

FloatArray = NDArray[np.float64]

N_BINS = 60  # about
ALIKE = 1e-9  # relative difference of values that are drawn as one
TAILS = 0.005  # share of the values on each side that may lie beyond the picture


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
