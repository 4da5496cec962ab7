"""The hot loops: arrays in, arrays out, each with a plain NumPy twin that is its oracle.

A kernel checks nothing, allocates nothing its caller could see, and draws no random numbers. It
works on one chunk of rows without the GIL; :mod:`modemap.kernels.passes` runs the chunks.
"""

from modemap.kernels.accumulation import add_scatter
from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.chunks import chunk_slices, map_chunks, map_in_order, same_threads
from modemap.kernels.maps.grid import BOUNDARIES, NEIGHBORHOODS, TOPOLOGIES, Grid, strengths
from modemap.kernels.maps.panels import METRICS
from modemap.kernels.passes import (
    Deviations,
    Prepared,
    UnitSums,
    deviations,
    has_missing,
    mixed,
    nearest_units,
    present,
    scatter,
    sums_by_unit,
    two_nearest_soon,
    two_nearest_units,
    unit_distances,
)

__all__ = [
    "BOUNDARIES",
    "METRICS",
    "NEIGHBORHOODS",
    "TOPOLOGIES",
    "Deviations",
    "FloatArray",
    "Grid",
    "IntArray",
    "Prepared",
    "UnitSums",
    "add_scatter",
    "chunk_slices",
    "deviations",
    "has_missing",
    "map_chunks",
    "map_in_order",
    "mixed",
    "nearest_units",
    "present",
    "same_threads",
    "scatter",
    "strengths",
    "sums_by_unit",
    "two_nearest_soon",
    "two_nearest_units",
    "unit_distances",
]
