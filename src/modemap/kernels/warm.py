"""Compile every kernel now: ``python -m modemap.kernels.warm``, where an image is built.

A process that starts later, also one that can write nowhere but to temporary files, finds the
machine code of this kind of CPU; another kind compiles its own.
"""

import numpy as np

from modemap.kernels.passes import covariance, nearest_units, sums_by_unit, two_nearest_units

__all__ = ["warm"]


def warm() -> None:
    """Run every kernel once on a handful of rows."""
    X, weights, codebook = np.ones((3, 2)), np.ones(3), np.ones((2, 2))
    nearest_units(X, codebook)
    two_nearest_units(X, codebook)
    sums_by_unit(X, weights, codebook)
    covariance(X, weights)


if __name__ == "__main__":
    warm()
