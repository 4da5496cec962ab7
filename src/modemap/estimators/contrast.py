"""How far the values of one group lie above or below all others, by ranks alone."""

import numpy as np
from scipy.stats import rankdata

from modemap.kernels import FloatArray, IntArray

__all__ = ["cliffs_delta"]


def cliffs_delta(values: FloatArray, groups: IntArray, n_groups: int) -> FloatArray:
    """Cliff's delta of each group against all other values.

    It is the chance that a value of the group is larger than one of the others, minus the chance
    that it is smaller: 1 if all are larger, -1 if all are smaller. Outliers move it no further.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite values.
    groups : ndarray of shape (n,)
        Group of each value, from 0.
    n_groups : int
        How many groups.

    Returns
    -------
    ndarray of shape (n_groups,)
        NaN for a group that has no values, or all of them.

    References
    ----------
    N. Cliff, Dominance statistics, Psychological Bulletin 114 (1993).

    Examples
    --------
    >>> cliffs_delta(np.array([1.0, 2.0, 3.0, 9.0]), np.array([0, 0, 1, 1]), 2).tolist()
    [-1.0, 1.0]
    """
    sizes = np.bincount(groups, minlength=n_groups).astype(float)
    ranks = np.bincount(groups, weights=rankdata(values), minlength=n_groups)
    pairs = sizes * (len(values) - sizes)
    larger = ranks - sizes * (sizes + 1) / 2  # pairs in which the group's value wins; ties half
    delta = np.full(n_groups, np.nan)
    np.divide(2 * larger, pairs, out=delta, where=pairs > 0)
    return delta - 1
