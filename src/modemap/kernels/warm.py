"""Compile every kernel now: ``python -m modemap.kernels.warm``, where an image is built.

A process that starts later, also one that can write nowhere but to temporary files, finds the
machine code of this kind of CPU; another kind compiles its own.
"""

from typing import NamedTuple

import numpy as np

from modemap.kernels.arrays import FloatArray
from modemap.kernels.maps.grid import Grid
from modemap.kernels.passes import (
    covariance,
    mixed,
    nearest_units,
    present,
    sums_by_unit,
    two_nearest_units,
    unit_distances,
)

__all__ = ["warm"]


class _Rows(NamedTuple):
    X: FloatArray
    weights: FloatArray


def warm() -> None:
    """Run every kernel once on a handful of rows, complete ones and some with values missing."""
    complete, codebook = np.ones((3, 2)), np.eye(2)
    weights, order = np.ones(3), np.zeros(1, dtype=np.int64)
    for X in (complete, np.where(np.eye(3, 2) > 0, np.nan, complete)):
        nearest_units(X, codebook)
        two_nearest_units(X, codebook)
        two_nearest_units(X, codebook, is_exact=False)
        unit_distances(X, codebook)
        is_missing = bool(np.isnan(X).any())
        sums_by_unit(X, weights, codebook, is_missing=is_missing)
        covariance([_Rows(X, weights)])
        rates = radii = np.ones(1)
        present(X, order, rates, radii, codebook, Grid(1, 2), is_missing=is_missing)
    mixed(codebook, codebook)


if __name__ == "__main__":
    warm()
