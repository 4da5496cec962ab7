"""One pass of a mixture of several columns: statistics of a block of rows, no rows x components.

A block of 256 rows stays in the first-level cache, transposed: lanes are rows. Where a component
has few of them, shares below e^-46 of the largest are left out and its moments are taken row by
row, so their cost follows the overlap of components, not their number. The number of features is
that of a tuple's items, known when the pass is compiled: all inner loops are unrolled.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit
from modemap.kernels.shares import BLOCK, FAR, each_group, exponential, logarithm

__all__ = ["add_statistics", "lanes_of", "row_scores"]

NARROW = 4  # features that fill four lanes at most
TWO_GROUPS = 8  # features up to which two groups of rows fit the registers
MANY = BLOCK // 2  # rows of a component from which all rows of the block are added together
FULL_LANES = 16
SUMS_AT_ONCE = 24 if r.LANES == FULL_LANES else 5  # that the registers hold


def lanes_of(n_features: int) -> int:
    """Return the lanes that the moments of so many features take."""
    return NARROW if n_features <= NARROW else r.DOUBLE_LANES


@intrinsic
def _densities(typing: Any, xt: Any, dims: Any, coefficients: Any, scores: Any, top: Any) -> Any:
    """Write ``c - |P'x - h|^2 / 2`` of BLOCK rows and raise ``top`` to it.

    The coefficients are c and, for each feature j, -h_j and P_0j to P_jj; xt is (d, BLOCK).
    """
    n_features = len(dims)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        xt, coef, scores, top = r.pointers(context, builder, signature, args, 0, 2, 3, 4)
        groups = range(2 if n_features <= TWO_GROUPS else 1)
        with each_group(builder, len(groups)) as (_, row):
            x = [
                [
                    r.load(builder, xt, i * BLOCK + g * r.DOUBLE_LANES, row, vector=r.doubles)
                    for g in groups
                ]
                for i in range(n_features)
            ]
            squares, place = [r.constant(0.0, r.doubles)] * len(groups), 1
            for j in range(n_features):
                y = [
                    r.splat(builder, builder.load(r.address(builder, coef, place)), r.doubles)
                ] * len(groups)
                for i in range(j + 1):
                    p = r.splat(
                        builder, builder.load(r.address(builder, coef, place + 1 + i)), r.doubles
                    )
                    y = [r.fma(builder, x[i][g], p, y[g]) for g in groups]
                squares = [r.fma(builder, y[g], y[g], squares[g]) for g in groups]
                place += j + 2
            peak = r.splat(builder, builder.load(coef), r.doubles)
            for g in groups:
                score = r.fma(builder, squares[g], r.constant(-0.5, r.doubles), peak)
                r.store(builder, score, scores, g * r.DOUBLE_LANES, row)
                highest = r.address(builder, top, g * r.DOUBLE_LANES, row)
                raised = r.maximum(builder, score, r.load(builder, highest, vector=r.doubles))
                r.store(builder, raised, highest)
        return context.get_dummy_value()

    del typing
    return types.void(xt, dims, coefficients, scores, top), generate


@intrinsic
def _shares(
    typing: Any, scores: Any, top: Any, sums: Any, products: Any, masks: Any, counts: Any
) -> Any:
    """Turn the scores (K, BLOCK) into exp(score - top).

    Writes of each row the sum of its shares and that of share * log share; of each component a bit
    for each row whose share counts, a byte for each group of lanes, and how many these are.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (v, top, sums, products, masks, counts), shapes = r.data(
            context, builder, signature, args, range(6)
        )
        nothing = r.constant(0.0, r.doubles)
        with each_group(builder) as (group, row):
            highest = r.load(builder, top, row, vector=r.doubles)
            total, product = (cgutils.alloca_once(builder, r.doubles) for _ in range(2))
            builder.store(nothing, total)
            builder.store(nothing, product)
            with cgutils.for_range(builder, shapes[0][0]) as loop:
                place = builder.add(builder.mul(loop.index, r.index(BLOCK)), row)
                below = builder.fsub(r.load(builder, v, place, vector=r.doubles), highest)
                share = exponential(builder, below)
                r.store(builder, share, v, place)
                builder.store(builder.fadd(builder.load(total), share), total)
                builder.store(r.fma(builder, share, below, builder.load(product)), product)
                near = builder.fcmp_ordered(">", below, r.constant(FAR, r.doubles))
                near = builder.bitcast(near, r.BYTE)
                n_groups = r.index(BLOCK // r.DOUBLE_LANES)
                builder.store(
                    near, r.address(builder, masks, builder.mul(loop.index, n_groups), group)
                )
                count = r.address(builder, counts, loop.index)
                found = builder.zext(builder.ctpop(near), r.INDEX)
                builder.store(builder.add(builder.load(count), found), count)
            r.store(builder, builder.load(total), sums, row)
            r.store(builder, builder.load(product), products, row)
        return context.get_dummy_value()

    del typing
    return types.void(scores, top, sums, products, masks, counts), generate


@intrinsic
def _add_all_moments(typing: Any, xt: Any, dims: Any, shares: Any, scale: Any, moments: Any) -> Any:
    """Add to each lane's moments those of its rows of the block, weighed by shares * scale.

    These are of (1, x) the products of any two, the first not behind the second: count, sums and
    upper scatter, (1 + d) (1 + d / 2) times LANES.
    """
    n_features = len(dims)
    pairs = [(i, j) for i in range(-1, n_features) for j in range(i, n_features)]
    starts = range(0, len(pairs), SUMS_AT_ONCE)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        xt, shares, scale, moments = r.pointers(context, builder, signature, args, 0, 2, 3, 4)

        def feature(j: int, row: Any) -> Any:
            return r.load(builder, xt, j * BLOCK, row, vector=r.doubles)

        for start in starts:
            some = pairs[start : start + SUMS_AT_ONCE]
            sums = []
            for place in range(start, start + len(some)):
                before = r.load(builder, moments, place * r.DOUBLE_LANES, vector=r.doubles)
                sums.append(r.allocated(builder, before))
            with each_group(builder) as (_, row):
                weight = r.load(builder, shares, row, vector=r.doubles)
                weight = builder.fmul(weight, r.load(builder, scale, row, vector=r.doubles))
                weighted = {
                    i: weight if i < 0 else builder.fmul(weight, feature(i, row))
                    for i in sorted({i for i, _ in some})
                }
                for (i, j), total in zip(some, sums, strict=True):
                    before = builder.load(total)
                    after = (
                        builder.fadd(before, weight)
                        if j < 0
                        else r.fma(builder, weighted[i], feature(j, row), before)
                    )
                    builder.store(after, total)
            for place, total in enumerate(sums, start):
                r.store(builder, builder.load(total), moments, place * r.DOUBLE_LANES)
        return context.get_dummy_value()

    del typing
    return types.void(xt, dims, shares, scale, moments), generate


@intrinsic
def _transpose(typing: Any, rows: Any, xt: Any) -> Any:
    """Write rows (BLOCK, padded d), eight features a register, as xt (padded d, BLOCK)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (rows, xt), shapes = r.data(context, builder, signature, args, range(2))
        size, lanes = shapes[0][1], r.DOUBLE_LANES
        with cgutils.for_range(builder, builder.udiv(size, r.index(lanes))) as part:
            first = builder.mul(part.index, r.index(lanes))
            with each_group(builder) as (_, row):
                x = [
                    r.load(
                        builder, rows, builder.mul(builder.add(row, r.index(i)), size), first,
                        vector=r.doubles,
                    )
                    for i in range(lanes)
                ]  # fmt: skip
                for j, column in enumerate(r.transposed(builder, x)):
                    place = builder.mul(builder.add(first, r.index(j)), r.index(BLOCK))
                    r.store(builder, column, xt, place, row)
        return context.get_dummy_value()

    del typing
    return types.void(rows, xt), generate


@intrinsic
def _add_moments(
    typing: Any, rows: Any, dims: Any, shares: Any, scale: Any, mask: Any, statistics: Any
) -> Any:
    """Add count, sum and upper scatter of the rows in ``mask``, weighed by shares * scale."""
    n_features = len(dims)
    lanes = lanes_of(n_features)
    n_parts = -(-n_features // lanes)
    vector = ir.VectorType(r.DOUBLE, lanes)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, shares, scale, mask, stats = r.pointers(
            context, builder, signature, args, 0, 2, 3, 4, 5
        )
        count = cgutils.alloca_once(builder, r.DOUBLE)
        sums = [cgutils.alloca_once(builder, vector) for _ in range(n_parts)]
        pairs = [(i, part) for i in range(n_features) for part in range(i // lanes, n_parts)]
        scatter = {pair: cgutils.alloca_once(builder, vector) for pair in pairs}
        places = [(total, 1 + part * lanes) for part, total in enumerate(sums)]
        after = 1 + n_parts * lanes
        places += [
            (total, after + (i * n_parts + part) * lanes) for (i, part), total in scatter.items()
        ]
        builder.store(builder.load(stats), count)
        for total, place in places:
            builder.store(r.load(builder, stats, place, vector=vector), total)
        left = cgutils.alloca_once(builder, r.INDEX)
        with each_group(builder) as (group, first):
            bits = builder.load(r.address(builder, mask, group))
            builder.store(builder.zext(bits, r.INDEX), left)
            head, body, end = (
                builder.append_basic_block(name) for name in ("rows", "row", "rows_end")
            )
            builder.branch(head)
            builder.position_at_end(head)
            any_left = builder.icmp_unsigned("!=", builder.load(left), r.index(0))
            builder.cbranch(any_left, body, end)
            builder.position_at_end(body)
            bits = builder.load(left)
            builder.store(builder.and_(bits, builder.sub(bits, r.index(1))), left)
            row = builder.add(first, builder.cttz(bits, ir.Constant(ir.IntType(1), 1)))
            weight = builder.load(r.address(builder, shares, row))
            weight = builder.fmul(weight, builder.load(r.address(builder, scale, row)))
            x = r.address(builder, rows, builder.mul(row, r.index(n_parts * lanes)))
            spread = r.splat(builder, weight, vector)
            weighted = [
                builder.fmul(spread, r.load(builder, x, part * lanes, vector=vector))
                for part in range(n_parts)
            ]
            builder.store(builder.fadd(builder.load(count), weight), count)
            for total, value in zip(sums, weighted, strict=True):
                builder.store(builder.fadd(builder.load(total), value), total)
            for (i, part), total in scatter.items():
                xi = r.splat(builder, builder.load(r.address(builder, x, i)), vector)
                value = r.fma(builder, xi, weighted[part], builder.load(total))
                builder.store(value, total)
            builder.branch(head)
            builder.position_at_end(end)
        builder.store(builder.load(count), stats)
        for total, place in places:
            r.store(builder, builder.load(total), stats, place)
        return context.get_dummy_value()

    del typing
    return types.void(rows, dims, shares, scale, mask, statistics), generate


@jit
def _take(X, start, shift, dims, rows, xt):  # type: ignore[no-untyped-def]
    """Write the block of rows from ``start`` on, relative to shift; return how many there are."""
    d, m = len(dims), min(BLOCK, X.shape[0] - start)
    for i in range(m):
        for j in range(d):
            rows[i, j] = np.float64(X[start + i, j]) - shift[j]
    if rows.shape[1] % r.DOUBLE_LANES == 0:
        _transpose(rows, xt)
    else:
        for j in range(d):
            for i in range(BLOCK):
                xt[j, i] = rows[i, j]
    return m


@jit
def _fold(moments, d, size, statistics):  # type: ignore[no-untyped-def]
    """Add the moments of all lanes, in their order, to the statistics of a component."""
    place, lanes = 0, r.DOUBLE_LANES
    for i in range(-1, d):
        for j in range(i, d):
            total = 0.0
            for lane in range(lanes):
                total += moments[place * lanes + lane]
            statistics[(1 + size + i * size if i >= 0 else 1) + j] += total
            place += 1


@jit
def add_statistics(  # type: ignore[no-untyped-def]
    X,  # in   (n, d) float64 or float32
    weights,  # in   (n,), or empty for ones
    dims,  # in   tuple of d integers
    shift,  # in   (d,) about which sums and scatters are taken
    coefficients,  # in   (K, 1 + d + d (d + 1) / 2)
    statistics,  # inout  (K, 1 + padded d + d * padded d)
    totals,  # inout  (2,): of weighted r log r, and of weighted log density
):
    """Add each component's count, sum and upper scatter of rows under their responsibilities."""
    n, d = X.shape
    n_components, size = coefficients.shape[0], statistics.shape[1] // (d + 1)
    xt, rows = np.zeros((size, BLOCK)), np.zeros((BLOCK, size))
    scores = np.empty((n_components, BLOCK))
    masks = np.empty((n_components, BLOCK // r.DOUBLE_LANES), np.uint8)
    moments = np.zeros((n_components, (1 + d) * (2 + d) // 2 * r.DOUBLE_LANES))
    top, share_sums, products = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    scale, ws, counts = np.empty(BLOCK), np.ones(BLOCK), np.empty(n_components, np.int64)
    for start in range(0, n, BLOCK):
        m = _take(X, start, shift, dims, rows, xt)
        if weights.size:
            ws[:m] = weights[start : start + m]
        ws[m:] = 0.0
        top[:], counts[:] = -1e300, 0
        for k in range(n_components):
            _densities(xt, dims, coefficients[k], scores[k], top)
        _shares(scores, top, share_sums, products, masks, counts)
        for i in range(BLOCK):
            log_sum = logarithm(share_sums[i])
            scale[i] = ws[i] / share_sums[i]
            products[i] = scale[i] * products[i] - ws[i] * log_sum
            share_sums[i] = ws[i] * (top[i] + log_sum)
        for i in range(m):
            totals[0] += products[i]
            totals[1] += share_sums[i]
        for k in range(n_components):
            if counts[k] >= MANY:
                _add_all_moments(xt, dims, scores[k], scale, moments[k])
            elif counts[k]:
                _add_moments(rows, dims, scores[k], scale, masks[k], statistics[k])
    for k in range(n_components):
        _fold(moments[k], d, size, statistics[k])


@jit
def row_scores(  # type: ignore[no-untyped-def]
    X,  # in   (n, d)
    dims,  # in   tuple of d integers
    shift,  # in   (d,)
    coefficients,  # in   (K, 1 + d + d (d + 1) / 2)
    scores,  # out  (n, K) log densities of the components
):
    """Write the log densities of each row."""
    n, d = X.shape
    xt, top, block = np.zeros((d, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        for j in range(d):
            for i in range(m):
                xt[j, i] = np.float64(X[start + i, j]) - shift[j]
        for k in range(coefficients.shape[0]):
            _densities(xt, dims, coefficients[k], block, top)
            for i in range(m):
                scores[start + i, k] = block[i]
