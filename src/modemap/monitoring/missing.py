"""The share of missing values: exact where few are missing, by likelihood ratio elsewhere."""

from dataclasses import replace

import numpy as np
from scipy.stats import hypergeom

from modemap.monitoring.stability import LEAST_EXPECTED, Stability, compare

__all__ = ["compare_missing"]


def compare_missing(
    n_missing_reference: int, n_reference: int, n_missing: int, n: int
) -> Stability:
    """Compare the shares of rows without a value.

    Where one of the two answers expects fewer than LEAST_EXPECTED rows, Fisher's exact test says
    how probable the difference is, twice the smaller tail.
    """
    reference = np.array([n_missing_reference, n_reference - n_missing_reference], np.int64)
    current = np.array([n_missing, n - n_missing], np.int64)
    together = reference + current
    if not together.all():
        return Stability(0.0, 0.0, 1.0, 0.0, 1, n_reference, n)
    found = compare(reference, current)
    if together.min() * min(n_reference, n) / (n_reference + n) >= LEAST_EXPECTED:
        return found
    rare = int(np.argmin(together))
    tails = hypergeom(n_reference + n, n, together[rare])
    tail = min(tails.cdf(current[rare]), tails.sf(current[rare] - 1))
    return replace(found, p_value=float(min(2 * tail, 1.0)))
