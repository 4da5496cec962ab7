"""Why rows are unusual: what each column adds to their surprise and to their distance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.release import Release
from modemap.reporting.story import Reason

__all__ = ["Shares", "reasons_of", "shares_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_USUAL = 500  # training rows that say what a usual row is


class Shares(NamedTuple):
    """What the columns of n rows add up to."""

    surprise: FloatArray  # (n, n_measured_columns), in nats: minus the log-likelihood
    squares: FloatArray  # (n, n_columns), in robust units: the squared distance to the unit


def shares_of(release: Release, rows: FloatArray, units: IntArray) -> Shares:
    """Return the shares of the columns in what ``release`` says of prepared ``rows``."""
    scales = np.log(release.preparation.scale_[release.preparation.measured_])
    return Shares(
        release.surprise(rows) + scales,
        np.square(release.preparation.by_column(rows - release.som.codebook_[units])),
    )


def reasons_of(release: Release, X: FloatArray, train: FloatArray) -> list[list[Reason]]:
    """Return for each raw row of ``X`` what its measured columns add, the heaviest first.

    What a column adds is what it adds beyond a usual row: the mean of a few hundred rows of
    ``train``, among whose values the row's own are placed.
    """
    usual = train[:: -(-len(train) // N_USUAL)]
    scaled = release.preparation.transform(np.concatenate((X, usual)))
    surprise = release.surprise(scaled)
    train, values = release.measured(train), release.measured(X)
    nats = surprise[: len(X)] - surprise[len(X) :].mean(axis=0)
    below = np.array([[np.mean(train[:, j] <= v) for j, v in enumerate(x)] for x in values])
    above = np.array([[np.mean(train[:, j] >= v) for j, v in enumerate(x)] for x in values])
    found = []
    for i, row in enumerate(values):
        numbers = zip(release.measured_columns, row, nats[i], below[i], above[i], strict=True)
        reasons = [Reason(name, *map(float, told)) for name, *told in numbers]
        found.append(sorted(reasons, key=lambda reason: -reason.nats))
    return found
