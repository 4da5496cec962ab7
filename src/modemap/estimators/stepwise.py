"""Stepwise expectation-maximisation: the mean statistics of a row, moved by batch after batch.

O. Cappe, E. Moulines, On-line expectation-maximization for latent data models, 2009.
"""

from typing import NamedTuple

import numpy as np

from modemap.estimators.posterior import Statistics
from modemap.kernels.arrays import FloatArray

__all__ = ["Stepwise", "stepped"]

POWER = 0.6  # step t weighs its batch (t + 1) ** -0.6


class Stepwise(NamedTuple):
    """What was gathered so far."""

    mean: list[FloatArray]  # counts, sums and scatters of a row, about the origin
    n_steps: int
    total: float  # weight of all rows

    def statistics(self) -> Statistics:
        """Return the statistics of all rows, were each of them the mean one."""
        counts, sums, scatters = (self.total * part for part in self.mean)
        return Statistics(counts, np.zeros_like(sums), sums, scatters)


def stepped(before: Stepwise | None, found: Statistics, total: float) -> Stepwise:
    """Take in a batch of weight ``total`` whose statistics are ``found``."""
    mean = [part / total for part in _about_zero(found)]
    if before is None:
        return Stepwise(mean, 1, total)
    share = (before.n_steps + 1.0) ** -POWER
    mean = [(1 - share) * a + share * b for a, b in zip(before.mean, mean, strict=True)]
    return Stepwise(mean, before.n_steps + 1, before.total + total)


def _about_zero(statistics: Statistics) -> list[FloatArray]:
    """Return counts, sums and scatters about the origin, which do not move with the means."""
    n, centers, sums, scatters = statistics[:4]
    if scatters.ndim == sums.ndim:
        raw = scatters + 2 * centers * sums + n[:, np.newaxis] * np.square(centers)
        return [n, sums + n[:, np.newaxis] * centers, raw]
    outer = sums[:, :, np.newaxis] * centers[:, np.newaxis]
    raw = scatters + outer + np.swapaxes(outer, 1, 2)
    raw = raw + n[:, np.newaxis, np.newaxis] * (centers[:, :, np.newaxis] * centers[:, np.newaxis])
    return [n, sums + n[:, np.newaxis] * centers, raw]
