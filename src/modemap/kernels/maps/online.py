"""Training sample by sample, compiled.

Euclidean maps of complete samples take one sweep for each sample, in float32; all others, and those
that push units away, take two plain loops in float64.
"""

import math

import numpy as np

from modemap.kernels.compilation import jit
from modemap.kernels.maps.exact import row_distances
from modemap.kernels.maps.gains import empty_tables, fill_gains, fill_tables, room_for_gains
from modemap.kernels.maps.sweep import PANEL, expect, sweep

__all__ = ["PANEL", "train_any", "train_complete"]

AHEAD = 16  # updates whose samples and tables are prepared at once


@jit
def _are_apart(lattice, units):  # type: ignore[no-untyped-def]
    """Return whether two units are no neighbours, diagonal ones being neighbours."""
    rows, columns = lattice.n_rows, lattice.n_columns
    r0, r1 = lattice.row[units[0]], lattice.row[units[1]]
    shift = 1 + (r0 % 2 - r1 % 2) * lattice.is_hexagonal
    down = lattice.down[r0 - r1 + rows - 1]
    difference = units[0] - units[1] - (r0 - r1) * columns
    across = lattice.across[shift, difference + columns - 1]
    if lattice.is_hexagonal:
        return down > 1 or down + across > 2  # noqa: PLR2004
    return max(down, across) > 1


@jit
def _prepare(X, order, origin, scale, rows):  # type: ignore[no-untyped-def]
    """Write the samples of some updates as the sweep reads them."""
    for t in range(order.size):
        for j in range(X.shape[1]):
            rows[t, j] = np.float32((X[order[t], j] - origin[j]) * scale)


@jit
def train_complete(  # type: ignore[no-untyped-def]
    X,  # in      (n_samples, n_features) without NaN
    order,  # in      (n_updates,) int64, which sample is presented when
    rates,  # in      (n_updates,), how far the nearest unit moves
    radii,  # in      (n_updates,), radius of the neighborhood
    lattice,  # in      the grid
    kind,  # in      number of the neighborhood
    origin,  # in      (n_features,), subtracted from samples
    scale,  # in      multiplied with samples
    panels,  # in out  (n_panels, n_features, PANEL) float32, the units likewise
    step,  # in      every so many updates the second nearest unit is looked for too
    distances,  # out     (n_updates,), of the samples to their nearest units, as presented
    apart,  # out     (n_updates,) bool, whether the second nearest unit was no neighbour
):
    """Present samples one by one, at least one."""
    below, beside = empty_tables(lattice, AHEAD)
    gains = room_for_gains(panels.shape[0] * PANEL)
    rows = np.empty((AHEAD + 1, X.shape[1]), np.float32)
    units, scores = np.zeros(2, np.int64), np.empty(2, np.float32)
    has_two = lattice.n_rows * lattice.n_columns > 1
    for first in range(0, order.size, AHEAD):
        stop = min(first + AHEAD, order.size)
        _prepare(X, order[first : stop + 1], origin, scale, rows)
        fill_tables(lattice, radii[first:stop], kind, below, beside)
        if first == 0:
            sweep(panels, gains, rows[0], rows[0], True, units, scores)  # no gains yet: a search
        for t in range(first, stop):
            k = t - first
            distances[t] = math.sqrt(scores[0]) / scale
            if t % step == 0:
                apart[t] = has_two and _are_apart(lattice, units)
            fill_gains(lattice, units[0], rates[t], radii[t], kind, below[k], beside[k], gains)
            if t + AHEAD < order.size:
                expect(X, order[t + AHEAD])
            following = k + (t + 1 < order.size)
            sweep(panels, gains, rows[k], rows[following], (t + 1) % step == 0, units, scores)


@jit
def train_any(  # type: ignore[no-untyped-def]
    X,  # in      (n_samples, n_features)
    order,  # in      (n_updates,) int64, which sample is presented when
    rates,  # in      (n_updates,), how far the nearest unit moves
    radii,  # in      (n_updates,), radius of the neighborhood
    lattice,  # in      the grid
    kind,  # in      number of the neighborhood
    metric,  # in      number of the metric
    bounds,  # in      (2, n_features), between which units stay
    features,  # in out  (n_features, n_units) float64, the units transposed
    errors,  # out     (n_updates,), distances to the nearest units, as presented
    apart,  # out     (n_updates,) bool, whether the second nearest unit was no neighbour
):
    """Present samples one by one, with any metric and missing values; see train_complete."""
    n_units = features.shape[1]
    below, beside = empty_tables(lattice, 1)
    gains = room_for_gains(n_units)
    lengths, distances = np.empty(n_units), np.empty(n_units)
    units = np.zeros(2, np.int64)
    for t in range(order.size):
        x = X[order[t]]
        row_distances(x, features, metric, lengths, distances)
        low, second = np.inf, np.inf
        for k in range(n_units):
            if distances[k] < low:
                units[1], second = units[0], low
                units[0], low = k, distances[k]
            elif distances[k] < second:
                units[1], second = k, distances[k]
        errors[t] = low if metric else math.sqrt(low)
        apart[t] = n_units > 1 and _are_apart(lattice, units)
        if t == 0 or radii[t] != radii[t - 1]:
            fill_tables(lattice, radii[t : t + 1], kind, below, beside)
        fill_gains(lattice, units[0], rates[t], radii[t], kind, below[0], beside[0], gains)
        for j in range(features.shape[0]):
            value, feature = np.float64(x[j]), features[j]
            if not math.isnan(value):
                low, high = bounds[0, j], bounds[1, j]
                for k in range(n_units):
                    moved = feature[k] + gains[k] * (value - feature[k])
                    feature[k] = min(max(moved, low), high)
