"""The shape of each column: a histogram of its values beside what its modes expect."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.normalizer import ModeNormalizer
from modemap.reporting.story import Histogram, Mode

__all__ = ["bin_edges", "histograms"]

FloatArray = NDArray[np.float64]

N_BINS = 60  # about
ALIKE = 1e-9  # relative difference of values that are drawn as one
TAILS = 0.5  # percent of the values on each side that may lie beyond the picture


def histograms(
    X: FloatArray, columns: Sequence[str], normalizer: ModeNormalizer
) -> list[Histogram]:
    """Return a histogram of each column of ``X``, (n_rows, n_columns), with its modes."""
    edges = [bin_edges(x, decimals) for x, decimals in zip(X.T, normalizer.decimals_, strict=True)]
    longest = max(map(len, edges))
    padded = np.column_stack([np.pad(e, (0, longest - len(e)), mode="edge") for e in edges])
    shares = normalizer.cdf_columns(padded)
    drawn = []
    for j, (name, modes) in enumerate(zip(columns, normalizer.modes(), strict=True)):
        x, own = X[:, j], edges[j]
        counts, _ = np.histogram(x, own)
        drawn.append(
            Histogram(
                column=name,
                edges=own,
                counts=counts,
                expected=len(x) * np.diff(shares[: len(own), j]),
                modes=sorted(
                    (Mode(mode["weight"], mode["mean"], mode["std"]) for mode in modes),
                    key=lambda mode: mode.mean,
                ),
                below=int(np.sum(x < own[0])),
                above=int(np.sum(x > own[-1])),
                low=float(x.min()),
                high=float(x.max()),
            )
        )
    return drawn


def bin_edges(x: FloatArray, decimals: int | None) -> FloatArray:
    """Return edges of equal bins over all but the tails of ``x``.

    Where ``decimals`` write the values exactly, a bin holds a whole number of possible values: else
    neighbouring bins hold now one more, now one less, and the picture shows a comb.
    """
    low, high = np.percentile(x, (TAILS, 100 - TAILS))
    step = 10.0**-decimals if decimals is not None else 0.0
    if high - low <= ALIKE * abs(low):
        room = max(0.5, ALIKE * abs(low))
        low, high = low - room, high + room
    if step and (high - low) / N_BINS > step / 8:
        width = step * np.ceil((high - low) / step / N_BINS)
        low = np.floor(low / step) * step - step / 2
        return np.asarray(low + width * np.arange(np.ceil((high - low) / width) + 1))
    return np.linspace(low, high, N_BINS + 1)
