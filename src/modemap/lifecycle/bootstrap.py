"""The paired bootstrap: how far a mean difference over the test rows could be chance."""

import numpy as np
from numpy.typing import NDArray

from modemap.lifecycle.rules import Interval

__all__ = ["paired_bootstrap"]

N_SAMPLES = 1000
PERCENTS = (2.5, 97.5)
N_BLOCKS = 20_000  # more rows are averaged in this many blocks first, which are drawn like rows


def paired_bootstrap(candidate: NDArray[np.float64], champion: NDArray[np.float64]) -> Interval:
    """Return the mean of ``candidate - champion`` (n_rows,) and its 95 % interval.

    Rows are drawn with replacement and keep their pair, so what makes a row hard for both counts
    for neither. The same values give the same interval.

    References
    ----------
    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    differences = candidate - champion
    mean = float(np.mean(differences))
    if not np.isfinite(mean) or not differences.any():
        return Interval(mean, mean, mean)
    units = _averaged(differences)
    rng = np.random.default_rng(0)
    means = np.empty(N_SAMPLES)
    for sample in range(N_SAMPLES):
        means[sample] = units[rng.integers(len(units), size=len(units), dtype=np.int32)].mean()
    low, high = np.percentile(means, PERCENTS)
    return Interval(mean, float(low), float(high))


def _averaged(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(differences) <= N_BLOCKS:
        return differences
    starts = np.linspace(0, len(differences), N_BLOCKS, endpoint=False).astype(np.int64)
    shuffled = np.random.default_rng(1).permutation(differences)
    counts = np.diff(np.append(starts, len(differences)))
    return np.asarray(np.add.reduceat(shuffled, starts) / counts)
