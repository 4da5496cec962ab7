"""How many components: the number whose fit makes held-out rows likeliest."""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from modemap.estimators.iteration import Settings, iterated
from modemap.estimators.points import Points
from modemap.estimators.posterior import Prior, updated
from modemap.estimators.rows import Rows
from modemap.estimators.starts import start_of_points, start_of_rows
from modemap.kernels.arrays import FloatArray

__all__ = ["MAX_COMPONENTS", "components_of_points", "components_of_rows"]

MAX_COMPONENTS = 15
N_STARTS = 4
MAX_POINTS = 2048
MAX_ROWS = 1 << 14
MAX_ITER = 60
TOLERANCE = 1e-5  # of the bound, per row
GAIN = 1e-3  # nats a row by which a larger number must be better
HELD_OUT = 0.3


def components_of_points(points: Points, prior: Prior, random_state: RandomState) -> int:
    """Return the number of components for weighted points."""
    x, weights = _coarse(points.x, points.weights)
    whole = np.floor(weights)
    if len(x) == 1 or not np.array_equal(whole, weights):
        held = weights * HELD_OUT
    else:
        held = random_state.binomial(whole.astype(np.int64), HELD_OUT).astype(np.float64)
    if held.sum() in (0.0, weights.sum()):
        return 1
    kept = weights - held
    train, test = Points(x[kept > 0], kept[kept > 0]), Points(x[held > 0], held[held > 0])
    moved = train.center - test.center
    test.x = test.x - moved  # the same coordinates
    prior = prior._replace(mean=prior.mean - train.center)

    def score(n_components: int) -> float:
        start = start_of_points(train, n_components, "kmeans", random_state)
        return _held_out(train, test, updated(start, prior), prior)

    return _best(score, min(MAX_COMPONENTS, len(train.x)))


def components_of_rows(rows: Rows, prior: Prior, random_state: RandomState) -> int:
    """Return the number of components for rows, from at most 16,384 of them."""
    X, weights, _ = rows.thinned(MAX_ROWS)
    is_held = random_state.uniform(size=len(X)) < HELD_OUT
    if is_held.all() or not is_held.any():
        return 1

    def part(which: NDArray[np.bool_]) -> Rows:
        return Rows(lambda: [X[which]], None if weights is None else weights[which])

    train, test = part(~is_held), part(is_held)
    test.center = train.center
    prior = prior._replace(mean=prior.mean + rows.center - train.center)

    def score(n_components: int) -> float:
        start = start_of_rows(train, n_components, "kmeans", random_state)
        return _held_out(train, test, updated(start, prior), prior)

    return _best(score, min(MAX_COMPONENTS, len(X) - int(is_held.sum())))


def _best(score, most: int) -> int:  # type: ignore[no-untyped-def]
    best, chosen = -np.inf, 1
    for n_components in range(1, most + 1):
        found = max(score(n_components) for _ in range(N_STARTS if n_components > 1 else 1))
        if found > best + GAIN:
            best, chosen = found, n_components
    return chosen


def _held_out(train, test, start, prior: Prior) -> float:  # type: ignore[no-untyped-def]
    settings = Settings(TOLERANCE * train.total, MAX_ITER)
    fit = iterated(train, start, prior, settings, -np.inf)
    return float(test.step(fit.posterior, prior).log_likelihood / test.total)


def _coarse(x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Join neighbours in bins of equal share of the range's quantiles and width, means kept."""
    if len(x) <= MAX_POINTS:
        return x, weights
    place = (x - x[0]) / (x[-1] - x[0]) + np.cumsum(weights) / weights.sum()
    bins = np.minimum((place / place[-1] * MAX_POINTS).astype(np.int64), MAX_POINTS - 1)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    masses = np.add.reduceat(weights, starts)
    return np.add.reduceat(weights * x, starts) / masses, masses
