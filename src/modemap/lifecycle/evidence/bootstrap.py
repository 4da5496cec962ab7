"""The paired bootstrap: how far a mean difference over the test rows could be chance."""

import numpy as np
from numpy.typing import NDArray

from modemap.lifecycle.rules import Interval

__all__ = ["PairedBootstrap"]

N_SAMPLES = 1000
PERCENTS = (2.5, 97.5)
N_BLOCKS = 20_000  # more rows are averaged in this many blocks first, which are drawn like rows


class PairedBootstrap:
    """The mean of ``candidate - champion`` over rows that come in parts, and its 95 % interval.

    Rows are drawn with replacement and keep their pair, so what makes a row hard for both counts
    for neither. The same values give the same interval, however they were cut into parts.

    References
    ----------
    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """

    def __init__(self) -> None:
        self._sums, self._counts = np.zeros(N_BLOCKS), np.zeros(N_BLOCKS, np.int64)
        self._turn = np.arange(N_BLOCKS)  # the blocks that the next rows go to, one each
        self._n_rows, self._is_equal = 0, True
        self._rng = np.random.default_rng(1)

    def add(self, candidate: NDArray[np.float64], champion: NDArray[np.float64]) -> None:
        """Take in the numbers of the next rows, both (n_rows,)."""
        differences = candidate - champion
        self._is_equal &= not differences.any()
        start = 0
        while start < len(differences):
            place = self._n_rows % N_BLOCKS
            part = differences[start : start + N_BLOCKS - place]
            blocks = self._turn[place : place + len(part)]
            self._sums[blocks] += part
            self._counts[blocks] += 1
            self._n_rows += len(part)
            start += len(part)
            if self._n_rows % N_BLOCKS == 0:
                self._turn = self._rng.permutation(N_BLOCKS)

    def interval(self) -> Interval:
        """Return the mean difference and its interval; the mean alone where it is not finite."""
        mean = float(np.sum(self._sums) / self._n_rows) if self._n_rows else float("nan")
        if not np.isfinite(mean) or self._is_equal:
            return Interval(mean, mean, mean)
        filled = self._counts > 0
        units = self._sums[filled] / self._counts[filled]
        rng = np.random.default_rng(0)
        means = np.empty(N_SAMPLES)
        for sample in range(N_SAMPLES):
            means[sample] = units[rng.integers(len(units), size=len(units), dtype=np.int32)].mean()
        low, high = np.percentile(means, PERCENTS)
        return Interval(mean, float(low), float(high))
