"""The hot loops: arrays in, arrays out, each with a plain NumPy twin that is its oracle.

A kernel checks nothing, allocates nothing its caller could see, and draws no random numbers. It
works on one chunk of rows without the GIL; :mod:`modemap.kernels.passes` runs the chunks.
"""

from modemap.kernels.accumulation import add_by_unit, add_scatter
from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.chunks import chunk_slices, map_chunks
from modemap.kernels.passes import (
    UnitSums,
    covariance,
    nearest_units,
    sums_by_unit,
    two_nearest_units,
    unit_distances,
)
from modemap.kernels.search import best_matching_units, two_best_matching_units

__all__ = [
    "FloatArray",
    "IntArray",
    "UnitSums",
    "add_by_unit",
    "add_scatter",
    "best_matching_units",
    "chunk_slices",
    "covariance",
    "map_chunks",
    "nearest_units",
    "sums_by_unit",
    "two_best_matching_units",
    "two_nearest_units",
    "unit_distances",
]
