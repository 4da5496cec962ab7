"""Passes over one chunk of samples, compiled: convert a block, search it, use what was found.

A block of samples is small enough to stay in the second-level cache from its conversion to float32
to the last use of its units. A sample whose float32 scores say nothing, because it lies too far
out, is searched in float64.
"""

import numpy as np

from modemap.kernels.compilation import jit
from modemap.kernels.maps.exact import (
    COSINE,
    distance_to_row,
    distances_to_units,
    nearest_row,
    nearest_two,
    nearest_unit,
    squared_distance,
)
from modemap.kernels.maps.online import PANEL as ONLINE_PANEL
from modemap.kernels.maps.online import train_any, train_complete
from modemap.kernels.maps.panels import PARTS, ROUNDING
from modemap.kernels.maps.pruned import search_tile
from modemap.kernels.maps.tile import PANEL, ROWS, Limits, search

__all__ = [
    "ONLINE_PANEL",
    "PANEL",
    "add_nearest",
    "distances_to_units",
    "find_nearest",
    "find_two",
    "mix",
    "nearest_two",
    "train_any",
    "train_complete",
]

BLOCK_BYTES = 1 << 20
MANY_FEATURES = 64  # from which four sums side by side are faster than one
MIXED = 512  # values that are mixed at once
MAX_ROWS, MIN_ROWS = 4096, 96
N_COMPLETE = 4  # longer formulas are those of incomplete samples
FEW_ROWS = 384  # that tell whether passing over groups pays
UNKNOWN, PAYS, COSTS = 0, 1, 2  # what they told
PAYING_SHARE = 0.85  # of the groups that may be searched, middles included


@jit
def _rows_of_block(n_samples, n_features):  # type: ignore[no-untyped-def]
    rows = max(MIN_ROWS, min(MAX_ROWS, BLOCK_BYTES // (4 * n_features)))
    return max(1, min(rows, n_samples))


@jit
def _convert(X, panels, x, seen):  # type: ignore[no-untyped-def]
    """Write samples as the search reads them: centred, scaled, and 0 where a value is missing."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            x[i, j] = np.float32((X[i, j] - panels.origin[j]) * panels.scale)
    if len(panels.formula) > N_COMPLETE:
        for i in range(X.shape[0]):
            for j in range(X.shape[1]):
                is_seen = X[i, j] == X[i, j]
                seen[i, j] = np.float32(1.0) if is_seen else np.float32(0.0)
                x[i, j] = x[i, j] if is_seen else np.float32(0.0)


@jit
def _room_for_limits(rows, is_early):  # type: ignore[no-untyped-def]
    """Return order, limits, lengths and reaches of a block's samples, and what the first told."""
    rests = np.empty((0 if is_early is None else rows, PARTS), np.float32)
    limits, reaches = np.empty(rows, np.float32), np.empty(rows, np.float32)
    return np.arange(rows), limits, rests, reaches, np.zeros(1, np.int64)


@jit
def _slack(panels, length, n_features):  # type: ignore[no-untyped-def]
    """Return how far rounding may move the scores of a sample of this length."""
    if panels.metric == COSINE:
        return panels.slack * length
    if len(panels.formula) % N_COMPLETE <= 1:  # a product, whole or by parts
        return panels.slack * panels.longest * (length + panels.longest)
    return panels.slack * np.sqrt(float(n_features)) * (length + panels.longest)


@jit
def _length(row):  # type: ignore[no-untyped-def]
    """Return the squared length of float32 values, in four sums that run side by side."""
    a = b = c = d = np.float32(0.0)
    whole = row.size // 4 * 4
    for j in range(0, whole, 4):
        a += row[j] * row[j]
        b += row[j + 1] * row[j + 1]
        c += row[j + 2] * row[j + 2]
        d += row[j + 3] * row[j + 3]
    for j in range(whole, row.size):
        a += row[j] * row[j]
    return (a + b) + (c + d)


@jit
def _limit(is_early, panels, x, score, unit, order, limits, rests):  # type: ignore[no-untyped-def]
    """Turn the nearest of the coarse units into limits; put samples that share it side by side."""
    if is_early is None:  # nothing below is compiled then
        return
    n, n_features = x.shape
    length = -(-n_features // PARTS)
    firsts = np.zeros(panels.coarse_start.size + 1, np.int64)
    for i in range(n):
        firsts[unit[i] + 1] += 1
        square = np.float32(0.0)
        for part in range(PARTS - 1, -1, -1):
            rests[i, part] = -np.sqrt(square) * np.float32(ROUNDING)
            square += _length(x[i, part * length : (part + 1) * length])
        limits[i] = score[i] + np.float32(2.0 * _slack(panels, np.sqrt(square), n_features))
    for k in range(firsts.size - 1):
        firsts[k + 1] += firsts[k]
    for i in range(n):
        order[firsts[unit[i]]] = i
        firsts[unit[i]] += 1


@jit
def _search_all(groups, panels, n, x, seen, score, unit, best, room):  # type: ignore[no-untyped-def]
    """Search all units, unless they are in groups; with many features first some units alone.

    ``best`` are views of the nearest units' scores and numbers.
    """
    if groups is not None:  # nothing below is compiled then
        return
    order, limits, rests, _, _ = room
    has_limits = rests.shape[0] > 0
    for i in range(n):  # a slice would be checked, with messages that take seconds to compile
        order[i] = i
    for turn in range(1 + has_limits):
        is_coarse = has_limits and turn == 0
        score[:n] = np.inf
        unit[:n] = 0
        search(
            panels.formula,
            x[:n],
            seen,
            panels.coarse if is_coarse else panels.panels,
            panels.coarse_start if is_coarse else panels.start,
            panels.group,
            Limits(order, limits, rests, panels.rests, 1 + (PARTS - 1) * (has_limits - is_coarse)),
            score[:n],
            unit[:n],
        )
        if is_coarse:
            _limit(panels.is_early, panels, x[:n], best[0], best[1], order, limits, rests)


@jit
def _search_groups(groups, panels, n, x, score, unit, best, room):  # type: ignore[no-untyped-def]
    """Search groups of units that can hold the nearest.

    The first rows of a chunk tell by the groups that were searched for them whether that is less
    work than to search all. Results are the same either way.
    """
    if groups is None:
        return
    order, limits, _, reaches, told = room
    low = 0
    while low < n:
        high = min(n, low + FEW_ROWS) if told[0] == UNKNOWN else n
        is_pruned, visits = told[0] != COSTS, np.zeros(1, np.int64)
        few, scores, units = x[low:high], score[low:high], unit[low:high]
        for i in range(high - low):
            order[i] = i
        for turn in range(1 + is_pruned):
            is_coarse = is_pruned and turn == 0
            source = panels.coarse if is_coarse else panels.panels
            start = panels.coarse_start if is_coarse else panels.start
            numbers = groups.middles if is_coarse else groups.units
            scores[:] = np.inf
            units[:] = 0
            i = 0
            while i < high - low:
                i = search_tile(
                    few, i, source, start, numbers, panels.coarse, groups.start, groups.radii,
                    order, limits, reaches, is_pruned and not is_coarse, visits, scores, units,
                )  # fmt: skip
            if is_coarse:
                visits[0] = 0
                _reach(panels, few, best[0][low:high], best[1][low:high], order, limits, reaches)
        if told[0] == UNKNOWN:
            most = -(-(high - low) // ROWS) * panels.panels.shape[0]
            searched = visits[0] / most + 2.0 * panels.coarse.shape[0] / panels.panels.shape[0]
            told[0] = PAYS if searched < PAYING_SHARE else COSTS
        low = high


@jit
def _reach(panels, x, bounds, near, order, limits, reaches):  # type: ignore[no-untyped-def]
    """Turn scores that some unit has into limits; put samples near the same middle side by side.

    See :mod:`modemap.kernels.maps.pruned` for what they are raised by.
    """
    firsts = np.zeros(panels.panels.shape[0] + 1, np.int64)
    for i in range(x.shape[0]):
        firsts[near[i] + 1] += 1
        square = np.float64(_length(x[i]))
        slack = _slack(panels, np.sqrt(square), x.shape[1])
        bound = bounds[i] + 2.0 * slack
        limits[i] = bound + 2.0 * slack
        reach = 2.0 * bound + square * (1.0 + panels.slack)
        reaches[i] = -ROUNDING * np.sqrt(max(reach, 0.0))
    for k in range(firsts.size - 1):
        firsts[k + 1] += firsts[k]
    for i in range(x.shape[0]):
        order[firsts[near[i]]] = i
        firsts[near[i]] += 1


@jit
def add_nearest(  # type: ignore[no-untyped-def]
    X,  # in      (n_samples, n_features)
    weights,  # in      (n_samples,)
    panels,  # in      the codebook
    sums,  # in out  (n_units, n_features + 1), weighted samples of each unit, then their weights;
    #                (n_units, 2 * n_features) with weights by feature where values are missing;
    #                without rows where counts alone are asked for
    counts,  # in out  (n_units,), weights of whole samples
):
    """Add each sample to its nearest unit; return the sum of weighted distances."""
    rows, n_features = _rows_of_block(*X.shape), X.shape[1]
    is_complete = len(panels.formula) <= N_COMPLETE
    x, seen = np.empty((rows, n_features), np.float32), np.empty((rows, n_features), np.float32)
    score, unit = np.empty(rows, np.float32), np.empty(rows, np.int32)
    best, room = (score, unit), _room_for_limits(rows, panels.is_early)
    added = 0.0
    for first in range(0, X.shape[0], rows):
        block = X[first : first + rows]
        n = block.shape[0]
        _convert(block, panels, x, seen)
        _search_all(panels.groups, panels, n, x, seen, score, unit, best, room)
        _search_groups(panels.groups, panels, n, x, score, unit, best, room)
        for i in range(block.shape[0]):
            k, weight = np.int64(unit[i]), weights[first + i]
            if not score[i] < np.inf:
                k = nearest_row(block[i], panels.codebook, panels.metric)
            counts[k] += weight
            if sums.shape[0] == 0:
                continue
            if panels.metric or not is_complete or n_features < MANY_FEATURES:
                distance = distance_to_row(block[i], panels.codebook[k], panels.metric)
            else:
                distance = squared_distance(block[i], panels.codebook[k])
            added += weight * (distance if panels.metric else np.sqrt(distance))
            if is_complete:
                for j in range(n_features):
                    sums[k, j] += weight * block[i, j]
                sums[k, n_features] += weight
            else:
                for j in range(n_features):
                    if block[i, j] == block[i, j]:
                        sums[k, j] += weight * block[i, j]
                        sums[k, n_features + j] += weight
    return added


@jit
def find_nearest(  # type: ignore[no-untyped-def]
    X,  # in   (n_samples, n_features)
    panels,  # in   the codebook
    units,  # out  (n_samples,) int64
    distances,  # out  (n_samples,), Euclidean ones squared
):
    """Write each sample's nearest unit as float64 says it; ties go low."""
    rows, n_features = _rows_of_block(*X.shape), X.shape[1]
    x, seen = np.empty((rows, n_features), np.float32), np.empty((rows, n_features), np.float32)
    score, unit = np.empty((rows, 2), np.float32), np.empty(rows, np.int32)
    best, room = (score[:, 0], unit), _room_for_limits(rows, panels.is_early)
    lengths, scratch = np.empty(panels.codebook.shape[0]), np.empty(panels.codebook.shape[0])
    for first in range(0, X.shape[0], rows):
        block = X[first : first + rows]
        n = block.shape[0]
        _convert(block, panels, x, seen)
        _search_all(panels.groups, panels, n, x, seen, score, unit, best, room)
        _search_groups(panels.groups, panels, n, x, score, unit, best, room)
        for i in range(block.shape[0]):
            length = np.sqrt(_length(x[i]))
            slack = _slack(panels, length, n_features)
            k = np.int64(unit[i])
            if not score[i, 1] - score[i, 0] > slack:
                k = nearest_unit(block[i], panels.features, panels.metric, lengths, scratch)
            units[first + i] = k
            distances[first + i] = distance_to_row(block[i], panels.codebook[k], panels.metric)


@jit
def find_two(  # type: ignore[no-untyped-def]
    X,  # in   (n_samples, n_features)
    panels,  # in   the codebook in its order, two units or more, searched to the last feature
    units,  # out  (n_samples, 2) int64, -1 where float32 says nothing
):
    """Write each sample's two nearest units as float32 says it; ties go low."""
    rows, n_features = _rows_of_block(*X.shape), X.shape[1]
    x, seen = np.empty((rows, n_features), np.float32), np.empty((rows, n_features), np.float32)
    score, unit = np.empty((rows, 2), np.float32), np.empty((rows, 2), np.int32)
    best, room = (score[:, 0], unit[:, 0]), _room_for_limits(rows, None)
    for first in range(0, X.shape[0], rows):
        block = X[first : first + rows]
        n = block.shape[0]
        _convert(block, panels, x, seen)
        _search_all(panels.groups, panels, n, x, seen, score, unit, best, room)
        for i in range(block.shape[0]):
            is_found = score[i, 1] < np.inf
            for place in range(2):
                units[first + i, place] = unit[i, place] if is_found else -1


@jit
def mix(  # type: ignore[no-untyped-def]
    strengths,  # in   (n_out, n_in)
    values,  # in   (n_in, n_values)
    mixed,  # out  (n_out, n_values)
):
    """Write the product of two matrices, each sum in the order of its terms."""
    for low in range(0, values.shape[1], MIXED):  # few enough to stay in the first-level cache
        for i in range(strengths.shape[0]):
            out = mixed[i, low : low + MIXED]
            out[:] = 0.0
            for k in range(values.shape[0]):
                strength, value = strengths[i, k], values[k, low : low + MIXED]
                if strength != 0.0:
                    for j in range(out.size):
                        out[j] += strength * value[j]
