"""Population stability of counts in two samples: how far they differ, and whether by chance.

The effect is the population stability index, the sum of ``(q - p) log(q / p)`` over bins. Whether
chance explains it is asked of the same bins by the likelihood ratio, whose tail the chi-square
distribution follows where the index's own does not: docs/drift.md has the measurements.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri, xlogy

from modemap.kernels.arrays import FloatArray, IntArray

__all__ = ["LEAST_EXPECTED", "N_BINS", "Stability", "binned", "compare", "gathered", "is_drift"]

N_BINS = 20  # of the reference's rows, about as many in each
LEAST_EXPECTED = 10  # rows that a bin must expect of the smaller sample
SMOOTHING = 0.5  # added to each count of the index, which knows no empty bin


@dataclass(frozen=True)
class Stability:
    """Two samples side by side.

    Attributes
    ----------
    index : float
        Population stability index; its unit is nats.
    jensen_shannon : float
        Divergence of both shares from their middle, in bits: 0 of equal ones, 1 at most.
    p_value : float
        Of a likelihood ratio at least as large where both samples are of one population.
    statistic : float
        The likelihood ratio after Williams, beside a chi-square of ``n_bins - 1`` degrees.
    n_bins, n_reference, n : int
    """

    index: float
    jensen_shannon: float
    p_value: float
    statistic: float
    n_bins: int
    n_reference: int
    n: int

    @property
    def by_chance(self) -> float:
        """The index that samples of one population have on average."""
        return (self.n_bins - 1) * (1 / max(self.n_reference, 1) + 1 / max(self.n, 1))

    @property
    def psi(self) -> float:
        """The index of the populations: what chance adds on average is taken off."""
        return max(self.index - self.by_chance, 0.0)

    def threshold(self, level: float) -> float:
        """Return the :attr:`psi` that is just significant at ``level``, going the same way."""
        bound = float(chdtri(self.n_bins - 1, level))
        if self.statistic > 0 and self.index > 0:
            return max(self.index * bound / self.statistic - self.by_chance, 0.0)
        return bound * (1 / self.n_reference + 1 / self.n) - self.by_chance


def binned(reference: IntArray) -> IntArray:
    """Return the bin of each rising cell: about N_BINS of equal shares of the reference.

    A cell without rows at either end stays a bin of its own, until :func:`gathered` joins it.
    """
    middles = np.cumsum(reference) - reference / 2
    bins = np.minimum(np.floor(N_BINS * middles / max(reference.sum(), 1)), N_BINS - 1)
    if len(reference) > 1:
        bins[0] -= reference[0] == 0
        bins[-1] += reference[-1] == 0
    return np.asarray(bins - bins[0], np.int64)


def gathered(reference: IntArray, current: IntArray) -> IntArray:
    """Return groups of neighbouring bins, each expecting LEAST_EXPECTED rows of either sample.

    What both samples hold together decides, so that chance alone prefers neither of them.
    """
    n_reference, n = int(reference.sum()), int(current.sum())
    share = min(n_reference, n) / max(n_reference + n, 1)
    groups, group, expected = np.zeros(len(reference), np.int64), 0, 0.0
    for i, together in enumerate(reference + current):
        groups[i] = group
        expected += float(together) * share
        if expected >= LEAST_EXPECTED:
            group, expected = group + 1, 0.0
    return np.minimum(groups, max(group - 1, 0))


def compare(reference: IntArray, current: IntArray) -> Stability:
    """Compare counts of the same bins, (n_bins,), of which none is empty in both."""
    n_reference, n, n_bins = int(reference.sum()), int(current.sum()), len(reference)
    p, q = _smoothed(reference), _smoothed(current)
    statistic = _likelihood_ratio(reference, current)
    return Stability(
        index=float(max(np.sum((q - p) * np.log(q / p)), 0.0)),
        jensen_shannon=_jensen_shannon(reference / n_reference, current / n),
        p_value=float(chdtrc(n_bins - 1, statistic)) if n_bins > 1 else 1.0,
        statistic=statistic,
        n_bins=n_bins,
        n_reference=n_reference,
        n=n,
    )


def is_drift(found: Stability, level: float, min_effect: float) -> bool:
    """Tell whether a difference is significant at ``level`` and at least ``min_effect`` large."""
    return found.p_value <= level and found.psi >= min_effect


def _smoothed(counts: IntArray) -> FloatArray:
    return np.asarray((counts + SMOOTHING) / (counts.sum() + SMOOTHING * len(counts)))


def _jensen_shannon(p: FloatArray, q: FloatArray) -> float:
    middle = (p + q) / 2
    nats = np.sum(xlogy(p, p) + xlogy(q, q)) / 2 - np.sum(xlogy(middle, middle))
    return float(max(nats, 0.0) / np.log(2))


def _likelihood_ratio(reference: IntArray, current: IntArray) -> float:
    """Return G of a table of two rows, divided by Williams' correction."""
    a, b = reference.astype(np.float64), current.astype(np.float64)
    n, m, both = a.sum(), b.sum(), a + b
    total = n + m
    within = np.sum(xlogy(a, a / both) + xlogy(b, b / both))
    raw = 2 * (within - xlogy(n, n / total) - xlogy(m, m / total))
    if len(a) == 1:
        return 0.0
    spread = (total / n + total / m - 1) * (np.sum(total / both) - 1)
    return float(max(raw, 0.0) / (1 + spread / (6 * total * (len(a) - 1))))
