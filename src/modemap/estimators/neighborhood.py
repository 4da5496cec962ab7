"""Which units learn from each other, and how far.

On a rectangular grid most neighborhoods are products of one factor along the rows and one along the
columns, so smoothing over the whole grid takes ``n_rows + n_columns`` steps for each unit instead
of their product. The others go through a matrix of units by units, a few rows of it at a time.
"""

from typing import NamedTuple

import numpy as np

from modemap.kernels import FloatArray, Grid, UnitSums, chunk_slices, map_in_order, mixed, strengths

__all__ = ["DECAYS", "Neighborhood", "decayed", "smoothed", "updated"]

DECAYS = ("linear", "exponential", "inverse")
BLOCK_CELLS = 1 << 20  # strengths held at once
ROWS_AT_ONCE = 4  # of a grid that a thread smooths, or more
UNITS_AT_ONCE = 128  # whose means a thread takes, or more
NEGLIGIBLE = 1e-290  # a smaller total of neighborhood strengths has lost its digits


def decayed(start: float, end: float, progress: FloatArray, decay: str) -> FloatArray:
    """Return values from ``start`` at progress 0 to ``end`` at progress 1.

    ``"linear"`` falls by equal steps, ``"exponential"`` by equal factors, and the inverse of
    ``"inverse"`` grows by equal steps.
    """
    if decay == "linear":
        return start + (end - start) * progress
    if decay == "exponential":
        return start * (end / start) ** progress
    return start / (1.0 + (start / end - 1.0) * progress)


class Neighborhood(NamedTuple):
    """Which units of a grid learn from each other at one radius."""

    grid: Grid
    kind: str
    radius: float


def smoothed(
    values: FloatArray,
    neighborhood: Neighborhood,
    n_threads: int = 1,
    *,
    is_absolute: bool = False,
) -> FloatArray:
    """Add up ``values`` (n_units, n_values) over the neighborhood of every unit.

    On a rectangular grid a bubble is a square, and a triangle a pyramid. ``is_absolute`` takes the
    sizes of the strengths, without their signs.
    """
    grid, kind, radius = neighborhood
    if grid.is_hexagonal or kind == "mexican_hat":
        return _by_matrix(values, neighborhood, n_threads, is_absolute)
    along_rows = strengths(grid.axis(rows=True), radius, kind)
    along_columns = strengths(grid.axis(rows=False), radius, kind)
    over_rows = mixed(along_rows, values.reshape(*grid.shape, -1), n_threads)
    both = np.empty_like(over_rows)

    def smooth(rows: slice) -> None:
        for row, out in zip(over_rows[rows], both[rows], strict=True):
            out[...] = mixed(along_columns, row)

    for _ in map_in_order(smooth, chunk_slices(len(both), min_rows=ROWS_AT_ONCE), n_threads):
        pass
    return both.reshape(values.shape)


def _by_matrix(
    values: FloatArray, neighborhood: Neighborhood, n_threads: int, is_absolute: bool
) -> FloatArray:
    grid, kind, radius = neighborhood
    out = np.empty_like(values)
    step = max(1, BLOCK_CELLS // grid.n_units)
    for start in range(0, grid.n_units, step):
        units = slice(start, start + step)
        strength = strengths(grid.distances(units), radius, kind)
        out[units] = mixed(np.abs(strength) if is_absolute else strength, values, n_threads)
    return out


def updated(
    codebook: FloatArray, found: UnitSums, neighborhood: Neighborhood, n_threads: int = 1
) -> FloatArray:
    """Return the codebook after an epoch that found these sums; units nobody reaches stay.

    Each unit goes to the mean of all samples, weighted by the strengths between their units and
    it. Where strengths are negative, it goes towards the samples of positive strength and away from
    the others, by the mean pull over the sizes of all strengths, but not out of the range of the
    units and of the means of their samples.
    """
    n_features = codebook.shape[1]
    pulls = smoothed(found.sums, neighborhood, n_threads)
    sums, totals = pulls[:, :n_features], pulls[:, n_features:]
    if neighborhood.kind != "mexican_hat":
        return _means(sums, totals, codebook, n_threads)
    sizes = smoothed(found.weights, neighborhood, n_threads, is_absolute=True)
    is_reached = np.broadcast_to(sizes > NEGLIGIBLE, codebook.shape)
    steps = np.zeros_like(codebook)
    np.divide(sums - totals * codebook, sizes, out=steps, where=is_reached)
    means = np.divide(  # of each unit's samples
        found.sums[:, :n_features], found.weights, out=codebook.copy(), where=found.weights > 0
    )
    low, high = (extreme(codebook, means) for extreme in (np.fmin, np.fmax))
    return np.clip(codebook + steps, low.min(axis=0), high.max(axis=0))


def _means(
    sums: FloatArray, totals: FloatArray, codebook: FloatArray, n_threads: int
) -> FloatArray:
    """Return sums over totals, and the unit of before where the total is nothing."""
    out = np.empty_like(codebook)

    def divide(units: slice) -> None:
        out[units] = codebook[units]
        is_reached = np.broadcast_to(totals[units] > NEGLIGIBLE, out[units].shape)
        np.divide(sums[units], totals[units], out=out[units], where=is_reached)

    for _ in map_in_order(divide, chunk_slices(len(out), min_rows=UNITS_AT_ONCE), n_threads):
        pass
    return out
