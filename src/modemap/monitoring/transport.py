"""Wasserstein's distance between a column and its reference: how far rows had to be carried."""

import numpy as np

from modemap.kernels.arrays import FloatArray
from modemap.monitoring.cells import Cells

__all__ = ["wasserstein"]


def wasserstein(reference: Cells, current: Cells) -> float:
    """Return the mean distance that rows are carried, in standard deviations of the reference.

    Infinite where a constant reference is left; 0 where both are the same constant.
    """
    values = np.concatenate((reference.means, current.means))
    order = np.argsort(values, kind="stable")
    changes = np.concatenate((reference.counts / reference.n, -current.counts / current.n))
    gap = np.abs(np.cumsum(changes[order])[:-1])
    steps = np.diff(values[order])
    spread = _spread(reference.means, reference.counts / reference.n)
    carried = float(np.dot(gap[steps > 0], steps[steps > 0]))
    if spread == 0:
        return float("inf") if carried > 0 else 0.0
    return carried / spread


def _spread(values: FloatArray, shares: FloatArray) -> float:
    middle = values - np.dot(values, shares)
    return float(np.sqrt(np.dot(np.square(middle), shares)))
