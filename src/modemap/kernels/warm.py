"""Compile every kernel now: ``python -m modemap.kernels.warm``, where an image is built.

A process that starts later, also one that can write nowhere but to temporary files, finds the
machine code of this kind of CPU; another kind compiles its own. The joint pass of a mixture is
compiled for each number of columns, from 8,192 rows on: here for two.
"""

import numpy as np

from modemap.kernels.columns.bins import EMPTY
from modemap.kernels.columns.points import moments
from modemap.kernels.columns.sampling import sampling_table
from modemap.kernels.compilation import is_compiled
from modemap.kernels.maps.grid import Grid
from modemap.kernels.maps.panels import MIN_GROUPS
from modemap.kernels.passes import (
    GROUPED,
    Prepared,
    mixed,
    nearest_units,
    present,
    scatter,
    sums_by_unit,
    two_nearest_soon,
    two_nearest_units,
    unit_distances,
)

__all__ = ["warm"]


def warm() -> None:
    """Run every kernel once on a handful of rows."""
    _warm_maps()
    if is_compiled():
        _warm_columns()
        _warm_mixtures()


def _warm_maps() -> None:
    """Run the map's, on complete rows and on some with values missing."""
    complete, codebook = np.ones((3, 2)), np.eye(2)
    weights, order = np.ones(3), np.zeros(1, dtype=np.int64)
    for X in (complete, np.where(np.eye(3, 2) > 0, np.nan, complete)):
        nearest_units(X, codebook)
        two_nearest_units(X, codebook)
        unit_distances(X, codebook)
        is_missing = bool(np.isnan(X).any())
        units = Prepared(codebook)
        sums_by_unit(X, weights, units, is_missing=is_missing)
        two_nearest_soon(X, units, is_missing=is_missing)
        scatter(X, weights, np.ones(2))
        rates = radii = np.ones(1)
        present(X, order, rates, radii, codebook, Grid(1, 2), is_missing=is_missing)
    mixed(codebook, codebook)
    n_units = 64 * MIN_GROUPS  # no panel is wider on any processor
    many, codebook = np.ones((GROUPED // 2, 2)), np.arange(2.0 * n_units).reshape(n_units, 2)
    sums_by_unit(many, np.ones(len(many)), Prepared(codebook))  # in groups
    nearest_units(many, codebook)


def _warm_columns() -> None:
    """Run those of a single column: counting, fitting, encoding to either precision, decoding."""
    from modemap.kernels.columns import coding  # noqa: PLC0415
    from modemap.kernels.columns.counter import Counter  # noqa: PLC0415

    counter = Counter(EMPTY)
    for _ in range(2):  # the first values are sorted, those after them counted by their decimals
        counter.add(np.array([0.5, 1.5]))
    Counter(counter.settle()).add(np.array([np.pi, 0.5]))  # by their bits
    one, zero = np.ones(1), np.zeros(1)
    moments(one, one, zero, zero, one)
    x, modes, tables = np.ones(coding.GROUP), np.empty(coding.GROUP, np.uint8), np.ones((256, 4))
    rows, whole = np.empty(len(x), np.int64), np.zeros(1, np.int64)
    valid = np.ones(1, np.bool_)
    table = sampling_table(0.0, 1.0, zero, zero, one, valid)
    place = (table.start, table.base, table.shift, table.modes)
    for precision in (np.float32, np.float64):
        values = np.empty(len(x), precision)
        last = (tables, 1.0, modes, values, rows)
        coding.encode_argmax(x, zero, whole, whole, 0, *last)
        coding.encode_sampled(x, 0, np.uint64(0), *place, zero, zero, one, valid, *last)
        coding.decode(values, modes, tables, 1.0, np.empty(len(x)))


def _warm_mixtures() -> None:
    """Run the passes over several columns."""
    from modemap.kernels.joint import add_statistics, lanes_of, row_scores  # noqa: PLC0415

    dims, shift, coefficients = (0, 0), np.zeros(2), np.ones((1, 6))
    width = lanes_of(len(dims))
    statistics, totals = np.zeros((1, 1 + width + len(dims) * width)), np.zeros(2)
    for precision in (np.float32, np.float64):
        X = np.ones((3, 2), precision)
        add_statistics(X, np.empty(0), dims, shift, coefficients, statistics, totals)
        row_scores(X, dims, shift, coefficients, np.empty((3, 1)))


if __name__ == "__main__":
    warm()
