"""Training sample by sample, compiled.

Euclidean maps of complete samples take one sweep for each sample, in float32; all others, and those
that push units away, take two plain loops in float64.
"""

import math

import numpy as np

from modemap.kernels.compilation import jit
from modemap.kernels.maps.exact import row_distances
from modemap.kernels.maps.gains import empty_tables, fill_gains, fill_tables, room_for_gains
from modemap.kernels.maps.sweep import PANEL, sweep

__all__ = ["PANEL", "train_any", "train_complete"]


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
    distances,  # out     (n_updates,), of the samples to their nearest units, as presented
    apart,  # out     (n_updates,) bool, whether the second nearest unit was no neighbour
):
    """Present samples one by one, at least one."""
    n_features = X.shape[1]
    down, across, beside = empty_tables(lattice)
    gains = room_for_gains(panels.shape[0] * PANEL)
    now, after = np.empty(n_features, np.float32), np.empty(n_features, np.float32)
    units, scores = np.zeros(2, np.int64), np.empty(2, np.float32)
    has_two = lattice.n_rows * lattice.n_columns > 1
    for j in range(n_features):
        after[j] = np.float32((X[order[0], j] - origin[j]) * scale)
    sweep(panels, gains, after, after, units, scores)  # gains are 0: the search alone
    fill_tables(lattice, radii[0], kind, down, across, beside)
    for t in range(order.size):
        distances[t] = math.sqrt(scores[0]) / scale
        apart[t] = has_two and _are_apart(lattice, units)
        fill_gains(lattice, units[0], rates[t], radii[t], kind, down, beside, gains)
        now, after = after, now
        following = min(t + 1, order.size - 1)
        if radii[following] != radii[t]:  # ahead of the sweep, which hides what it takes
            fill_tables(lattice, radii[following], kind, down, across, beside)
        for j in range(n_features):
            after[j] = np.float32((X[order[following], j] - origin[j]) * scale)
        sweep(panels, gains, now, after, units, scores)


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
    down, across, beside = empty_tables(lattice)
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
            fill_tables(lattice, radii[t], kind, down, across, beside)
        fill_gains(lattice, units[0], rates[t], radii[t], kind, down, beside, gains)
        for j in range(features.shape[0]):
            value, feature = np.float64(x[j]), features[j]
            if not math.isnan(value):
                low, high = bounds[0, j], bounds[1, j]
                for k in range(n_units):
                    moved = feature[k] + gains[k] * (value - feature[k])
                    feature[k] = min(max(moved, low), high)
