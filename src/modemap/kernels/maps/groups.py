"""Units in groups that lie close together, so that a search can pass over most groups.

A sample has a unit within reach, say: none that is farther away can be the nearest. If one unit of
a group, its middle, is farther than that and the radius of the group together, then so are all of
the group: the triangle inequality. On a map of clumps nine of ten groups are passed over.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray

__all__ = ["Groups", "grouped", "middles"]

TINY = 1e-30  # instead of the extent of units that are all the same
N_TURNS = 2  # towards the direction in which a group is longest


class Groups(NamedTuple):
    """What the search needs to know of groups: one of them fills a panel."""

    units: Any  # (n_panels * width,) int32, number of the unit in each place
    middles: Any  # (n_coarse * width,) int32, numbers of the groups
    radii: Any  # (n_coarse * width,) float32, from the middle to the farthest unit of its group
    start: Any  # (n_coarse * width,) float32, the middles' scores before the first feature, less
    #             half the square of the radius


def grouped(units: NDArray[np.floating], width: int) -> IntArray:
    """Return the numbers of all units, ``width`` that are close together side by side.

    Units are halved across the direction in which they spread most, and the halves again, until
    ``width`` are left. In each group numbers ascend.
    """
    order, bounds = np.arange(len(units)), np.array([0, len(units)])
    features = np.ascontiguousarray(units.T, dtype=np.float32)
    while (sizes := np.diff(bounds)).max() > width:
        along = _along(features[:, order], bounds[:-1], sizes)
        low = np.minimum.reduceat(along, bounds[:-1])
        reach = np.maximum(np.maximum.reduceat(along, bounds[:-1]) - low, TINY)
        within = (along - np.repeat(low, sizes)) / np.repeat(reach, sizes)
        order = order[np.argsort(within + np.repeat(np.arange(0.0, 2.0 * len(sizes), 2.0), sizes))]
        bounds = np.unique(np.append(bounds[:-1] + -(-sizes // width) // 2 * width, bounds))
    whole = len(order) // width * width
    order[:whole].reshape(-1, width).sort(axis=1)
    order[whole:].sort()
    return order


def _along(
    features: NDArray[np.float32], starts: IntArray, sizes: IntArray
) -> NDArray[np.floating]:
    """Return how far each unit lies along about the longest direction of its part."""
    apart = features - np.repeat(np.add.reduceat(features, starts, axis=1) / sizes, sizes, axis=1)
    widest = np.add.reduceat(np.square(apart), starts, axis=1).argmax(axis=0)
    along: NDArray[np.floating] = apart[np.repeat(widest, sizes), np.arange(apart.shape[1])]
    for _ in range(N_TURNS):
        direction = np.add.reduceat(along * apart, starts, axis=1)
        along = (apart * np.repeat(direction, sizes, axis=1)).sum(axis=0)
    return along


def middles(panels: NDArray[np.float32], n_units: int) -> tuple[IntArray, FloatArray]:
    """Return the place of each panel's middle unit, and how far the farthest one is from it."""
    n_panels, _, width = panels.shape
    places = np.arange(n_panels * width).reshape(n_panels, width)
    is_unit, units = places < n_units, panels.astype(np.float64)
    low, high = (
        extreme(units, axis=2, keepdims=True, where=is_unit[:, np.newaxis], initial=start)
        for extreme, start in ((np.min, np.inf), (np.max, -np.inf))
    )
    off = np.square(units - (low + high) / 2).sum(axis=1)
    at = np.arange(n_panels), np.where(is_unit, off, np.inf).argmin(axis=1)
    middle = units[at[0], :, at[1]][:, :, np.newaxis]
    farthest = np.where(is_unit, np.square(units - middle).sum(axis=1), 0.0).max(axis=1)
    return places[at], np.sqrt(farthest)
