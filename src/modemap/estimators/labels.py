"""Labels of units, from the labels of the samples they are nearest to."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels import FloatArray, IntArray

__all__ = ["NO_LABEL", "UnitLabels", "labels_of_units"]

NO_LABEL = -1  # of a unit that is nearest to no sample


class UnitLabels(NamedTuple):
    """What the samples of each unit are."""

    classes: NDArray[Any]  # (n_classes,), sorted
    majority: IntArray  # (n_units,), place in ``classes`` of the heaviest class; -1 without samples
    shares: FloatArray  # (n_units, n_classes), of the weight of a unit's samples; 0 without samples


def labels_of_units(
    units: IntArray, y: NDArray[Any], weights: FloatArray, n_units: int
) -> UnitLabels:
    """Return majority and shares of the classes of each unit's samples; ties go to the first."""
    classes, numbers = np.unique(y, return_inverse=True)
    shares = np.zeros((n_units, len(classes)))
    np.add.at(shares, (units, numbers), weights)
    totals = shares.sum(axis=1, keepdims=True)
    np.divide(shares, totals, out=shares, where=totals > 0)
    majority = np.where(totals.ravel() > 0, shares.argmax(axis=1), NO_LABEL)
    return UnitLabels(classes, majority, shares)
